"""What may move a picture: the change, its bound, and Fourier coefficients against a literal sum."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dgn.generators.pixels import Pixels
from dgn.measures.freedoms import Changed, LinearFourier, Within


class Bent(nn.Module):
    """A generator that is far from linear: codes (N, 3) to pictures (N, 3, 4, 4)."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.weight = torch.randn(3, 48, generator=draw).to(dtype)

    def forward(self, code):
        return (1 + (code @ self.weight).sin()).view(-1, 3, 4, 4) / 2


def changed(generator, count=2, seed=0):
    draw = torch.Generator().manual_seed(seed)
    shape = getattr(generator, "code_shape", (3,))
    pictures = torch.rand(count, 3, 4, 4, generator=draw)
    return Changed(generator, pictures, torch.randn(count, *shape, generator=draw))


GENERATORS = [Bent(), Pixels(size=4, channels=3), LinearFourier(size=4, channels=3)]


@pytest.mark.parametrize("generator", GENERATORS, ids=["bent", "pixels", "fourier"])
def test_at_its_start_a_picture_is_as_it_was(generator):
    freedom = changed(generator)
    assert torch.equal(freedom(freedom.start), freedom.pictures)
    assert freedom.rms(freedom.start).tolist() == [0, 0]


def test_the_change_is_that_of_the_generator_and_stays_between_black_and_white():
    freedom = changed(Bent())
    code = freedom.start + 0.3
    expected = freedom.pictures + freedom.generator(code) - freedom.generator(freedom.start)
    torch.testing.assert_close(freedom(code), expected.clamp(0, 1))
    assert (expected != expected.clamp(0, 1)).any()
    assert freedom.rms(code)[1] == pytest.approx(float((freedom.change(code)[1] ** 2).mean().sqrt()))


def test_a_picture_that_the_generator_drew_is_what_it_draws():
    generator = Bent()
    start = torch.zeros(1, 3)
    code = torch.full((1, 3), 0.1)
    torch.testing.assert_close(Changed(generator, generator(start), start)(code), generator(code))


@pytest.mark.parametrize("generator", GENERATORS, ids=["bent", "pixels", "fourier"])
@settings(max_examples=30)
@given(bound=st.floats(0.005, 0.3), length=st.floats(0, 100), seed=st.integers(0, 99))
def test_no_change_is_above_the_bound_and_what_is_within_stays(generator, bound, length, seed):
    freedom = changed(generator, seed=seed)
    step = length * torch.randn(freedom.start.shape, generator=torch.Generator().manual_seed(seed + 1))
    code = freedom.start + step
    before, kept = freedom.rms(code), Within(freedom, bound).apply_to(code)
    assert (freedom.rms(kept) <= bound).all()
    for i in range(2):
        if before[i] <= bound:
            assert torch.equal(kept[i], code[i])
        share = (kept[i] - freedom.start[i]).norm() / step[i].norm().clamp_min(
            1e-9
        )  # on the straight line to the start
        torch.testing.assert_close(kept[i], freedom.start[i] + share * step[i], atol=1e-3 * length + 1e-5, rtol=0)


def test_what_is_pulled_back_is_pulled_no_further_than_needed():
    freedom = changed(Pixels(size=4, channels=3))
    kept = Within(freedom, 0.02).apply_to(freedom.start + 1)
    assert (freedom.rms(kept) > 0.0199).all()


def test_rows_do_not_depend_on_one_another():
    freedom = changed(Bent())
    far = freedom.start + torch.tensor([[1.0], [0.001]])
    both = Within(freedom, 0.05).apply_to(far)
    for i in (0, 1):
        alone = Changed(Bent(), freedom.pictures[i : i + 1], freedom.start[i : i + 1])
        torch.testing.assert_close(Within(alone, 0.05).apply_to(far[i : i + 1])[0], both[i])


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_noise_of_the_unit_s_size_changes_pictures_by_the_bound(start):
    generator = Pixels(size=16, channels=3)
    freedom = Changed(generator, torch.zeros(4, 3, 16, 16), torch.full((4, 3, 16, 16), start))
    assert freedom.unit(0.02) == pytest.approx(0.08, rel=0.05)  # a code of the pixels is in quarters of the range


def test_a_fourier_code_is_the_literal_sum_of_waves_over_their_frequency():
    size, draw = 6, torch.Generator().manual_seed(0)
    generator = LinearFourier(size=size, channels=1).double()
    code = torch.randn(1, *generator.code_shape, generator=draw, dtype=torch.float64)
    image = generator(code)[0, 0]
    half = code[0, 0]
    for y in range(size):
        for x in range(size):
            total = 0.0
            for row in range(size):
                v = row if row <= size // 2 - 1 else row - size
                for column in range(size // 2 + 1):
                    frequency = max(math.hypot(v, column) / size, 1 / size)
                    turn = 2 * math.pi * (v * y + column * x) / size
                    wave = half[row, column, 0] * math.cos(turn) - half[row, column, 1] * math.sin(turn)
                    twice = 1 if column in {0, size // 2} else 2  # a wave and its mirror image
                    total += twice * float(wave) / frequency / size
            assert float(image[y, x]) == pytest.approx(total, rel=1e-6, abs=1e-6)  # its scale is in fp32
