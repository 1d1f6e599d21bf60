"""One tester for all measures: against a plain reference, and what no measure may depend on or fail at."""

import math
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from dgn.base import images
from dgn.measures import finished, look, real
from dgn.measures import trusted as measures_trusted
from dgn.measures.found import differences
from dgn.measures.freedoms import Changed
from dgn.measures.registry import MEASURES, measured
from tests.measures.conftest import CLASSES, make_rows, same

UNITS = ["apple", "bread", "cup"]


def told(subject, name):
    """The measure's findings by their names."""
    found = [one.told() for one in measured(name, subject)]
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


# ---- the references: one image at a time, no library


def net(subject):
    return subject.tools.eyes[0].judge.network.network


def features(subject, x):
    """The inputs of the judge's last layer, written out."""
    net_ = net(subject)
    x = torch.nn.functional.avg_pool2d(softplus(net_.conv[0](x[None])), 4).flatten()
    return softplus(net_.fc[1].weight @ x + net_.fc[1].bias).double()


def rank(subject, x, unit):
    scores = net(subject)(x[None])[0]
    return 1 + sum(bool(score > scores[CLASSES.index(unit)]) for score in scores)


def pictures(subject):
    return [(images.saved(subject.run.folder / row.image), row.unit) for row in subject.run.rows]


def real_images(subject, names=UNITS):
    folder = subject.run.folder / "real" / "val"
    return [(images.read(path, 16)[0], name) for name in names for path in sorted((folder / name).glob("*"))]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def kernel(x, y):
    return float((x @ y / len(x) + 1) ** 3)


def kid(xs, ys):
    within = [mean(kernel(a, b) for a, b in combinations(some, 2)) for some in (xs, ys)]
    return sum(within) - 2 * mean(kernel(a, b) for a, b in product(xs, ys))


def spread(pairs):
    distances = [(float((a - b).norm()), u == v) for (a, u), (b, v) in combinations(pairs, 2)]
    return mean(d for d, same in distances if same) / mean(d for d, same in distances if not same)


def of_ranks(prefix, ranks, which=""):
    return {
        f"{prefix}/top1{which}": mean(rank == 1 for rank in ranks),
        f"{prefix}/top5{which}": mean(rank <= 5 for rank in ranks),
        f"{prefix}/log2_rank{which}": mean(math.log2(rank) for rank in ranks),
    }


def recognised(subject):
    rows = subject.run.rows
    reals = real_images(subject)
    return (
        of_ranks("recognised/target", [row.rank for row in rows])
        | of_ranks("recognised/tiny", [rank(subject, *one) for one in pictures(subject)])
        | of_ranks("recognised/tiny", [rank(subject, *one) for one in reals], "/real")
        | of_ranks("recognised/tiny", [rank(subject, 1 - x, unit) for x, unit in reals], "/reconstructions")
    )


def driven(subject):
    net_ = subject.target.features.network
    reals = [net_(x[None])[0] for x, _ in real_images(subject, CLASSES[:4])]

    def percentile(row):
        return 100 * mean(float(scores[CLASSES.index(row.unit)]) < row.score for scores in reals)

    values = [percentile(row) for row in subject.run.rows]
    return {"driven/relative": math.nan, "driven/percentile": mean(values),
            "driven/above_95": mean(value > 95 for value in values)}  # fmt: skip


def natural(subject):
    made = [features(subject, x) for x, _ in pictures(subject)]
    reals = [features(subject, x) for x, _ in real_images(subject)]
    through = [features(subject, images.from_uint8(images.to_uint8(1 - x[None]))[0]) for x, _ in real_images(subject)]
    name = "natural/kid/tiny:out"
    return {name: kid(made, reals), f"{name}/reconstructions": kid(through, reals),
            f"{name}/real_halves": kid(reals[::2], reals[1::2]), "natural/fd/tiny:out": math.nan}  # fmt: skip


def various(subject):
    name = "various/features/tiny:out"
    return {name: spread([(features(subject, x), unit) for x, unit in pictures(subject)]),
            f"{name}/real": spread([(features(subject, x), unit) for x, unit in real_images(subject)]),
            "various/lpips-squeeze": math.nan}  # fmt: skip


