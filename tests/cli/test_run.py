"""The two commands as a user types them: mistakes and whole runs."""

import json
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from dgn import settings
from dgn.cli import help_text
from dgn.generators.bundle import load
from dgn.synthesis import resume
from dgn.training import tasks
from tests.commands import ROOT, table
from tests.commands import run as command


def apart(*words, cwd=ROOT, code=0):
    """Run a command in a process of its own; what it printed, and what it complained of."""
    done = subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["target=x"], "set network@target=x"),
        (["network@target=cafenet64"], "there is no network 'cafenet64': did you mean 'caffenet64'"),
        (["network@targt=caffenet64"], "did you mean 'network@target'"),
        (["seed_count=1"], "there is no key 'seed_count'"),
        (["ascent.stepp=1"], "there is no key 'ascent.stepp': did you mean 'step'"),
        (["device=cuda"], "there is no key 'device': set trainer=gpu"),
        (["seeds.a=1"], "seeds is a single value (2)"),
        (["units=a,b"], "set 'units=[a,b]' for a list"),
        (["units=[a"], "cannot parse 'units=[a': write a list as [a,b]"),
        (["volcano"], "is not a setting: write KEY=VALUE"),
        (["start=image"], "start.path has no value"),
        (["judge=x"], "set network@judge=x"),
        (["judge.weights=x"], "no judge is chosen: set network@judge=NAME as well"),
        (["network@judge=squeezenet1_1"], "judge.weights has no value"),
        (["seeds=many"], "seeds=many is not a whole number"),
        (["ascent.step=-1"], "ascent.step=-1 is out of range: set ascent.step to more than 0"),
        (["generator=small"], "generator=small is for dgn train: leave generator out and set bundle=FILE"),
        (["target.input.scale=-1"], "set target.input.scale to more than 0"),
        (["ascent.noise=null"], "ascent.noise=null is not a number"),
        (["prior=box", "prior.k=[1,2]"], "prior.k=[1, 2] is not a number"),
        (["start=image", "start.pth=x"], "there is no key 'start.pth': did you mean 'path'"),
        (["generator._target_=my.G", "generator.cods=x"], "there is no key 'generator.cods': did you mean 'codes'"),
        (["panels={a: ['units=lemon'], b: ['seeds=many']}"], "seeds=many is not a whole number"),
        (["post_activation=maybe"], "is not true or false"),
        (["ascent.steps=0"], "ascent.steps=0 is out of range: set ascent.steps to 1 or more"),
        (["ascent.steps=abc"], "ascent.steps=abc is not a whole number"),
        (["target.steps=1.5"], "target.steps=1.5 is not a whole number"),
        (["seeds=1.5"], "seeds=1.5 is not a whole number"),
        (["experiment=dmo"], "there is no experiment 'dmo': did you mean 'demo'"),
        (["-m", "seed=0,1", "hydra/launcher=jblib"], "install hydra/launcher=joblib by pip install 'dgn[sweep]'"),
        (["-m", "resume=true,false"], "resume does not change the result"),
        (["network=resnet50"], "set network@judge=… or network@target=…"),
        (["network@target=resnet50"], "set network@target=torchvision target.args.name=resnet50"),
        (["steps=50"], "did you mean 'ascent.steps' or 'target.steps'?"),
        (["target.channels=1"], "did you mean 'target.input.channels'?"),
        (["iterations=50"], "it is a key of dgn train"),
        (["prior=none", "prior.k=3"], "it is one of prior=box, not of prior=none"),
        (["start=coffee.png"], "set start=image start.path=coffee.png"),
        (
            ["data=/a/shapes"],
            "data takes the name of a kind (altered, imagefolder, imagenet), not a path: set data.root=",
        ),
        (["target.input=64"], "target.input is a group of keys, not a single value: set target.input.size=…"),
        (["target.input={size=64, mean: 1}"], "with colons: 'target.input={size:64"),
        (["--units", "lemon"], "there is no option --units: write units=lemon"),
        (["units=school", "bus"], "quote a value with a space: 'units=school bus'"),
        (["units", "=", "lemon"], "write units=lemon, without spaces around ="),
    ],
)
def test_a_typing_mistake_gets_one_sentence(words, sentence, tmp_path):
    _, error = command(str(ROOT / "synthesize.py"), *words, cwd=tmp_path, code=1)
    assert sentence in error
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["units=lemon"], "it is a key of dgn synthesize"),
        (["data=photos", "ascent.steps=3"], "it is a key of dgn synthesize"),
        (["target._target_=a.B"], "there is no 'network@target' in dgn train: did you mean"),
    ],
)
def test_the_other_commands_keys_are_named(words, sentence, tmp_path):
    assert sentence in command(str(ROOT / "train.py"), *words, cwd=tmp_path, code=1)[1]


