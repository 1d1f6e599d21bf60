"""Runs whose pictures are enlarged: what is saved, told, resumed and measured."""

import json

import pytest
import torch

from dgn.base.errors import UserError
from dgn.generators import bundle
from dgn.generators.enlarged import enlarged
from dgn.generators.pixels import Pixels
from dgn.measures.finished import Finished
from dgn.synthesis import shown
from dgn.synthesis.run import synthesize
from dgn.synthesis.search import Search
from tests.generators.test_enlarger import make, written


@pytest.fixture
def enlarger(tmp_path):
    return written(tmp_path / "twice.safetensors", make())


def test_the_saved_picture_is_the_enlarged_one_of_the_saved_code(synthesis, small_bundle, enlarger, tmp_path):
    config = synthesis(f"bundle={small_bundle}", f"enlarger={enlarger}", "units=[3,5]", "seeds=1", "ascent.steps=2")
    synthesize(config, tmp_path / "out", bar=False)
    run = Finished.read(tmp_path / "out")
    assert run.shape == (3, 32, 32)
    (saved,) = run.batches()
    with torch.no_grad():
        again = enlarged(bundle.load(small_bundle), str(enlarger)).generator(run.codes)
    assert (saved - again.clamp(0, 1)).abs().max() < 0.02  # 8 bits, and bf16 where the climb has it
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["method"]["searched"].endswith("enlarged to twice their size (twice.safetensors)")
    assert manifest["files"]["enlarger"] == str(enlarger) and "enlarger" in manifest["weights"]


def test_a_run_does_not_resume_with_another_enlarger(synthesis, small_bundle, enlarger, tmp_path):
    words = (f"bundle={small_bundle}", f"enlarger={enlarger}", "units=[3]", "seeds=1", "ascent.steps=2", "resume=true")
    synthesize(synthesis(*words), tmp_path / "out", bar=False)
    written(enlarger, make(blocks=1))
    with pytest.raises(UserError, match="its enlarger has changed"):
        synthesize(synthesis(*words), tmp_path / "out", bar=False)


def test_a_search_shows_enlarged_pictures(small_bundle, enlarger, tmp_path):
    search = Search(str(small_bundle), output=tmp_path / "s", enlarger=str(enlarger))
    assert search.ask().shape[-2:] == (32, 32)


def test_what_is_below_an_enlarger_is_found():
    inner = Pixels(size=8, channels=3)
    both = shown.Shown(shown.Enlarged(inner, make()), [])
    assert shown.bare(both) is inner