def trusted_one(subject, x, wrong, freedom):
    """One picture after four steps towards a wrong class, written out."""
    net_, label = subject.target.features.network, CLASSES.index(wrong)
    size = x.shape[-1]
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]).clamp_min(1 / size)

    def change(code):
        if freedom == "pixels":
            return code / 4
        return torch.fft.irfft2(torch.view_as_complex(code) / frequency, s=(size, size), norm="ortho")

    def rms(code):
        return float(change(code).square().mean().sqrt())

    code = torch.zeros(x.shape if freedom == "pixels" else (3, size, size // 2 + 1, 2))
    first = second = torch.zeros_like(code)
    for i in range(4):
        code = code.clone().requires_grad_()
        with torch.enable_grad():
            score = net_((x + change(code)).clamp(0, 1)[None])[0].log_softmax(0)[label]
            (gradient,) = torch.autograd.grad(score, code)
        rate = UNIT[freedom] * (1 - i / 4)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9 ** (i + 1)), second / (1 - 0.999 ** (i + 1))
        step = {"pixels": gradient / gradient.abs().mean(), "fourier": unbiased[0] / (unbiased[1].sqrt() + 1e-8)}
        code = (code + rate * step[freedom]).detach()
        while rms(code) > BOUND:
            code = code * 0.998 * BOUND / rms(code)
    return images.from_uint8(images.to_uint8((x + change(code)).clamp(0, 1)[None]))[0]


def repeated_one(x):
    """Shift by shift: how alike the overlapping parts are, less the lowest of that on the way to the shift."""
    grey, side = x.double().mean(0).numpy(), x.shape[-1]
    bell = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    bell = np.outer(bell, bell) / bell.sum() ** 2
    padded = np.pad(grey, 2, mode="reflect")
    smooth = [[(padded[i : i + 5, j : j + 5] * bell).sum() for j in range(side)] for i in range(side)]
    fine = grey - np.array(smooth)

    def like(down, right):
        rows, columns = slice(0, side - down), slice(max(0, -right), side - max(0, right))
        a, b = fine[rows, columns], fine[down:, columns.start + right : columns.stop + right]
        return (a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-3 * (fine**2).sum())

    def even(value):  # .5 to the even neighbour
        return int(np.round(value))

    best = 0.0
    for down, right in product(range(9), range(-8, 9)):
        if max(down, abs(right)) >= 2:
            dips = [like(even(down * part), even(right * part)) for part in (0.25, 0.375, 0.5, 0.625, 0.75)]
            best = max(best, like(down, right) - max(0, min(dips)))
    return min(best, 1)


def repeated(subject):
    return {"repeated/detail": mean(repeated_one(x) for x, _ in pictures(subject)),
            "repeated/detail/real": mean(repeated_one(x) for x, _ in real_images(subject))}  # fmt: skip


BOUND = 0.2  # so much that ranks move in a tiny network
UNIT = {}  # the first step of a freedom: a share of the noise that changes a picture by the bound


def trusted(subject):
    named = {"": pictures(subject), "/real": [real_images(subject, [name])[0] for name in UNITS]}
    eye, rows, expected = subject.tools.eyes[0], subject.run.rows, {}
    for which, pairs in named.items():
        seeds = [row.seed for row in rows] if not which else [0] * 3
        wrong = [
            measures_trusted.other(unit, CLASSES, seed, subject) for (_, unit), seed in zip(pairs, seeds, strict=True)
        ]
        led = measures_trusted.Led(torch.stack([x for x, _ in pairs]), "", UNITS, UNITS, UNITS)
        for name, one in measures_trusted.freedoms(subject, led).items():
            UNIT[name] = one.step * Changed(one.generator, led.images, one.start).unit(BOUND)
        states = {"before": [x for x, _ in pairs]}
        for name in UNIT:
            states[name] = [trusted_one(subject, x, w, name) for (x, _), w in zip(pairs, wrong, strict=True)]
            moved = [float((a - b).square().mean().sqrt()) for a, b in zip(states["before"], states[name], strict=True)]
            expected[f"trusted/percent_changed/{name}{which}"] = 100 * mean(moved)
        expected[f"trusted/percent_changed/code{which}"] = math.nan
        right = [unit for _, unit in pairs]
        for kind, classes in (("wrong", wrong), ("right", right)):
            for state, made in states.items():
                labels = [CLASSES.index(name) for name in classes]
                shown = [int(subject.target.features.network(x[None]).argmax()) for x in made]
                hits = mean(a == b for a, b in zip(shown, labels, strict=True))
                expected[f"trusted/target/{kind}_top1/{state}{which}"] = hits
        for kind, classes in (("wrong", wrong), ("right", right)):
            logs = {state: [math.log2(rank(subject, x, name)) for x, name in zip(made, classes, strict=True)]
                    for state, made in states.items()}  # fmt: skip
            for state, values in logs.items():
                expected[f"trusted/{eye.name}/{kind}_log2_rank/{state}{which}"] = mean(values)
                if state != "before":
                    expected[f"trusted/{eye.name}/{kind}_gained/{state}{which}"] = mean(logs["before"]) - mean(values)
    return expected


def two_alternative(subject):
    """These runs have no opposites; tests/measures/test_two_alternative.py has runs that do."""
    return {f"two_alternative/{kind}": math.nan for kind in ("natural", "synthetic", "shuffled")}


REFERENCES = {"recognised": recognised, "driven": driven, "natural": natural, "various": various,
              "repeated": repeated, "trusted": trusted, "two_alternative": two_alternative}  # fmt: skip


# ---- the tester


def test_every_measure_has_a_reference():
    assert REFERENCES.keys() == MEASURES.keys()


@pytest.mark.parametrize("name", MEASURES)
def test_it_is_what_a_plain_reference_gives(subject, name):
    made = subject(make_rows(UNITS, 3, [-0.3 + 0.08 * i for i in range(9)]))
    with torch.no_grad():
        expected = REFERENCES[name](made)
    found = told(made, name)
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].value == pytest.approx(value, rel=1e-4, abs=1e-6, nan_ok=True), key
        there = not math.isnan(found[key].low)
        assert not there or found[key].low - 1e-9 <= found[key].value <= found[key].high + 1e-9
        assert bool(found[key].note) is not there, "what is missing has a reason, no other number has"