def test_a_network_without_the_base_is_told_to_begin_with_it(tmp_path):
    (tmp_path / "mine" / "network").mkdir(parents=True)
    (tmp_path / "mine" / "network" / "bare.yaml").write_text("_target_: a.B\n")
    words = (str(ROOT / "synthesize.py"), f"--config-dir={tmp_path}/mine", "network@target=bare")
    said = command(*words, cwd=tmp_path, code=1)[1]
    assert "network/bare.yaml lacks default_bundle: begin it with `defaults: [custom]`" in said


def test_an_output_that_is_a_file_is_said_to_be_one(tmp_path):
    (tmp_path / "classes.txt").write_text("a\n")
    said = command(str(ROOT / "synthesize.py"), "output=classes.txt", cwd=tmp_path, code=1)[1]
    assert "classes.txt is a file, and a folder is needed" in said


@pytest.mark.parametrize("words", [["target=x"], ["-m", "resume=true,false"]])
def test_a_process_of_its_own_says_the_same(words, tmp_path):
    here = command(ROOT / "synthesize.py", *words, cwd=tmp_path, code=1)
    assert here == apart(str(ROOT / "synthesize.py"), *words, cwd=tmp_path, code=1)
    assert here[1].startswith("error: ")


def test_of_a_runs_own_config_no_member_can_be_chosen_again(config, tmp_path):
    settings.write(settings.plain(config("synthesize", "output=x")), tmp_path, "synthesize")
    words = (str(ROOT / "synthesize.py"), f"--config-dir={tmp_path}", "--config-name=config", "prior=none")
    assert "cannot choose another prior" in command(*words, cwd=tmp_path, code=1)[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "words", "sentence"),
    [
        ("synthesize.py", ["units=goldfsh"], "there is no unit 'goldfsh': did you mean 'goldfish'"),
        ("synthesize.py", ["target.weights=none.pth"], "set target.weights to an existing file"),
        ("synthesize.py", ["network@judge=squeezenet1_1", "judge.weights=x.pth"], "set judge.weights to an existing"),
        ("train.py", ["data=photos", "encoder.weights=x.pth"], "set encoder.weights to an existing file"),
        ("synthesize.py", ["target.layer=fc9"], "there is no layer 'fc9'"),
        ("synthesize.py", ["bundle=none"], "there is no bundle 'none'"),
        ("train.py", ["data=imagefolder"], "data.root=DIR"),
        ("train.py", ["data.root=/none"], "/none does not exist"),
        ("train.py", ["data=photos", "encoder.layer=fc16"], "there is no layer 'fc16'"),
        ("train.py", ["task=classifier", "data.root=one", "data.val_images=2"], "one is the only class"),
        ("train.py", ["data=photos", "trainer.devices=2"], "several devices needs trainer=ddp"),
        (
            "train.py",
            ["data.root=one", *(f"loss.feature.layers.{name}=0" for name in ("conv2", "conv3", "conv5"))],
            "all loss.feature.layers have weight 0",
        ),
    ],
)
def test_a_mistake_in_what_is_asked_for_gets_one_sentence(script, words, sentence, images_in, tmp_path):
    images_in(tmp_path / "one", 4)
    _, error = command(str(ROOT / script), *words, f"output={tmp_path}/new/out", cwd=tmp_path, code=1)
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("script", ["train.py", "synthesize.py"])
def test_a_run_is_resumed_only_in_a_folder_that_is_named(script, tmp_path):
    _, error = command(str(ROOT / script), "data=photos", "resume=true", cwd=tmp_path, code=1)
    assert error.strip() == "error: resume=true needs the folder of the run that is to be continued: set output=DIR"
    assert not (tmp_path / "runs").exists()


