"""What must not be swept: processes that would each run the sweep again."""

import pytest

from dgn.errors import UserError
from dgn.sweep import refuse_ranks

REFUSED = [
    ["trainer=ddp"], ["trainer=ddp", "trainer.devices=2"], ["trainer=gpu", "trainer.devices=4"],
    ["trainer=gpu", "trainer.devices=[0,1]"],
    ["+trainer.strategy=ddp_find_unused_parameters_true", "trainer.devices=2"],
    ["trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2"],
]  # fmt: skip
FINE = [
    [], ["trainer=gpu"], ["trainer=gpu", "trainer.devices=[3]"], ["trainer=ddp", "trainer.devices=1"],
    ["trainer=gpu", "trainer.devices=auto"], ["trainer=ddp", "trainer.strategy=ddp_spawn"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def _started_here(monkeypatch):
    for name in ("LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_processes_that_lightning_starts_are_refused(config, words, monkeypatch):
    with pytest.raises(UserError, match=r"type trainer\.devices=1"):
        refuse_ranks(config("train", *words))
    monkeypatch.setenv("SLURM_PROCID", "1")
    refuse_ranks(config("train", *words))


@pytest.mark.parametrize("words", FINE, ids=lambda words: " ".join(words) or "defaults")
def test_one_process_is_fine(config, words):
    refuse_ranks(config("train", *words))
