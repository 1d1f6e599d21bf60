"""The bundles of a training: one at every evaluation, and the final one."""

from types import SimpleNamespace

import pytest

import dgn
from dgn.generators import bundle
from dgn.training import export
from dgn.training.callbacks import Keeper
from dgn.training.export import LATEST, measure

SMALL = {"debug": True, "iterations": 4, "eval_every": 2, "data": {"resize": 16, "crop": 16, "workers": 0},
         "encoder.input": {"size": 64}, "discriminator.dropout": 0.3, "quiet": True}  # fmt: skip


@pytest.fixture
def run(image_tree, tmp_path):
    """Train in a folder of this name; the bundle's path."""

    def train(name, **more):
        words = SMALL | {"data": SMALL["data"] | {"root": image_tree}} | more
        return dgn.train(encoder="caffenet64", output=tmp_path / name, **words)

    return train


@pytest.mark.slow
def test_each_evaluation_leaves_a_bundle_and_the_training_as_it_is(run, monkeypatch):
    started, found, counted = Keeper.on_train_batch_start, {}, []

    def on_train_batch_start(self, trainer, module, batch, i):
        started(self, trainer, module, batch, i)
        if (self.output / LATEST).exists():
            found[module.iteration] = bundle.load(self.output / LATEST)

    monkeypatch.setattr(Keeper, "on_train_batch_start", on_train_batch_start)
    monkeypatch.setattr(export, "measure", lambda *words: counted.append(1) or measure(*words))
    path = run("often", iterations=6)
    assert list(found) == [2, 3, 4, 5]
    seen = [held.record["images_seen"] for held in found.values()]
    assert seen[0] == seen[1] < seen[2]
    assert found[2].record["errors"].keys() >= {"unexplained/fc6", "unexplained/observer"}
    assert len(counted) == 1
    assert not (path.parent / LATEST).exists()
    assert path.read_bytes() == run("once", iterations=6, eval_every=6).read_bytes()
    final = bundle.load(path)
    assert final.moments.mean.equal(found[2].moments.mean) and final.codes.equal(found[2].codes)


@pytest.mark.slow
def test_a_stopped_run_leaves_a_bundle_to_look_at(run, tmp_path, monkeypatch):
    started = Keeper.on_train_batch_start

    def on_train_batch_start(self, trainer, module, batch, i):
        started(self, trainer, module, batch, i)
        if module.iteration == 2:
            self.stopped = 2

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "on_train_batch_start", on_train_batch_start)
        with pytest.raises(KeyboardInterrupt, match=f"the bundle of the last evaluation in {LATEST}"):
            run("out")
    found = dgn.synthesize("caffenet64", "lemon", bundle=tmp_path / "out" / LATEST, seeds=1, ascent={"steps": 1})
    assert found.images.shape == (1, 3, 16, 16)
    run("out", resume=True)
    assert not (tmp_path / "out" / LATEST).exists()


@pytest.mark.slow
def test_a_complete_run_keeps_its_bundle_until_something_changes(run):
    path = run("out")
    before = path.stat()
    assert run("out", resume=True) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.write_bytes(path.read_bytes()[:100])
    run("out", resume=True)
    assert bundle.load(path).record["images_seen"] == 8
    run("out", resume=True, kept_codes=3)
    assert len(bundle.load(path).codes) == 3
    run("out", resume=True, kept_codes=3, iterations=6)
    assert bundle.load(path).record["images_seen"] == 12


def test_measuring_ends_when_the_run_is_to_stop():
    module = SimpleNamespace(trainer=SimpleNamespace(global_rank=0, world_size=1), kept=None)
    images = SimpleNamespace(plain=lambda most: iter([(None,)] * most))
    assert measure(module, images, SimpleNamespace(images=3, per_element=False), lambda: True) is None
