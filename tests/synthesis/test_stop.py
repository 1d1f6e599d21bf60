"""A synthesis that a signal ends leaves with the signal's code, keeps its finished batches, and goes on."""

import signal

import pytest

from dgn.synthesis.climb import Bar
from tests.commands import ROOT, run


def synthesize(small_bundle, out, *words, code=0):
    """Twelve pictures, two at a time; all that the command printed."""
    words = [f"bundle={small_bundle}", "units=[0-11]", "seeds=1", "batch_size=2", "ascent.steps=20", *words]
    return "".join(run(ROOT / "synthesize.py", *words, f"output={out}", code=code))


@pytest.fixture
def stopped_at(monkeypatch):
    """A synthesis to which a signal is sent in the middle of one of its batches."""
    ended = Bar.on_train_batch_end

    def go(batch, number, *words, **more):
        begun = [0]

        def on_train_batch_end(self, trainer, module, outputs, data, step):
            ended(self, trainer, module, outputs, data, step)
            begun[0] += step == 0
            if (begun[0], step) == (batch, 7):
                signal.raise_signal(number)

        with monkeypatch.context() as patch:
            patch.setattr(Bar, "on_train_batch_end", on_train_batch_end)
            return synthesize(*words, **more)

    return go


@pytest.mark.slow
def test_a_synthesis_that_is_stopped_goes_on_to_the_same_pictures(small_bundle, stopped_at, tmp_path):
    whole, half = tmp_path / "whole", tmp_path / "half"
    synthesize(small_bundle, whole)
    for number, code, batch, done in ((signal.SIGTERM, 143, 3, 2), (signal.SIGINT, 130, 2, 3)):
        shown = stopped_at(batch, number, small_bundle, half, "resume=true", code=code)
        assert "Traceback" not in shown
        assert f"run the same command again with output={half} resume=true" in shown
        assert len(list(half.glob("parts/[0-9]*.safetensors"))) == done  # of six
    synthesize(small_bundle, half, "resume=true")
    for path in (whole / "images").iterdir():
        assert (half / "images" / path.name).read_bytes() == path.read_bytes()
    assert (half / "codes.safetensors").read_bytes() == (whole / "codes.safetensors").read_bytes()
