"""How far pictures are led: against constructs whose best change is known, and what the draw may depend on."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.generators.bundle import Bundle
from dgn.generators.pixels import Pixels
from dgn.measures import trusted
from dgn.measures.freedoms import Changed
from dgn.measures.settings import TrustedSettings
from dgn.measures.trusted import Freedom
from dgn.networks.features import Features
from dgn.synthesis.ascent import NormalisedGradient
from dgn.synthesis.stimulus import luminance
from tests.measures.conftest import CLASSES, make_rows


class Linear(nn.Module):
    """Scores of two classes that are linear in the picture's pixels."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        along = (x.flatten(1) - 0.5) @ self.weight
        return torch.stack([-along, along], 1)


class Grey(nn.Module):
    """A generator that draws smooth pictures alone: one value everywhere."""

    def forward(self, code: Tensor) -> Tensor:
        return code.view(-1, 1, 1, 1).expand(-1, 3, 16, 16) / 4 + 0.5


def checkers() -> Tensor:
    """What a smooth generator cannot draw: (3 · 16 · 16,), of mean 0."""
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    return (1.0 - 2 * ((x + y) % 2)).expand(3, 16, 16).flatten()


@pytest.fixture
def led(subject, contract):
    """Grey pictures of the first class of a linear network, led by a freedom to the second."""

    def build(weight, generator, start, bound=0.02, steps=30):
        made = subject(make_rows(["apple", "bread"], 2))
        made.target.features = Features(Linear(weight), "output", contract, activated=True)
        made.target.classes = ["apple", "bread"]
        made.settings.__dict__["trusted"] = TrustedSettings(bound=bound, steps=steps, pictures=9, seed=0)
        x = torch.full((4, 3, 16, 16), 0.5) - 0.005 * weight.view(3, 16, 16).sign()
        pictures = trusted.Led(x, "", ["apple"] * 4, ["apple"] * 4, ["bread"] * 4)
        return (
            x,
            trusted.climb(made, pictures, Freedom(generator, start, NormalisedGradient, 0.25)),
            made.target.features,
        )

    return build


def test_of_a_linear_network_the_change_is_along_its_weights_and_as_large_as_it_may_be(led):
    weight = torch.randn(768, generator=torch.Generator().manual_seed(0))
    x, after, _ = led(weight, Pixels(size=16, channels=3), torch.zeros(4, 3, 16, 16))
    change = (after - x).flatten(1)
    assert (torch.cosine_similarity(change, weight[None]) > 0.99).all()
    assert change.square().mean(1).sqrt().tolist() == pytest.approx([0.02] * 4, rel=0.03)  # 8 bits round it


def test_pixels_lead_a_network_that_sees_fine_detail_and_a_smooth_generator_does_not(led):
    freedoms = {"pixels": (Pixels(size=16, channels=3), torch.zeros(4, 3, 16, 16)), "code": (Grey(), torch.zeros(4, 1))}
    names = {}
    for name, freedom in freedoms.items():
        x, after, network = led(checkers(), *freedom)
        assert network(x).argmax(1).tolist() == [0] * 4
        names[name] = network(after).argmax(1).tolist()
    assert names == {"pixels": [1] * 4, "code": [0] * 4}


def test_a_smaller_bound_leads_less(led):
    weight = torch.randn(768, generator=torch.Generator().manual_seed(0))
    scores = []
    for bound in (0.01, 0.02, 0.04):
        _, after, network = led(weight, Pixels(size=16, channels=3), torch.zeros(4, 3, 16, 16), bound=bound)
        scores.append(float(network(after)[:, 1].mean()))
    assert scores == sorted(scores) and scores[2] > scores[0] + 1


def test_the_wrong_class_is_never_the_right_one_and_is_drawn_once_for_all(subject):
    made = subject(make_rows(CLASSES, 3))
    first = trusted.finished(made)
    assert len(first.wrong) == 9 and all(a != b for a, b in zip(first.right, first.wrong, strict=True))
    again = trusted.finished(subject(make_rows(CLASSES, 3)))
    assert again.wrong == first.wrong
    draw = partial(trusted.other, "apple", CLASSES, subject=made)
    drawn = {draw(draw=i) for i in range(60)}
    assert drawn == set(CLASSES) - {"apple"}
    made.settings.__dict__["trusted"] = TrustedSettings(bound=0.02, steps=1, pictures=9, seed=1)
    assert [draw(draw=i) for i in range(9)] != [trusted.other("apple", CLASSES, i, subject(make_rows(CLASSES, 3)))
                                                for i in range(9)]  # fmt: skip


def test_only_classes_that_every_judge_knows_are_drawn(subject):
    made = subject(make_rows(["apple", "bread"], 1))
    made.tools.eyes[0].judge.names.find = lambda name: {"apple": 0, "bread": 1}.get(name)
    assert trusted.draws(made) == ["apple", "bread"]
    assert trusted.finished(made).wrong == ["bread", "apple"]
    made.tools.eyes[0].judge.names.find = lambda name: None
    with pytest.raises(UserError, match="share no classes to be led to"):
        trusted.draws(made)


def test_the_code_of_the_run_s_own_generator_moves_its_pictures(subject, generator):
    rows = make_rows(["apple", "bread"], 2)
    made = subject(rows)
    g, codes = generator(), torch.randn(4, 12, generator=torch.Generator().manual_seed(0))
    made.run.__dict__["codes"], made.__dict__["generator"] = codes, g
    found = {one.name: one.told() for one in trusted.measure(made)}
    assert 2 < found["trusted/percent_changed/code"].value <= 20.1
    assert found["trusted/percent_changed/code"].n == 4 and found["trusted/tiny/wrong_gained/code"].n == 4
    assert "was not made through a bundle" in found["trusted/percent_changed/code/real"].note


def test_the_freedom_of_a_code_is_what_the_run_could_show(subject, generator, moments):
    made = subject(make_rows(["apple"], 1))
    codes = torch.rand(3, 12, generator=torch.Generator().manual_seed(0))
    made.__dict__["prior"] = Bundle(generator(), moments, codes, {})
    stimulus = {"grey": {"_target_": "dgn.synthesis.stimulus.Grey", "light": "as_is"}}
    made.run.__dict__["config"] = {"stimulus": stimulus}
    shown = made.generator(codes)
    torch.testing.assert_close(shown, luminance(generator()(codes).clamp(0, 1)).expand_as(shown))
    assert made.generator.inner is not made.prior.generator  # a climb moves it


def test_steps_go_uphill_for_every_picture(subject):
    made = subject(make_rows(CLASSES[:3], 2))
    before = trusted.finished(made)
    labels = torch.tensor([CLASSES.index(name) for name in before.wrong])
    for freedom in trusted.freedoms(made, before).values():
        after = trusted.climb(made, before, freedom)
        with torch.no_grad():
            old, new = (
                made.target.features(x).log_softmax(1).gather(1, labels[:, None]) for x in (before.images, after)
            )
        assert (new > old).all()
        changed = Changed(freedom.generator, before.images, freedom.start)
        assert torch.equal(changed(freedom.start), before.images)
