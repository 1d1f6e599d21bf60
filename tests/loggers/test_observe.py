"""Which logs a run has, and who is heard."""

import sys

import pytest
from hydra.utils import instantiate
from pytorch_lightning.utilities import rank_zero_only

from dgn import settings
from dgn.base.errors import UserError
from dgn.loggers import CsvLog, TensorBoardLog, WandbLog, keeps_figures
from tests.loggers.job import LABELS, job


def test_only_the_first_process_is_heard(tmp_path, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    for logger in ("csv", "tensorboard", "wandb"):
        job(tmp_path, 1, logger=logger)
    assert [path.name for path in tmp_path.iterdir()] == ["small.bundle.safetensors"]


def test_figures_of_a_finished_run_are_for_loggers_that_keep_them():
    kept = [
        name for name in ("CsvLog", "TensorBoardLog", "WandbLog") if keeps_figures({"_target_": f"dgn.loggers.{name}"})
    ]
    assert kept == ["WandbLog"]


def test_a_missing_package_or_an_unknown_mode_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"logger\.mode=onlin is not a valid choice: did you mean 'online'"):
        WandbLog(tmp_path, mode="onlin", **LABELS)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="pip install wandb"):
        WandbLog(tmp_path, mode="offline", **LABELS)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        job(tmp_path, 1, logger="tensorboard")


def test_the_configs_build(config, tmp_path):
    built = {name: instantiate(settings.plain(config("train", "data=photos", f"logger={name}").logger), folder=tmp_path)
             for name in ("csv", "tensorboard", "wandb")}  # fmt: skip
    assert [type(log) for log in built.values()] == [CsvLog, TensorBoardLog, WandbLog]
    assert built["wandb"].labels["job_type"] == "generator"
    assert built["wandb"].labels["group"] is None
