"""Any network as a G, live ones included."""

from collections import namedtuple
from dataclasses import dataclass, make_dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dgn.base.errors import UserError
from dgn.generators.loading import decoder
from dgn.generators.pixels import Pixels


class G(nn.Module):
    """Codes of six to images of three channels and eight pixels, handed over by `form`."""

    def __init__(self, form=lambda image: image):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 192), nn.BatchNorm1d(192), nn.Unflatten(1, (3, 8, 8)))
        self.form = form

    def forward(self, code):
        return self.form(self.layers(code))


@dataclass(slots=True)
class Slotted:
    latent: torch.Tensor
    image: torch.Tensor


Output = make_dataclass("Output", ["sample"])
Named = namedtuple("Named", ["image", "latents"])
FORMS = {
    "tuple": lambda image: (image, image.mean((2, 3))),
    "list": lambda image: [None, image],
    "named tuple": lambda image: Named(image, None),
    "dict": lambda image: {"latents": image.mean((2, 3)), "sample": image},
    "dataclass": lambda image: Output(image),
    "slots": lambda image: Slotted(image.mean((2, 3)), image),
    "object": lambda image: SimpleNamespace(sample=image),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_images_of_any_output_are_read(form):
    prior = decoder(G(form), shape=[6])
    code = torch.randn(2, 6)
    torch.testing.assert_close(prior.generator(code), prior.generator.network.layers(code))


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (lambda image: image.mean((2, 3)), r"returns \(1, 3\) of torch.float32: it must return"),
        (lambda image: {"a": 1}, "returns a dict: it must return"),
        (lambda image: None, "returns a NoneType"),
        (lambda image: image.clamp(0, 1).mul(255).byte(), "of torch.uint8: it must return floating-point images"),
        (lambda image: image.sampel, r"does not accept a code of shape \(6,\)"),
    ],
)
def test_an_output_without_images_is_a_sentence(form, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        decoder(G(form), shape=[6])
    assert "\n" not in str(error.value)


def test_codes_may_be_an_array_a_list_or_a_tensor_with_a_graph():
    codes = np.random.default_rng(0).normal(size=(20, 6))
    for kind in (codes, codes.tolist(), torch.from_numpy(codes).requires_grad_(), codes.astype(np.float16)):
        prior = decoder(G(), kind)
        assert prior.codes.dtype is torch.float32 and not prior.codes.requires_grad
        torch.testing.assert_close(prior.moments.mean, torch.from_numpy(codes.mean(0)).float(), atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"codes": [[1.0], [2.0, 3.0]]}, "are not an array of numbers"),
        ({"codes": np.array(["a", "b"])}, "are not an array of numbers"),
        ({"codes": np.zeros(6)}, "moments need at least two codes"),
        ({"codes": np.full((3, 6), np.nan)}, "moments need at least two codes"),
        ({"shape": [0]}, r"set generator\.moments\.shape to 1 or more"),
        ({"shape": [6.5]}, r"set generator\.moments\.shape to a whole number"),
        ({"shape": "6"}, r"generator\.moments\.shape=6 is not a list"),
        ({"shape": [6], "std": 0}, r"generator\.moments\.std=0 is out of range: .* more than 0"),
        ({"shape": [6], "mean": float("nan")}, r"generator\.moments\.mean=nan is not a finite number"),
        ({"shape": [6], "range": (0, float("inf"))}, r"generator\.range=inf is not a finite number"),
        ({"shape": [6], "range": (1, 1)}, "is not a range: set the output values for black and white"),
    ],
)
def test_codes_or_moments_that_are_none_are_a_sentence(keys, sentence):
    with pytest.raises(UserError, match=sentence):
        decoder(G(), **keys)


def test_a_live_network_is_left_as_it_was():
    g = G().train()
    g.layers[0].weight.grad = torch.ones_like(g.layers[0].weight)
    before = {name: value.clone() for name, value in g.state_dict().items()}
    prior = decoder(g, shape=[6])
    assert g.training and g.layers[1].training and all(p.requires_grad for p in g.parameters())
    assert g.layers[0].weight.grad is not None and all(torch.equal(before[k], v) for k, v in g.state_dict().items())
    copy = prior.generator.network
    assert copy is not g and not copy.training and not any(p.requires_grad for p in copy.parameters())
    with torch.no_grad():
        g.layers[0].weight.zero_()
    assert copy.layers[0].weight.any()  # the prior is of the network as it was then


def test_a_live_generator_of_ours_is_left_as_it_was():
    g = Pixels(size=4, channels=1).train()
    assert not decoder(g).generator.training and g.training


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision(dtype):
    g = G().to(dtype)
    assert decoder(g, shape=[6]).generator(torch.randn(2, 6)).dtype is torch.float32
    assert g.layers[0].weight.dtype is dtype


def test_a_network_with_spectral_norm_that_has_just_trained():
    g = G()
    g.layers[0] = nn.utils.spectral_norm(g.layers[0])
    g(torch.randn(4, 6)).sum().backward()  # its computed weight has a graph, which cannot be copied
    prior = decoder(g, shape=[6])
    g.eval()
    code = torch.randn(2, 6)
    torch.testing.assert_close(prior.generator(code), g(code).detach())


def test_a_train_that_returns_nothing():
    class Frozen(G):
        def train(self, mode=True):
            super().train(mode)
            self.layers[1].eval()

    prior = decoder(Frozen(), shape=[6])
    prior.generator.train()
    assert not prior.generator.network.training
