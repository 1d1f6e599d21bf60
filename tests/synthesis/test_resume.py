"""A run's batches on disk, and whose they are."""

import resource

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dgn.base.errors import UserError
from dgn.generators import bundle
from dgn.report import results
from dgn.synthesis import resume
from dgn.synthesis.run import synthesize


def test_shards_share_out_whole_batches():
    assert resume.batches(10, 4, None) == [0, 4, 8]
    assert resume.batches(10, 4, "0/2") == [0, 8]
    assert resume.batches(10, 4, "1/2") == [4]
    every = [first for i in range(3) for first in resume.batches(100, 8, f"{i}/3")]
    assert sorted(every) == resume.batches(100, 8, None)


@pytest.mark.parametrize("shard", ["2/2", "0/0", "one", "1", "-1/2"])
def test_what_is_no_shard_is_a_sentence(shard):
    with pytest.raises(UserError, match="set shard=0/4"):
        resume.batches(10, 4, shard)


def test_a_shard_without_rows_is_a_sentence():
    with pytest.raises(UserError, match=r"10 rows make 3 batches.*set 3 shards or fewer"):
        resume.batches(10, 4, "3/4")


def test_parts_are_joined_in_order(tmp_path):
    codes, curves = torch.rand(5, 2, 3, 3), torch.rand(5, 4)
    rows = [
        results.Row(i, "1", "a", i, 1.5, None, None, 2.0, 0.25, "done", 4, 0.1, f"images/{i}.png") for i in range(5)
    ]
    for first, last in ((3, 5), (0, 3)):
        plain = [vars(row) for row in rows[first:last]]
        resume.save(tmp_path, first, codes[first:last], curves[first:last], plain)
    assert resume.done(tmp_path, 3) and not resume.done(tmp_path, 1)
    assert resume.join(tmp_path) == rows
    found = load_file(tmp_path / "codes.safetensors")
    assert torch.equal(found["codes"], codes) and torch.equal(found["curves"], curves)
    resume.remove(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes.safetensors"]


@pytest.fixture
def stopped(synthesis, small_bundle, tmp_path, monkeypatch):
    """A run of the units of a file, a row a batch, that ended after its first batch; and what goes on with it."""
    file, output = tmp_path / "u.txt", tmp_path / "out"
    file.write_text("3\n4\n")
    words = (f"bundle={small_bundle}", f"units_file={file}", "seeds=1", "batch_size=1", "ascent.steps=1")
    keep = resume.save

    def save(*given):
        keep(*given)
        raise SystemExit(9)

    def go_on():
        synthesize(synthesis(*words), output)

    with monkeypatch.context() as patch:
        patch.setattr(resume, "save", save)
        with pytest.raises(SystemExit):
            go_on()
    return file, output, go_on


def test_a_run_whose_units_changed_does_not_go_on(stopped):
    file, output, go_on = stopped
    file.write_text("5\n3\n4\n")
    with pytest.raises(UserError, match=r"it has other units; set another output=DIR"):
        go_on()
    file.write_text("3\n4\n")
    go_on()
    assert [row.unit for row in results.read(output / "results.csv")] == ["3", "4"]
    assert not (output / "parts").exists()
    go_on()
    file.write_text("3\n5\n")
    with pytest.raises(UserError, match="other units"):  # of a run that is complete, too
        go_on()


def test_a_run_with_fewer_units_than_it_has_batches_does_not_go_on(stopped):
    file, output, go_on = stopped
    (output / "parts/000000.safetensors").rename(output / "parts/000001.safetensors")
    file.write_text("3\n")
    with pytest.raises(UserError, match="other units"):
        go_on()


def test_a_run_whose_weights_changed_does_not_go_on(stopped, small_bundle):
    held = bundle.load(small_bundle)
    bundle.save(small_bundle, held.generator, held.moments, held.codes + 1, held.record)
    with pytest.raises(UserError, match=r"its bundle has changed; set another output=DIR"):
        stopped[2]()


def test_a_run_whose_files_changed_does_not_go_on(synthesis, small_bundle, tmp_path):
    direction, start, classes = tmp_path / "d.npy", tmp_path / "x.png", tmp_path / "names.txt"
    network = {"target.layer": "fc8", "target.classes": classes, "start": "image", "start.path": start}
    words = [*(f"{key}={value}" for key, value in network.items()), f"bundle={small_bundle}", f"units=[{direction}]",
             "seeds=1", "ascent.steps=1"]  # fmt: skip

    def write(direction_of=1.0, start_of=0, name="a"):
        np.save(direction, np.full(200, direction_of, np.float32))
        Image.fromarray(np.full((64, 64, 3), start_of, np.uint8)).save(start)
        classes.write_text("".join(f"{name}{i}\n" for i in range(200)))

    def go():
        synthesize(synthesis(*words), tmp_path / "out")

    write()
    go()
    go()  # it is complete, and has what is asked for
    changes = {"directions": {"direction_of": 2.0}, "start": {"start_of": 9}, "classes": {"name": "b"}}
    for what, change in changes.items():
        write(**change)
        with pytest.raises(UserError, match=f"its {what} has changed; set another output=DIR"):
            go()


def test_a_run_whose_decoder_target_or_layer_changed_does_not_go_on(synthesis, users_folder, monkeypatch):
    monkeypatch.chdir(users_folder)
    units = users_folder / "u.txt"
    words = ("target._target_=my_pkg.MyNet", "target.input.size=64", "generator._target_=my_pkg.G",
             "generator.codes=codes.safetensors", f"units_file={units}", "seeds=1", "ascent.steps=1")  # fmt: skip

    def go(*more):
        synthesize(synthesis(*words, *more), users_folder / "out")

    units.write_text("fc:1\n")
    go()
    go()  # neither the target nor the generator has weights: they are the same again
    units.write_text("layer4:1\n")
    with pytest.raises(UserError, match="its layer has changed"):
        go()
    units.write_text("fc:1\n")
    codes = load_file(users_folder / "codes.safetensors")["codes"]
    save_file({"codes": 100 * codes}, users_folder / "codes.safetensors")
    with pytest.raises(UserError, match="its codes has changed"):
        go()
    save_file({"codes": codes}, users_folder / "codes.safetensors")
    monkeypatch.setattr(torch.nn.Linear, "reset_parameters", lambda self: torch.nn.init.ones_(self.weight))
    with pytest.raises(UserError, match=r"its (generator|target) has changed"):
        go()


def test_a_mistake_in_the_start_leaves_nothing_behind(synthesis, tmp_path, small_bundle):
    words = ("start=image", f"start.path={tmp_path / 'x.png'}", "units=[3]")
    with pytest.raises(UserError, match=r"x\.png"):
        synthesize(synthesis(*words), tmp_path / "out")
    with pytest.raises(UserError, match="this bundle inverts fc6"):
        synthesize(synthesis(*words, f"bundle={small_bundle}", "start.encoder.layer=fc7"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("trainer.devices=2",), r"one device: set trainer\.devices=1, and start one run per device with shard=0/2"),
        (("trainer.precision=half",), "Lightning refuses these trainer settings .*half.*: set trainer=cpu"),
        (("trainer.accelerator=abacus",), "Lightning refuses these trainer settings .*abacus"),
    ],
)
def test_a_trainer_that_makes_no_pictures_is_a_sentence(synthesis, tmp_path, words, sentence):
    with pytest.raises(UserError, match=sentence):
        synthesize(synthesis("units=[3]", *words), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_an_error_of_the_system(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            resume.save(tmp_path, 0, torch.rand(100, 100), torch.rand(100, 1), [])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "parts").iterdir())
