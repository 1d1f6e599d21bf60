"""Controls: codes of real images of a unit's class."""

import pytest
import torch
from PIL import Image

from dgn import units
from dgn.base.errors import UserError
from dgn.base.instantiate import instantiate
from dgn.generators import bundle
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels
from dgn.units.target import Target

LEVELS = {"dark": (0, 51, 102), "light": (153, 255)}


@pytest.fixture
def folder(tmp_path):
    """Two classes of plain grey images."""
    for name, levels in LEVELS.items():
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "val" / name).mkdir(parents=True)
        for level in levels:
            for part in ("train", "val"):
                Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / part / name / f"{level:03d}.png")
    return tmp_path


@pytest.fixture
def pixels():
    generator = Pixels(size=8, channels=3)
    return Bundle(generator, generator.moments(), torch.empty(0, 3, 8, 8), {})


class Middle(torch.nn.Module):
    """Class 0 likes a dark grey, class 1 what is light."""

    layers = ("output",)

    def forward(self, pictures):
        mean = pictures.mean((1, 2, 3))
        return torch.stack([-(mean - 0.25).abs(), mean], 1)


@pytest.fixture
def target():
    chosen = units.parse(["dark", "light"], (2,), ["dark", "light"])
    return Target(Middle(), chosen, lambda rows: units.Scorer(rows, units.Logit()), True, ["dark", "light"])


@pytest.mark.parametrize(("choose", "grey"), [
    ("any", [0.0, 0.2, 0.4, 0.6, 1.0, 0.6]), ("best", [0.2, 0.4, 0.0, 1.0, 0.6, 1.0]), ("mean", [0.2] * 3 + [0.8] * 3),
])  # fmt: skip
def test_seeds_are_images_of_the_class_in_order_or_from_the_best_on_or_their_mean(
    choose, grey, folder, pixels, target, synthesis
):
    start = instantiate(synthesis("generator=pixels", "start=class_codes", f"data.root={folder}",
                               f"start.choose={choose}").start)  # fmt: skip
    dark, light = target.units
    codes = start.for_units(target, [dark] * 3 + [light] * 3)(pixels, [0, 1, 2] * 2, 0.0)
    assert pixels.generator(codes).mean((1, 2, 3)).tolist() == pytest.approx(grey, abs=0.05)


@pytest.mark.parametrize(("choose", "alike"), [("any", False), ("best", False), ("mean", True)])
def test_only_the_mean_is_the_same_for_every_seed(choose, alike, folder, pixels, synthesis):
    """Known before the target is: a run with several seeds of one and the same picture is refused."""
    start = instantiate(synthesis("generator=pixels", "start=class_codes", f"data.root={folder}",
                               f"start.choose={choose}").start)  # fmt: skip
    first, second = start(pixels, [0, 1], 0.0)
    assert torch.equal(first, second) is alike


def test_what_is_missing_is_one_sentence(folder, pixels, target, synthesis):
    words = ("generator=pixels", "start=class_codes")
    with pytest.raises(UserError, match=r"set data\.root=DIR"):
        instantiate(synthesis(*words).start)(pixels, [0], 0.0)
    start = instantiate(synthesis(*words, f"data.root={folder}").start)
    with pytest.raises(UserError, match="one class each, which -dark is not"):
        start.for_units(target, units.parse(["-dark"], (2,), ["dark", "light"]))(pixels, [0], 0.0)
    target.classes = ["dark", "green"]
    with pytest.raises(UserError, match="no images of the class green"):
        start.for_units(target, [target.units[1]])(pixels, [0], 0.0)


def test_codes_are_made_by_the_encoder_that_the_generator_inverts(folder, small_bundle, target, synthesis):
    start = instantiate(synthesis("start=class_codes", f"data.root={folder}", "start.encoder.layer=fc7").start)
    with pytest.raises(UserError, match=r"set network@start\.encoder=caffenet64"):
        start.for_units(target, target.units[:1])(bundle.load(small_bundle), [0], 0.0)
    start = instantiate(synthesis("start=class_codes", f"data.root={folder}", "start.choose=mean").start)
    loaded = bundle.load(small_bundle)
    loaded.record.clear()
    code = start.for_units(target, target.units[:1])(loaded, [0], 0.0)
    assert code.shape == (1, 1024) and (code >= 0).all() and code.any()
