"""The two-alternative task: the answer written out, what a good reference is worth, and what may be asked."""

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from dgn.base import images
from dgn.base.errors import UserError
from dgn.measures import trials, two_alternative
from dgn.measures.intervals import share
from dgn.measures.settings import TwoAlternativeSettings
from dgn.units.objective import Logit, Scorer
from dgn.units.parsing import parse
from tests.measures.conftest import CLASSES, make_rows

BOTH = ["apple", "-apple", "bread", "-bread", "cup", "-cup"]


@pytest.fixture
def asked(subject):
    """A run of units and of their opposites."""

    def build(units=BOTH, **more):
        made = subject(make_rows(units, 2), **more)
        made.target.units = parse(units, (len(CLASSES),), CLASSES)
        made.target.score = lambda some: Scorer(some, Logit())
        return made

    return build


def cosine(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True)) / float(a.norm() * b.norm())


def answer(above, below, first, second):
    """The rule, one picture at a time: which query is more like what drives the unit than like what does not."""

    def lean(query):
        return np.mean([cosine(query, one) for one in above]) - np.mean([cosine(query, one) for one in below])

    return float(lean(first) > lean(second))


def test_the_answer_is_the_literal_difference_of_mean_cosines():
    draw = torch.Generator().manual_seed(0)
    above, below, first, second = (torch.randn(n, 5, generator=draw).double() for n in (9, 9, 40, 40))
    expected = [answer(above, below, a, b) for a, b in zip(first, second, strict=True)]
    assert two_alternative.answers(above, below, first, second) == expected
    assert 0 < sum(expected) < 40


def test_queries_or_references_that_tell_nothing_count_half():
    draw = torch.Generator().manual_seed(0)
    above, query = torch.randn(9, 5, generator=draw), torch.randn(4, 5, generator=draw)
    assert two_alternative.answers(above, above, query, query.flip(0)) == [0.5] * 4
    assert two_alternative.answers(above, -above, query, query) == [0.5] * 4


def test_natural_references_beat_synthetic_ones_which_beat_shuffled_ones():
    """Units are directions of a space of features; synthetic pictures show theirs, and much that images do not have."""
    draw = torch.Generator().manual_seed(0)
    right = {kind: [] for kind in two_alternative.KINDS}
    units = torch.nn.functional.normalize(torch.randn(40, 30, generator=draw), dim=1)
    made = [[sign * unit + 1.5 * torch.randn(9, 30, generator=draw) for sign in (1, -1)] for unit in units]
    for i, unit in enumerate(units):
        features = torch.randn(2000, 30, generator=draw)
        task = TwoAlternativeSettings(references=9, trials=10, above=[75.0, 100.0], below=[0.0, 25.0], seed=0)
        (above, below), (first, second) = trials.split((features @ unit).double().numpy(), task, i)
        shown = {
            "natural": (features[above.copy()], features[below.copy()]),
            "synthetic": made[i],
            "shuffled": made[i - 1],
        }
        for kind, references in shown.items():
            right[kind] += two_alternative.answers(*references, features[first], features[second])
    shares = [share(kind, [one > 0.5 for one in right[kind]]) for kind in two_alternative.KINDS]
    assert shares[0].low > shares[1].value and shares[1].low > shares[2].value
    assert shares[2].low < 0.5 < shares[2].high


def test_references_are_the_extremes_and_never_asked_about():
    scores = np.random.default_rng(0).normal(size=1000)
    task = TwoAlternativeSettings(references=9, trials=20, above=[90.0, 95.0], below=[10.0, 20.0], seed=0)
    (highest, lowest), (above, below) = trials.split(scores, task, 3)
    assert len({*highest, *lowest, *above, *below}) == 2 * 9 + 2 * 20
    assert scores[highest].min() > np.percentile(scores, 97) and scores[lowest].max() < np.percentile(scores, 3)
    asked = np.sort(scores[1::2])  # every other image is for queries
    for drawn, (low, high) in ((above, (450, 475)), (below, (50, 100))):
        places = np.searchsorted(asked, scores[drawn])
        assert places.min() >= low and places.max() < high
    again = trials.split(scores, task, 3)[1]
    assert (again[0] == above).all()
    assert (trials.split(scores, task, 4)[1][0] != above).any()


def test_too_few_images_or_pictures_are_told(asked):
    task = TwoAlternativeSettings(references=9, trials=20, above=[90.0, 100.0], below=[0.0, 10.0], seed=0)
    with pytest.raises(UserError, match="only 5 real images are between percentiles 90 and 100"):
        trials.split(np.arange(100.0), task, 0)
    with pytest.raises(UserError, match="too few for 9 references"):
        trials.split(np.arange(20.0), task, 0)
    with pytest.raises(UserError, match=r"no unit has 9 pictures of itself and of its opposite: make a run .* seeds=9"):
        trials.make(asked(), task)


def test_a_run_s_shares_are_what_a_plain_reference_gives(asked):
    made = asked()
    network, judge = made.target.features.network, made.tools.eyes[0].judge.network.network

    def seen(x):
        x = torch.nn.functional.avg_pool2d(softplus(judge.conv[0](x[None])), 4).flatten()
        return softplus(judge.fc[1].weight @ x + judge.fc[1].bias).double()

    def picture(unit, seed):
        return images.saved(made.run.folder / f"images/{unit}-{seed}.png")

    files = sorted((made.run.folder / "real" / "val").glob("*/*"))
    reals = [images.read(path, 16)[0] for path in files]
    units, expected = ["apple", "bread", "cup"], {kind: [] for kind in two_alternative.KINDS}
    with torch.no_grad():
        for i, unit in enumerate(units):
            scores = np.array([float(network(x[None])[0, CLASSES.index(unit)]) for x in reals])
            stream = trials.zlib.crc32(unit.encode())
            (above, below), (first, second) = trials.split(scores, made.settings.two_alternative, stream)
            other = units[(i + 1) % 3]
            shown = {
                "natural": ([reals[k] for k in above], [reals[k] for k in below]),
                "synthetic": ([picture(unit, s) for s in (0, 1)], [picture(f"-{unit}", s) for s in (0, 1)]),
                "shuffled": ([picture(other, s) for s in (0, 1)], [picture(f"-{other}", s) for s in (0, 1)]),
            }
            for kind, (drive, suppress) in shown.items():
                expected[kind].append(answer(list(map(seen, drive)), list(map(seen, suppress)),
                                             seen(reals[first[0]]), seen(reals[second[0]])))  # fmt: skip
        found = {one.name: one.told() for one in two_alternative.measure(made)}
    for kind, values in expected.items():
        assert found[f"two_alternative/tiny/{kind}/0-50_50-100"].value == pytest.approx(np.mean(values))
        assert found[f"two_alternative/tiny/{kind}/0-50_50-100"].n == 3
    gained = found["two_alternative/tiny/natural_minus_synthetic/0-50_50-100"].value
    assert gained == pytest.approx(np.mean(expected["natural"]) - np.mean(expected["synthetic"]))


def test_dead_pictures_are_no_references_and_units_without_opposites_are_left_out(asked):
    made = asked([*BOTH, "dog"])
    rows = made.run.rows
    rows[0] = type(rows[0])(**{**rows[0].__dict__, "state": "dead"})
    assert list(trials.opposites(made, 2)) == ["bread", "cup"]
    assert trials.opposites(made, 1)["apple"] == ([1], [2])


def test_without_a_judge_it_says_so(asked):
    found = two_alternative.measure(asked(eyes=0))
    assert all("network@judge=NAME" in one.told().note for one in found)