def test_help_names_the_parts_without_loading_torch():
    probe = (
        "import sys, runpy; sys.argv = ['synthesize.py', '--help']\n"
        "runpy.run_path('synthesize.py', run_name='__main__')\n"
        "assert 'torch' not in sys.modules"
    )
    shown, _ = apart("-c", probe)
    assert "caffenet64" in shown


def test_help_lists_what_chooses_a_member_and_only_members_that_the_command_takes():
    listed = {command: help_text.text(command, []).partition("Keys:")[0] for command in ("synthesize", "train")}
    networks = "caffenet, caffenet64, caffenet64_bgr, caffenet64_blur, caffenet64_mosaic, caffenet64_places, custom"
    assert f"\nnetwork@target, network@judge: {networks}" in listed["synthesize"]
    assert "\ngenerator: bundle, called, custom, fourier, maco, pixels\n" in listed["synthesize"]
    assert "\ngenerator: deepsim, small\n" in listed["train"]
    assert "\nschedule@module.schedule: halvings" in listed["train"] and "\nloss: deepsim" in listed["train"]
    assert "own," not in re.split(r"[ \n]", listed["synthesize"] + listed["train"])  # the older name of custom
    assert "deepsim_fc6" in listed["train"] and "deepsim_fc6" not in listed["synthesize"]


@pytest.fixture
def judge_words(tmp_path):
    """A small network of the user's that knows a class of the target and two of the images'."""
    (tmp_path / "my_judge.py").write_text(
        "from torch import nn\n"
        "def net():\n  return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 5))\n"
    )
    torch.manual_seed(0)
    save_file({"2.weight": torch.randn(5, 12), "2.bias": torch.zeros(5)}, tmp_path / "judge.safetensors")
    (tmp_path / "judge.txt").write_text("tench\ngoldfish\nbread\ncup\nvolcano\n")
    return ["judge._target_=my_judge.net", f"judge.weights={tmp_path}/judge.safetensors",
            f"judge.classes={tmp_path}/judge.txt", "judge.input.size=8"]  # fmt: skip


@pytest.mark.slow
def test_synthesis_from_words_to_page(small_bundle, image_tree, judge_words, tmp_path):
    out = tmp_path / "out"
    words = [str(ROOT / "synthesize.py"), f"bundle={small_bundle}", "units=[goldfish,-3,10-11]", "seeds=2",
             "batch_size=3", "ascent.steps=5", f"data.root={image_tree}", "real_images=2", f"output={out}",
             *judge_words]  # fmt: skip
    shown, _ = command(*words, cwd=tmp_path)
    assert "% of 2, mean score" in shown
    assert f"page: {out}/index.html" in shown
    rows = table(out / "results.csv")
    assert [(r["unit"], r["seed"]) for r in rows] == [(u, s) for u in ("goldfish", "-3", "10", "11") for s in "01"]
    assert all((out / r["image"]).exists() and r["state"] == "done" and r["steps"] == "5" for r in rows)
    assert [r["unit"] for r in rows if r["judge_rank"] in set("12345")] == ["goldfish", "goldfish"]
    assert not any(r["judge_rank"] for r in rows[2:])  # what is minimised, and classes that the judge does not know
    expected = {"index.html", "grid.png", "images", "real", "real.csv", "results.csv", "codes.safetensors",
                "config.yaml", "manifest.json", ".lock"}  # fmt: skip
    assert {path.name for path in out.iterdir()} == expected
    assert len(list((out / "real").iterdir())) == 8
    about = json.loads((out / "manifest.json").read_text())
    assert about["weights"]["bundle"] and about["weights"]["judge"]
    assert about["versions"]["torch"]
    # the resolved config makes the same pictures again
    again = tmp_path / "again"
    command(str(ROOT / "synthesize.py"), f"--config-dir={out}", "--config-name=config", f"output={again}", cwd=tmp_path)
    for r in rows:
        assert (again / r["image"]).read_bytes() == (out / r["image"]).read_bytes()
    _, error = command(*words, cwd=tmp_path, code=1)
    assert "set resume=true" in error


