"""The benchmark measures what it says: the climb is the literal procedure, and the tables are its arithmetic."""

import subprocess
import sys
from copy import deepcopy
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from dgn.base import lightning
from dgn.base.errors import UserError
from dgn.benchmark import cases, climbing, prior, race, sections, training
from dgn.benchmark.job import Job, apart, here
from dgn.cli import main
from dgn.cli.benchmark import chosen
from dgn.synthesis.climb import climb
from dgn.training.callbacks import Keeper

ROOT = Path(__file__).parent.parent.parent


class First(pl.Callback):
    """Ends a climb with its first step, after which rounding has its way: there are kinks."""

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.code = module.code.detach().clone()
        trainer.should_stop = True


@pytest.mark.parametrize(("name", "far"), [("small", 1e-4), pytest.param("paper", 0.02, marks=pytest.mark.slow)])
def test_what_is_compared_is_the_same_climb(name, far):
    case, first = cases.build(name), First()
    trainer = case.config.trainer | {"precision": "32-true"}
    config = case.config.model_copy(update={"batch_size": 1, "trainer": trainer})
    climb(config, case.prior, case.target, [(case.target.units[0], 0)], first)
    literal = next(climbing.literally(cases.build(name), False))
    assert literal.abs().max() > 0
    assert (first.code - literal).norm() / literal.norm() < far


@pytest.mark.slow
def test_the_loop_by_hand_does_what_lightnings_does(tmp_path):
    config = cases.training("data=photos", "iterations=3", "eval_every=9", "data.batch_size=4", "loss.warm_up=1")
    module = training.build(config)
    copied = deepcopy(module)
    keeper = Keeper(tmp_path, iterations=3, log_every=50, eval_every=9, save_minutes=5)
    trainer = lightning.trainer(config.trainer | {"precision": "32-true"}, [keeper], [], max_epochs=-1)
    trainer.fit(module, datamodule=training.batches(config))
    for _ in islice(training.hand(copied, training.batches(config).train_dataloader(), "fp32"), 3):
        pass
    for (name, ours), theirs in zip(module.named_parameters(), copied.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4, msg=name)


def test_flops_are_those_of_g_and_of_the_target_both_ways():
    case = cases.build("small")
    linears = [m for m in case.prior.generator.modules() if isinstance(m, torch.nn.Linear)]
    found = climbing.count(case)
    assert 2 * 2 * sum(m.weight.numel() for m in linears) < found < 1e9
    case.prior.generator.requires_grad_(True)  # nothing was done for the weights before
    assert climbing.count(case) > found


def test_the_table_of_rates_is_arithmetic():
    section = sections.Synthesis(quick=True)
    most = {"fp32": {"product": 50e9, "convolution": 100e9}, "bf16": {"product": 400e9, "convolution": 300e9}}
    literal, weights = {"rate": 10.0, "flops": 2e9, "peak": 50.0}, {"rate": 5.0, "flops": 0, "peak": 60.0}
    ours = [{"rate": 40.0, "peak": 70.0}, {"rate": 120.0, "peak": 80.0}]
    lines = section.markdown([most, literal, weights, *ours]).splitlines()
    assert lines[0] == ("The processor reaches 50 GFLOP/s in fp32 with matrix products, 100 with convolutions; "
                        "400 GFLOP/s in bf16 with matrix products, 300 with convolutions.")  # fmt: skip
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| dgn")]
    assert rows[0] == ["dgn", "2", "fp32", "40.0", "4.00", "8.00", "80", "80", "70"]
    assert rows[1] == ["dgn", "2", "bf16", "120.0", "12.00", "24.00", "240", "60", "80"]


def test_a_job_apart_has_its_own_peak():
    held = torch.ones(200 * 2**18)  # 200 MiB
    job = Job("nothing", "builtins:dict", {"found": 1})
    alone, same = apart(job), here(job)
    assert alone["found"] == same["found"] == 1
    assert same["peak"] > held.nbytes / 2**20
    assert 0 < alone["peak"] < same["peak"] - 100


@pytest.mark.slow
def test_everything_tiny(capsys):
    main(["benchmark", "--quick"])
    text = capsys.readouterr().out
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["## The machine", "## Synthesis", "## Training", "## Rows", "## Start-up"]
    tables = [line for line in text.splitlines() if line.startswith("|")]
    numbers = [cell.strip().replace(",", "") for line in tables for cell in line.strip("|").split("|")]
    measured = [float(cell) for cell in numbers if cell.replace(".", "", 1).isdecimal()]
    assert len(measured) > 40 and "nan" not in text
    assert "| `dgn synthesize --help` |" in text and text.count("| no |") == 2


def test_an_unknown_section_is_one_sentence():
    with pytest.raises(SystemExit) as end:
        main(["benchmark", "trainig"])
    assert (
        str(end.value)
        == "error: there is no section 'trainig': choose from synthesis, training, rows, startup, race, prior"
    )


