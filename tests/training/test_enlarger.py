"""The enlarger's experiment, from images to a file that enlarges a run's pictures."""

import pytest

from dgn.generators import bundle, lookup
from dgn.generators.enlarged import enlarged
from dgn.training import tasks


@pytest.mark.slow
def test_the_experiment_writes_an_enlarger(training, images_in, tmp_path):
    for name in ("apple", "bread"):
        images_in(tmp_path / "images/train" / name, 6, side=130)
        images_in(tmp_path / "images/val" / name, 2, side=130, first=10)
    config = training(f"data.root={tmp_path / 'images'}", "debug=true", "experiment=enlarger", "generator.width=8")
    (tmp_path / "out").mkdir()
    path = tasks.run(config, tmp_path / "out")
    prior = bundle.load(path)
    assert prior.generator.code_shape == (3, 64, 64) and prior.codes.shape[1:] == (3, 64, 64)
    shipped = bundle.load(lookup.find("caffenet64-fc6"))
    larger = enlarged(shipped, str(path)).generator
    assert larger(shipped.codes[:2]).shape == (2, 3, 128, 128)