@pytest.mark.parametrize("name", MEASURES)
def test_neither_the_order_of_rows_nor_the_batches_matter(subject, monkeypatch, name):
    rows = make_rows(UNITS, 3)
    first = told(subject(rows), name)
    for module in (finished, look, real):
        monkeypatch.setattr(module, "BATCH", 2, raising=False)
    second = told(subject(rows[::-1]), name)
    assert all(same(first[key], second[key]) for key in first | second)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("rows", [make_rows(["apple"], 3), make_rows(["apple"], 1)], ids=["one class", "one picture"])
def test_one_class_or_one_picture_gives_a_number_without_interval_or_a_reason(subject, name, rows):
    for one in told(subject(rows, per_class=2), name).values():
        assert one.note or not math.isnan(one.value)
        assert one.note or not math.isnan(one.low)


@pytest.mark.parametrize("name", MEASURES)
def test_scores_that_are_no_numbers_and_dead_pictures_spoil_no_mean(subject, name):
    rows = make_rows(UNITS, 3)
    rows[0], rows[1] = replace(rows[0], score=math.nan), replace(rows[1], score=math.nan, state="dead")
    found, whole = told(subject(rows), name), told(subject(make_rows(UNITS, 3)), name)
    for key, one in found.items():
        assert math.isnan(one.value) is math.isnan(whole[key].value)
        assert one.n in ({7, 8} if name == "driven" and not math.isnan(one.value) else {whole[key].n})


@pytest.mark.parametrize("name", MEASURES)
def test_without_judge_and_real_images_it_says_what_is_missing(subject, name):
    found = told(subject(make_rows(UNITS, 3), eyes=0, real=False), name)
    assert found and all(one.note for one in found.values() if math.isnan(one.value))
    said = " ".join(one.note for one in found.values())
    assert "set network@judge=NAME" in said or "set data.root=DIR" in said


@pytest.mark.parametrize("name", MEASURES)
def test_a_run_minus_itself_is_nothing(subject, name):
    one, other = (measured(name, subject(make_rows(UNITS, 3))) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        less = a.minus(b)
        assert less.name == a.name
        if not math.isnan(a.told().value):
            assert less.value == pytest.approx(0, abs=1e-12) and not abs(less.high - less.low) > 1e-12


def test_a_difference_is_over_the_shared_classes_and_leaves_out_what_both_share(subject):
    names = ("natural", "recognised")
    one, other = (
        [found for name in names for found in measured(name, subject(make_rows(units, 3)))]
        for units in (UNITS, [*UNITS[:2], "dog"])
    )
    found = {less.name: less for less in differences(one, other)}
    kid = found["natural/kid/tiny:out"]
    assert kid.n == 12 and kid.value == pytest.approx(0, abs=1e-9), "the pictures of apple and bread are the same"
    assert "recognised/tiny/top1/real" not in found and found["recognised/tiny/top1"].n == 12
    assert "natural/fd/tiny:out" in found, "with its reason"