def test_help_needs_no_torch():
    probe = (
        "import sys; from dgn.cli import main\n"
        "try: main(['benchmark', '--help'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout


def test_only_race_and_prior_take_settings_and_only_if_they_are_asked_for():
    assert not {"Race", "Prior"} & {section.title for section in chosen([], False)}
    (_, race) = chosen(["race", "batch_size=4"], False)
    assert race.jobs()[0].args["words"][-2:] == ["seeds=1", "batch_size=4"]
    with pytest.raises(UserError, match="write dgn benchmark race seeds=2"):
        chosen(["rows", "seeds=2"], False)


def test_the_benchmark_of_priors_needs_images_and_tells_the_judge_from_the_training():
    with pytest.raises(UserError, match=r"write dgn benchmark prior data\.root=DIR"):
        sections.Prior(quick=False).jobs()
    jobs = sections.Prior(False, ["data.root=D", "judge.weights=F", "network@judge=squeezenet1_1"]).jobs()
    first, today, third = jobs
    assert first.args["words"][-2:] == ["iterations=17000", "data.root=D"] and today.args["words"] == ["data.root=D"]
    assert first.args["climb"][1:] == ["judge.weights=F", "network@judge=squeezenet1_1"]
    assert third.args["words"] == ["iterations=4700", "data.root=D"]
    assert len({job.args["folder"] for job in jobs}) == len(jobs)


def test_the_curve_of_a_prior_counts_the_seconds_of_iterations(tmp_path):
    lines = ["iteration,images,metric,value"]
    for images, rate in ((100, 50), (200, 100), (300, 25)):
        lines.append(f"{images // 10},{images},images_per_second,{rate}")
        if images != 200:
            lines += [f"{images // 10},{images},val/unexplained/{name},{1 / images}" for name in ("fc6", "observer")]
    (tmp_path / "metrics.csv").write_text("\n".join(lines))
    first, last = prior.curve(tmp_path / "metrics.csv")
    assert first == {"images": 100, "seconds": 2, "code": 0.01, "observer": 0.01}
    assert last["images"] == 300 and last["seconds"] == 2 + 1 + 4


def test_the_table_of_priors_says_when_the_first_ones_error_was_reached():
    errors = ((60, 0.8), (120, 0.5), (180, 0.3)), ((20, 0.7), (40, 0.6)), ((30, 0.6), (60, 0.5), (90, 0.4))
    measured = [
        {"curve": [{"images": 9, "seconds": at, "code": code, "observer": 1} for at, code in one],
         "ranks": [1, 2], "judged": [3, 9]} for one in errors
    ]  # fmt: skip
    assert sections.Prior(True).markdown(measured[::-1]).splitlines()[-1].split(" | ")[2:7] == [
        *("3", "2.00", "0.300", "1.000", "3")
    ]
    assert sections.Prior(True).markdown(measured).splitlines()[-1].split(" | ")[6] == "–"


@pytest.mark.slow
def test_the_benchmark_of_priors_runs(capsys):
    main(["benchmark", "prior", "--quick"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if "| 8 |" in line]
    assert [line[0].removeprefix("| ") for line in lines] == list(sections.RECIPES)


def test_a_race_without_the_libraries_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sections, "find_spec", lambda name: None if name == "einops" else name)
    with pytest.raises(UserError, match=r"the race needs einops: run pip install 'dgn\[race\]'"):
        sections.Race(quick=True).jobs()


def test_the_table_of_the_race_counts_pictures():
    row = {"name": "dgn", "steps": 7, "seconds": 1.5, "peak": 1000.0, "ranks": [1, 2, 1], "judged": [6, None, 5]}
    text = sections.Race(quick=True).markdown(
        [{"rows": [row, row | {"judged": [None]}], "versions": {"horama": "0.3.0"}}]
    )
    lines = text.splitlines()
    assert lines[0] == "horama 0.3.0"
    shares = "2 of 3 [0.21, 0.94] | 0 of 2 [0.00, 0.66] | 1 of 2 [0.09, 0.91]"  # Wilson's intervals
    assert lines[4] == f"| dgn | 7 | 1.50 | 1,000 | {shares} |" and lines[5].endswith("| – | – |")


@pytest.mark.slow
def test_the_race_runs_every_method():
    for package in ("lucent", "horama", "einops"):
        pytest.importorskip(package) if package == "einops" else find_spec(package) or pytest.skip(f"no {package}")
    found = race.race(["units=[1,3]", "seeds=1", "batch_size=2"], quick=True)
    assert [row["name"] for row in found["rows"]] == [*race.OURS, *race.LIBRARIES]
    assert all(row["steps"] == 1 and len(row["ranks"]) == 2 and row["seconds"] > 0 for row in found["rows"])


def test_a_number_of_steps_is_what_fits_the_seconds():
    assert race._fitting(trial=0.3, seconds=6.0) == 60 and race._fitting(trial=9.0, seconds=1.0) == 1
