"""The analyses' own arithmetic, on numbers that can be checked by hand."""

import math

import pytest
import torch
from PIL import Image

from dgn.base import images
from dgn.base.errors import UserError
from dgn.measures.intervals import Measure
from dgn.paper import altered, detectors, diverse, pairs, path, search, travel
from dgn.report import results
from tests.run_folders import write_run


def row(name, value):
    return Measure(name, value, value - 1, value + 1, 20)


def test_points_are_in_the_order_of_the_numbers_in_runs_names():
    rows = [row(f"at_{i:05d}: recognised/judge/log2_rank", float(i)) for i in (500, 10500, 2000)]
    rows += [row("at_00500: recognised/target/log2_rank", 9.0), row("at_1 − at_2: recognised/judge/log2_rank", 9.0)]
    assert [(point.name, point.y) for point in path.points(rows)] == [
        ("500", 500.0),
        ("2000", 2000.0),
        ("10500", 10500.0),
    ]


def test_an_animation_has_a_frame_for_each_run(tmp_path):
    for name in ("step_10", "step_00"):
        folder = write_run(tmp_path / name)
        for i, one in enumerate(results.read(folder / "results.csv")):
            images.save(folder / one.image, torch.full((3, 8, 8), (i + 1) / 10 if name == "step_00" else 0.9))
    with Image.open(path.animate(tmp_path)) as gif:
        assert gif.n_frames == 2 and gif.convert("L").getpixel((5, 5)) < 60


def test_the_correlation_of_score_and_judge_is_over_runs(tmp_path):
    for i in range(5):
        folder = write_run(tmp_path / f"p{i}")
        rows = results.read(folder / "results.csv")
        changed = [results.Row(**vars(one) | {"score": float(i), "judge_rank": 2**i}) for one in rows]
        results.write(folder / "results.csv", changed)
    found = search.score_and_judge(tmp_path, None, [])
    assert found.rows[0].value == 1 and found.rows[0].n == 5 and found.rows[1].n == 3
    assert [(point.x, point.y) for point in found.points] == [(i, i) for i in range(5)]
    results.write(folder / "results.csv", [results.Row(**vars(one) | {"judge_rank": None}) for one in rows])
    with pytest.raises(UserError, match="no picture of p4 was judged"):
        search.score_and_judge(tmp_path, None, [])


def test_a_sum_is_compared_with_the_mean_of_either_alone():
    worse = {"both": [2.0, 4.0], "in_turn": [4.0, 4.0], "first": [6.0, 5.0], "second": [4.0, 5.0]}
    values = {one.name: one.value for one in pairs.compared(worse, ["a", "b"])}
    assert list(values.values()) == [3.0, 4.0, 5.0, -2.0, -1.0, 1.0]
    assert values["both − alone: worse log2_rank"] == -2 and values["in_turn − both: worse log2_rank"] == 1


def test_a_unit_is_named_by_what_most_of_its_images_are_of():
    def line(unit, folder):
        return {"unit": unit, "name": f"val/{folder}/1.png"}

    real = [line("0", "n01443537")] * 3 + [line("0", "x")] * 2 + [line("1", "a"), line("1", "b"), line("1", "c")]
    assert detectors.named(real) == {"0": "goldfish"}
    assert detectors.others({"0": "a", "1": "a", "2": "b", "3": "c"}) == {"0": "2", "1": "2", "2": "3", "3": "0"}
    assert detectors.others({"0": "a"}) == {"0": "0"}


def test_the_mean_distance_of_pairs():
    assert diverse.mean_distance(torch.tensor([[0.0, 0], [3, 4], [0, 0]])) == pytest.approx(10 / 3)
    assert math.isnan(diverse.mean_distance(torch.zeros(1, 2)))


def test_the_mean_over_pairs_follows_from_the_mean_of_all():
    maps = torch.randn(5, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    pairs = [(maps[i] - maps[j]).square().sum(0).mean() for i in range(5) for j in range(i)]
    assert diverse.pairwise(maps) == pytest.approx(float(torch.stack(pairs).mean()), rel=1e-5)
    assert math.isnan(diverse.pairwise(maps[:1]))


def test_a_regression_tells_what_a_line_can_and_is_unmoved_by_scale():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=draw)
    y = x[:, 1] - x[:, 3] > 0.3
    told = altered.logistic(x[:100], y[:100])
    assert (told(x[100:]) == y[100:]).double().mean() > 0.9
    scaled = altered.logistic(1000 * x[:100] + 7, y[:100])
    assert (scaled(1000 * x[100:] + 7) == told(x[100:])).all()


def test_colours_are_nearer_to_their_own_histogram():
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(6, 3, 16, 16, generator=draw) * torch.tensor([1, 0.6, 0.3])[:, None, None]
    plain, other = altered.histogram(x).mean(0, keepdim=True), altered.histogram(x.flip(1)).mean(0, keepdim=True)
    assert altered.histogram(x).sum(1).tolist() == pytest.approx([1] * 6)
    assert not altered.nearer(x, plain, other).any() and altered.nearer(x.flip(1), plain, other).all()


def test_likeness_is_the_cosine_with_the_class_less_the_mean_of_all():
    x = torch.tensor([[2.0, 0], [2, 0], [0, 2], [0, 2]])
    mean, means = travel.centres(x, ["a", "a", "b", "b"])
    assert mean.tolist() == [1, 1] and means["a"].tolist() == [1, -1]
    found = travel.likeness(torch.tensor([[3.0, -1], [-1, 3], [5, 5]]), ["a", "a", "c"], mean, means)
    assert found[:2] == pytest.approx([1, -1]) and math.isnan(found[2])
