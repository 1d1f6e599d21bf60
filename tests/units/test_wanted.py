"""A wanted level, a wanted pattern: literal values, gradients, and what is refused."""

import numpy as np
import pytest
import torch

from dgn import units
from dgn.base.errors import UserError
from dgn.units.score_table import ScoreTable


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_level_is_a_percentile_of_real_images_scores():
    chosen = units.parse(["0", "2*1-0"], (3,), None)
    real = torch.stack([torch.arange(101.0), 10 * torch.arange(101.0).flip(0)], 1)
    real[7, 1] = torch.nan
    for percentile, expected in ((0, 0), (90, 90), (100, 100)):
        level = units.Level(percentile, None)
        assert not level.measured and level.of(chosen).isnan().all()
        level.measure(chosen, real)
        assert level.measured and level.of(chosen)[0] == expected
        assert level.of(chosen)[1].item() == pytest.approx(np.nanpercentile(real[:, 1].numpy(), percentile))
    given = units.Level(90, -2.5)
    assert given.measured and given.of(chosen).tolist() == [-2.5, -2.5]
    assert "from -2.5" in given.name and "percentile 90 of real images" in units.Level(90, None).name


def test_the_score_is_minus_the_distance_and_its_gradient_leads_there():
    x = torch.tensor([[1.0, 0], [4, 0], [3, 0]], requires_grad=True)
    chosen = units.parse(["0"] * 3, (2,), None)
    level = units.Level(50, 3.0)
    scores = units.Scorer(chosen, level)(x)
    assert scores.tolist() == [-2, -1, 0]
    (gradient,) = torch.autograd.grad(scores.sum(), x)
    assert gradient[:2, 0].tolist() == [1, -1] and gradient[2, 0].abs() == 1  # a row at its level is not dead
    torch.testing.assert_close(ScoreTable(chosen, level)(x), scores[:, None].expand(-1, 3))


def test_a_match_is_the_distance_over_the_patterns_variance(tmp_path):
    maps, pattern = drawn(5, 4, 2, 3), drawn(4, 2, 3).flip(0)
    np.save(tmp_path / "p.npy", pattern.numpy())
    np.save(tmp_path / "c.npy", pattern.mean((1, 2)).numpy())
    file, means = f"{tmp_path}/p.npy", f"{tmp_path}/c.npy"
    items = [file, f"{file}@1x2", f"-0.5*{file}@max", means, f"{file}+{means}"]
    chosen = units.parse(items, maps.shape[1:], None)

    def distance(value, wanted):
        return -(value.double() - wanted.double()).square().mean() / wanted.double().var(correction=0)

    by_mean = [distance(x.mean((1, 2)), pattern.mean((1, 2))) for x in maps]
    expected = [distance(maps[0], pattern), distance(maps[1, :, 1, 2], pattern[:, 1, 2]),
                -0.5 * distance(maps[2].amax((1, 2)), pattern.amax((1, 2))), by_mean[3],
                distance(maps[4], pattern) + by_mean[4]]  # fmt: skip
    scores = units.Scorer(chosen, units.Match())(maps)
    torch.testing.assert_close(scores, torch.stack(expected).float())
    torch.testing.assert_close(ScoreTable(chosen, units.Match())(maps).diagonal(), scores)
    same = units.Scorer(chosen[:1], units.Match())
    assert same(pattern[None]) == 0
    assert same(pattern.mean().expand(1, 4, 2, 3)).item() == pytest.approx(-1, abs=1e-5)
    assert [unit.label for unit in chosen][:2] == ["p", "p@1x2"]


def test_along_a_pattern_values_are_summed_over_all_places(tmp_path):
    tokens, pattern = drawn(3, 6, 4), drawn(6, 4).flip(0)
    np.save(tmp_path / "p.npy", pattern.numpy())
    chosen = units.parse([f"{tmp_path}/p.npy", f"2*{tmp_path}/p.npy@3", "1@max"], (6, 4), None)
    scores = units.Scorer(chosen, units.Logit())(tokens)
    expected = [(tokens[0] * pattern).sum(), 2 * tokens[1, 3] @ pattern[3], tokens[2, :, 1].max()]
    torch.testing.assert_close(scores, torch.stack(expected))
    torch.testing.assert_close(ScoreTable(chosen, units.Logit())(tokens).diagonal(), scores)


def test_what_has_no_pattern_is_refused(tmp_path):
    np.save(tmp_path / "flat.npy", np.ones(4))
    np.save(tmp_path / "odd.npy", np.ones((4, 3)))
    cases = {
        "2": "needs patterns, which are files .* and 2 is none",
        f"{tmp_path}/flat.npy": "the pattern flat has one value everywhere",
        f"{tmp_path}/odd.npy": r"this layer needs \(4,\)",
    }
    for text, words in cases.items():
        with pytest.raises(UserError, match=words):
            units.Scorer(units.parse(text, (4,), None), units.Match())
    (tmp_path / "cat.png").write_bytes(b"")
    with pytest.raises(UserError, match="is an image, which has no values here"):
        units.parse(f"{tmp_path}/cat.png", (4,), None)