@pytest.mark.slow
def test_a_run_with_panels_is_repeated_from_its_config(small_bundle, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/two.yaml").write_text(
        "# @package _global_\npanels: {one: ['units=[1,2]', ascent=adam, seeds=3], two: ['units=[3,4]']}\n"
    )
    script, a, b = str(ROOT / "synthesize.py"), tmp_path / "a", tmp_path / "b"
    words = [f"--config-dir={tmp_path}", "experiment=two", f"bundle={small_bundle}", "seeds=1", "prior.k=2",
             "ascent.steps=2", "batch_size=1", "shard=0/2"]  # fmt: skip
    command(script, *words, f"output={a}")
    assert settings.read(a / "one")["seeds"] == 1  # what is typed wins over the experiment's panel
    command(script, f"--config-dir={a}", "--config-name=config", f"output={b}", "prior.k=3")
    for name in ("", "one", "two"):
        first, again = (settings.counted(settings.read(folder / name)) for folder in (a, b))
        assert again == first | {"prior.k": 3} and (first["prior.k"], first["shard"]) == (2, "0/2")


@pytest.mark.slow
def test_a_stopped_synthesis_goes_on(small_bundle, tmp_path, monkeypatch):
    words = [str(ROOT / "synthesize.py"), f"bundle={small_bundle}", "units=[1,2]", "seeds=1", "batch_size=1",
             "ascent.steps=3"]  # fmt: skip
    command(*words, f"output={tmp_path}/whole")
    half = tmp_path / "half"
    keep = resume.save

    def save(*what):
        keep(*what)
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(resume, "save", save)
        command(*words, f"output={half}", code=9)
    assert not (half / "results.csv").exists()
    _, error = command(*words, "seeds=3", "resume=true", f"output={half}", code=1)
    assert "seeds was 1 and is now 3" in error
    command(*words, "resume=true", f"output={half}")
    for name in ("images/00000-1-0.png", "images/00001-2-0.png", "codes.safetensors"):
        assert (half / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("start", [(ROOT / "train.py",), ("-m", "dgn", "train")])
def test_further_ranks_are_started_by_the_line_that_was_typed(start, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(tasks, "run", lambda *_: lines.append(sys.argv[:]))
    words = ["encoder.layer=1.10", "data=photos", "debug=true", f"output={tmp_path}/out"]
    command(*start, *words)
    ((_, *typed),) = lines
    assert typed == [*(["train"] if start[0] == "-m" else []), *words]


@pytest.mark.slow
def test_training_to_a_bundle_that_synthesis_takes(image_tree, tmp_path):
    out = tmp_path / "train"
    words = ["data=imagefolder", f"data.root={image_tree}", "network@encoder=caffenet64", "encoder.layer=fc6"]
    shown, _ = command(str(ROOT / "train.py"), *words, "debug=true", f"output={out}", cwd=tmp_path)
    bundle = out / "caffenet64-fc6-imagefolder.bundle.safetensors"
    assert f"bundle: {bundle}" in shown
    metrics = {row["metric"] for row in table(out / "metrics.csv")}
    assert {"loss/pixel", "loss/feature", "loss/adversarial", "loss/d_real", "share/pixel", "share/adversarial",
            "balance/count", "val/inversion/pixels", "val/inversion/fc6", "images_per_second"} <= metrics  # fmt: skip
    assert len(list((out / "grids").iterdir())) == 2
    command(str(ROOT / "synthesize.py"), f"bundle={bundle}", "debug=true", f"output={tmp_path}/s", cwd=tmp_path)
    # what the bundle says of itself is what was measured last, and a complete run only writes it again
    errors = {row["metric"]: float(row["value"]) for row in table(out / "metrics.csv")}
    written = bundle.read_bytes()
    record = load(bundle).record
    assert (record["encoder"], record["layer"], record["encoder_size"]) == ("caffenet64", "fc6", 64)
    for name, value in record["errors"].items():
        assert value == pytest.approx(errors[f"val/{name}"], rel=0.02)
    bundle.unlink()
    words = [*words, "debug=true", "resume=true", f"output={out}"]
    command(str(ROOT / "train.py"), *words, cwd=tmp_path)
    assert bundle.read_bytes() == written


@pytest.mark.slow
def test_a_classifier_with_snapshots_that_a_target_takes(image_tree, tmp_path):
    out = tmp_path / "c"
    words = ["task=classifier", "network@classifier=caffenet64", f"data.root={image_tree}", "snapshot_every=2",
             "module.peak_lr=0.001"]  # fmt: skip
    shown, _ = command(str(ROOT / "train.py"), *words, "debug=true", f"output={out}", cwd=tmp_path)
    assert "top1" in shown
    assert [path.name for path in sorted((out / "snapshots").iterdir())] == [
        "00000002.safetensors",
        "00000004.safetensors",
    ]
    words = [
        f"target.weights={out}/caffenet64.safetensors",
        "target.args.classes=3",
        "generator=pixels",
        "units=[bread]",
    ]
    command(str(ROOT / "synthesize.py"), *words, "debug=true", f"output={tmp_path}/s", cwd=tmp_path)


@pytest.mark.slow
def test_a_bundle_is_measured_on_images(small_bundle, image_tree, judge_words, tmp_path):
    out = tmp_path / "errors"
    words = ["task=inversion", f"bundle={small_bundle}", f"data.root={image_tree}", "data.batch_size=3"]
    _, error = command(str(ROOT / "train.py"), *words, f"output={out}", cwd=tmp_path, code=1)
    assert "set data.resize=16 data.crop=16" in error
    words += ["data.resize=16", "data.crop=16", *judge_words]
    shown, _ = command(str(ROOT / "train.py"), *words, f"output={out}", cwd=tmp_path)
    errors = {row["error"]: float(row["value"]) for row in table(out / "errors.csv")}
    assert {"inversion/fc6", "unexplained/pixels"} <= set(errors)
    assert errors["inversion/pixels"] > 0
    assert {"judge_top1/real", "judge_top5/reconstructions"} <= set(errors)
    assert not any(name.startswith("encoder_") for name in errors)  # it knows none of these classes
    assert "inversion/fc6" in shown and "knows 2 of 3 classes" in shown
    assert (out / "reconstructions.png").exists()
    words.append("encoder.layer=fc7")
    _, error = command(str(ROOT / "train.py"), *words, f"output={tmp_path}/other", cwd=tmp_path, code=1)
    assert "this bundle inverts fc6 of caffenet64: set network@encoder=caffenet64 encoder.layer=fc6" in error


@pytest.mark.slow
def test_a_folder_of_real_images_that_is_not_there_is_said_before_any_climb(small_bundle, tmp_path):
    words = [f"bundle={small_bundle}", "units=[1]", "data.root=/none", f"output={tmp_path}/out"]
    _, error = command(str(ROOT / "synthesize.py"), *words, cwd=tmp_path, code=1)
    assert "/none does not exist" in error
    assert not (tmp_path / "out/config.yaml").exists()


def test_help_that_nobody_reads_to_the_end_is_no_error(tmp_path):
    call = [sys.executable, str(ROOT / "train.py"), "--help"]
    process = subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    with process.stderr as errors:
        assert errors.read() == "" and process.wait(60) == 0


def test_a_mistake_leaves_no_folder_and_takes_none(tmp_path):
    (tmp_path / "mine").mkdir()
    for words in ([], ["output=new/deep"], ["output=mine"]):
        command(str(ROOT / "synthesize.py"), "seeds=0", *words, cwd=tmp_path, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
