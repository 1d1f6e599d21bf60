"""What must not be swept: processes that would each run the sweep again."""

from contextlib import nullcontext

import pytest

from dgn.base.errors import UserError
from dgn.sweeps.callback import refuse_ranks, refuse_tasks

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
    with pytest.raises(UserError, match=r"set trainer\.devices=1"):
        refuse_ranks(config("train", *words))
    monkeypatch.setenv("SLURM_PROCID", "1")
    refuse_ranks(config("train", *words))


@pytest.mark.parametrize("words", FINE, ids=lambda words: " ".join(words) or "defaults")
def test_one_process_is_fine(config, words):
    refuse_ranks(config("train", *words))


@pytest.mark.parametrize(
    ("command", "words", "tasks", "said"),
    [
        ("train", ["trainer=ddp", "trainer.devices=2"], "2", None),
        ("train", ["task=classifier", "trainer=ddp", "trainer.devices=auto"], "4", None),
        ("train", [], "1", None),
        ("synthesize", [], "1", None),
        ("train", ["trainer=ddp", "trainer.devices=2"], "4", "tasks_per_node=2$"),
        ("train", ["trainer=ddp", "trainer.devices=2"], "1", "tasks_per_node=2$"),
        ("train", ["task=inversion"], "2", "tasks_per_node=1, and sweep over shard"),
        ("synthesize", ["trainer=ddp", "trainer.devices=2"], "2", "tasks_per_node=1, and sweep over shard"),
    ],
)
def test_slurm_starts_a_process_a_device_and_one_for_what_is_not_shared(
    config, monkeypatch, command, words, tasks, said
):
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", tasks)
    with pytest.raises(UserError, match=said) if said else nullcontext():
        refuse_tasks(config(command, *words))
