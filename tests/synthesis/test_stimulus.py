"""What may be shown to an eye: each formula against a literal transcription in float64, and a run that applies it."""

import math

import numpy as np
import pytest
import torch

from dgn.base.errors import UserError
from dgn.synthesis import stimulus
from dgn.synthesis.pictures import Pictures
from dgn.synthesis.run import synthesize
from dgn.synthesis.stimulus import Aperture, Contrast, Grey, Luminance, Norm, Range


def linear(value):
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def encoded(light):
    light = max(light, 0.0)
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def weighted(pixel):
    return float(np.dot(pixel, (0.2126, 0.7152, 0.0722))) if len(pixel) == 3 else float(np.mean(pixel))


def grey(x):
    return np.stack([np.apply_along_axis(weighted, 0, x)] * len(x))


def mean_luminance(x, mean=0.3):
    return x + (mean - np.apply_along_axis(weighted, 0, x).mean())


def contrast(x, rms=0.15):
    around = x.mean((1, 2))
    now = math.sqrt(np.square(np.apply_along_axis(weighted, 0, x) - weighted(around)).mean())
    return np.stack([m + (channel - m) * rms / now for m, channel in zip(around, x, strict=True)])


def norm(x, length=3.0, value=0.4):
    return value + (x - value) * length / math.sqrt(np.square(x - value).sum())


def within(x, low=0.2, high=0.7):
    return np.minimum(np.maximum(x, low), high)


def disc(x, diameter=0.5, edge=0.2, left=0.4, top=0.6, value=0.5):
    out = x.copy()
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            r = math.hypot((j + 0.5) / x.shape[2] - left, (i + 0.5) / x.shape[1] - top)
            t = (r - diameter / 2) / edge
            weight = 1.0 if t <= 0 else 0.0 if t >= 1 else (1 + math.cos(math.pi * t)) / 2
            out[:, i, j] = value + weight * (x[:, i, j] - value)
    return out


CASES = {
    "grey": (lambda light: Grey(light=light), grey),
    "luminance": (lambda light: Luminance(mean=0.3, light=light), mean_luminance),
    "contrast": (lambda light: Contrast(rms=0.15, light=light), contrast),
    "norm": (lambda light: Norm(norm=3.0, grey=0.4, light=light), norm),
    "range": (lambda light: Range(low=0.2, high=0.7, light=light), within),
    "aperture": (lambda light: Aperture(diameter=0.5, edge=0.2, x=0.4, y=0.6, grey=0.5, light=light), disc),
}


@pytest.mark.parametrize("light", ["as_is", "linear"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_stimulus_is_its_formula(name, channels, light):
    make, literal = CASES[name]
    pictures = torch.rand(3, channels, 9, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = make(light)(pictures)
    for row, picture in zip(found.numpy(), pictures.numpy(), strict=True):
        if light == "linear":
            expected = np.vectorize(encoded)(literal(np.vectorize(linear)(picture)))
        else:
            expected = literal(picture)
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("light", ["as_is", "linear"])
@pytest.mark.parametrize("name", CASES)
def test_a_stimulus_has_a_gradient_and_a_flat_picture_breaks_none(name, light):
    made, state = CASES[name][0](light), torch.Generator().manual_seed(1)
    inside = 0.3 + 0.3 * torch.rand(2, 3, 5, 5, dtype=torch.float64, generator=state)  # between the ends of the range
    assert torch.autograd.gradcheck(made, (inside.requires_grad_(),))
    for value in (0.0, 0.5, 1.0):
        flat = torch.full((1, 3, 5, 5), value, requires_grad=True)
        shown = made(flat)
        (gradient,) = torch.autograd.grad(shown.sum(), flat)
        assert shown.isfinite().all() and gradient.isfinite().all()


def test_a_hard_disc_has_no_edge_and_the_middle_of_a_soft_one_is_half():
    hard = Aperture(diameter=0.5, edge=0.0, x=0.5, y=0.5, grey=0.0, light="as_is")
    assert hard(torch.ones(1, 1, 4, 4))[0, 0].tolist() == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    soft = Aperture(diameter=0.5, edge=0.25, x=0.5, y=0.5, grey=0.0, light="as_is")
    row = soft.weight(torch.zeros(1, 1, 1, 8, dtype=torch.float64))[0]
    torch.testing.assert_close(row[0], torch.tensor(0.1464466, dtype=torch.float64), rtol=0, atol=1e-6)


def test_srgb_goes_there_and_back():
    values = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(stimulus.to_srgb(stimulus.to_linear(values)), values, rtol=0, atol=1e-8)
    assert abs(float(stimulus.to_linear(torch.tensor(0.5, dtype=torch.float64))) - 0.21404114) < 1e-7


def test_what_is_saved_is_what_the_target_saw(synthesis, small_bundle, tmp_path):
    words = (f"bundle={small_bundle}", "units=[3,5]", "seeds=1", "ascent.steps=2", "stimulus=[contrast,aperture]",
             "stimulus.contrast.rms=0.1", "stimulus.aperture.diameter=0.4", "stimulus.aperture.grey=0.25")  # fmt: skip
    config = synthesis(*words)
    assert list(config.stimulus) == ["contrast", "aperture"]
    synthesize(config, tmp_path / "out", bar=False)
    corners = Pictures.read(tmp_path / "out").images[:, :, 0, 0]
    assert torch.equal(corners, torch.full((2, 3), 64 / 255))
    manifest = (tmp_path / "out/manifest.json").read_text()
    assert "has an RMS contrast of 0.1 (in its values as they are)" in manifest
    assert "is seen through a disc of 0.4 of its width" in manifest


def test_without_a_stimulus_the_pictures_are_as_before(synthesis, small_bundle):
    assert synthesis(f"bundle={small_bundle}").stimulus == {}


@pytest.mark.parametrize(("words", "sentence"), [
    (("stimulus=aperture", "stimulus.aperture.diameter=0"), r"stimulus\.aperture\.diameter=0 is out of range"),
    (("stimulus=luminance", "stimulus.luminance.light=dim"), r"stimulus\.luminance\.light=dim is not a valid choice"),
    (("stimulus=disc",), "disc"),
    (("stimulus.aperture.diameter=0.5",), "the stimulus aperture is not chosen: set stimulus=aperture as well"),
    (("stimulus=[grey,contrast]", "stimulus.aperture.x=0.5"),
     r"aperture is not chosen: set 'stimulus=\[grey,contrast,aperture\]' as well"),
])  # fmt: skip
def test_a_mistake_is_a_sentence(synthesis, words, sentence):
    with pytest.raises(UserError, match=sentence):
        synthesis(*words)


def test_a_range_without_values_is_refused():
    with pytest.raises(UserError, match=r"stimulus=range has nothing between 0\.8 and 0\.2: set low below high"):
        Range(low=0.8, high=0.2, light="as_is")
