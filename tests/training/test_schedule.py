"""Rates as functions of the share of the run that is done, at every step, against torch's own schedulers."""

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from dgn.training import schedule

STEPS = 40


def rates(build):
    """The learning rate of each of `STEPS` steps under a scheduler of torch, from a rate of 1."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, seen = build(optimiser), []
    for _ in range(STEPS):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return seen


def ours(rate):
    return [rate(step / STEPS) for step in range(STEPS)]


@pytest.mark.parametrize("warm", [4, 8, 20])
def test_one_cycle_is_a_line_up_and_a_cosine_down(warm):
    def build(optimiser):
        up = torchs.LinearLR(optimiser, start_factor=0.04, total_iters=warm)
        down = torchs.CosineAnnealingLR(optimiser, T_max=STEPS - warm)
        return torchs.SequentialLR(optimiser, [up, down], milestones=[warm])

    assert ours(lambda done: schedule.one_cycle(done, warm / STEPS)) == pytest.approx(rates(build), rel=1e-6)
    assert schedule.one_cycle(1.0, warm / STEPS) == pytest.approx(0)
    assert schedule.one_cycle(1.5, warm / STEPS) == pytest.approx(0)  # beyond the end


@pytest.mark.parametrize(("start", "end"), [(30, 0.05), (0, 0.5), (20, 0.0)])
def test_linear_end_is_flat_and_then_a_line(start, end):
    def build(optimiser):
        flat = torchs.ConstantLR(optimiser, factor=1.0, total_iters=0)
        line = torchs.LinearLR(optimiser, 1.0, end, total_iters=STEPS - start)
        return torchs.SequentialLR(optimiser, [flat, line], milestones=[start])

    assert ours(lambda done: schedule.linear_end(done, start / STEPS, end)) == pytest.approx(rates(build), rel=1e-6)
    assert schedule.linear_end(1.0, start / STEPS, end) == schedule.linear_end(2.0, start / STEPS, end)
    assert schedule.linear_end(1.0, start / STEPS, end) == pytest.approx(end)


def test_the_released_halvings():
    at = [0.3, 0.5, 0.7, 0.9]
    milestones = [round(STEPS * boundary) for boundary in at]
    expected = rates(lambda optimiser: torchs.MultiStepLR(optimiser, milestones, gamma=0.5))
    assert ours(lambda done: schedule.halvings(done, at)) == expected
