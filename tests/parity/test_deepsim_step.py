"""One iteration of DeePSiM at its own size, against the released procedure written out line by line, in float64.

Networks, losses, balance and both updates as docs and released files have them: CaffeNet as E and C, G for each layer,
D with its code path; images as BGR minus the mean in 0-255, sums halved, Caffe's Adam.
"""

import gc
import math

import pytest
import torch
from hydra.utils import instantiate
from torch.nn import functional as F

from dgn import settings
from dgn.base import lightning
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.training.discriminator import Discriminator
from dgn.training.tasks import build_generator

CPU = {"accelerator": "cpu", "devices": 1, "precision": "64-true"}
WORDS = ("experiment=deepsim_fc6", "data=photos", "data.resize=256", "data.crop=227")
MEAN = torch.tensor([104.0, 117.0, 123.0], dtype=torch.float64).view(1, 3, 1, 1)


def build(config, layer):
    """The training module of `experiment=deepsim_fc6` for a layer of CaffeNet, in float64, with random weights."""
    composed = config("train", *WORDS, f"encoder.layer={layer}", "module.share_every=99")
    node = {
        name: settings.plain(composed[name]) for name in ("encoder", "loss", "generator", "discriminator", "module")
    }
    torch.manual_seed(0)
    encoder = NetworkSettings.model_validate(node["encoder"])
    network = zoo.module(encoder)
    for module in network.modules():  # He's start, so that activations keep their size through the layers
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    layers = list(dict.fromkeys([layer, "pool5"]))
    read = zoo.Features(network, layers, zoo.contract(encoder), activated=True)
    code = read(torch.rand(2, 3, 227, 227))
    loss = instantiate(node["loss"])
    discriminator = Discriminator(code_shape=code.shape[1:], outputs=2, **node["discriminator"])
    module = instantiate(node["module"], _partial_=True)(
        encoder=read, comparator=read, kept=None, begun={}, generator=build_generator(node["generator"], code),
        discriminator=discriminator, iterations=composed.iterations, pixels_first=0,
        **{name: loss[name] for name in ("pixel", "feature", "adversarial", "code", "balance")},
    )  # fmt: skip
    return module.double()


def caffenet(w, x, layer):
    """caffenet.prototxt up to `layer`: BGR minus the mean in, post-ReLU (but for fc8) out."""

    def lrn(x):
        return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1)

    def pool(x):
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    def conv(x, name, **more):
        return F.relu(F.conv2d(x, w[f"{name}.main.weight"], w[f"{name}.main.bias"], **more))

    x = conv(x, "conv1", stride=4)
    x = lrn(pool(x))
    if layer == "norm1":
        return x
    x = lrn(pool(conv(x, "conv2", padding=2, groups=2)))
    if layer == "norm2":
        return x
    x = conv(x, "conv3", padding=1)
    if layer == "conv3":
        return x
    x = conv(x, "conv4", padding=1, groups=2)
    if layer == "conv4":
        return x
    x = pool(conv(x, "conv5", padding=1, groups=2))
    if layer == "pool5":
        return x
    x = F.relu(F.linear(x.flatten(1), w["fc6.main.weight"], w["fc6.main.bias"]))
    if layer == "fc6":
        return x
    x = F.relu(F.linear(x, w["fc7.main.weight"], w["fc7.main.bias"]))
    return x if layer == "fc7" else F.linear(x, w["fc8.weight"], w["fc8.bias"])


def generator(w, code, layer):
    """The released prototxt of each G, (kind, kernel, stride, padding) a layer; BGR out, its centre."""
    weights = iter(w.values())
    D, T, c = ("D", 4, 2, 1), ("D", 3, 1, 1), ("c", 3, 1, 1)  # noqa: N806
    body = {
        "fc": ["fc", "fc", "fc", D, T, D, T, D, T, D, D, D],
        "pool5": [c, c, ("c", 3, 1, 0), D, T, D, T, D, T, D, D, D],
        "conv": [("c", 3, 1, 0), ("c", 3, 1, 0), ("c", 2, 1, 0), D, T, D, T, D, T, D, c, D, c],
        "norm1": [("c", 3, 2, 2), c, c, D, c, D, c, D, c, D, c],
        "norm2": [("c", 3, 1, 2), c, c, D, c, D, c, D, c, D, c],
    }[layer if layer in {"pool5", "norm1", "norm2"} else layer[:-1]]
    x = code
    for i, kind in enumerate(body):
        weight, bias = next(weights), next(weights) if i < 3 else None  # as released: biases in the first three layers
        if kind == "fc":
            x = F.linear(x, weight, bias)
        elif kind[0] == "c":
            x = F.conv2d(x, weight, bias, kind[2], kind[3])
        else:
            x = F.conv_transpose2d(x, weight, bias, kind[2], kind[3])
        last_two_of_norm = layer.startswith("norm") and i == len(body) - 2
        if i + 1 < len(body) and not last_two_of_norm:
            x = F.leaky_relu(x, 0.3)
        if kind == "fc" and i == 2:
            x = x.view(-1, 256, 4, 4)
    assert next(weights, None) is None
    if layer.startswith(("conv", "norm")):
        x = 255 * torch.tanh(x)
    top = (x.shape[-1] - 227) // 2
    return x[:, :, top : top + 227, top : top + 227]


def discriminator(w, image, code):
    """The released D with its code path; dropout before both layers of the head."""
    for i, stride in enumerate((4, 1, 2, 1, 2)):
        image = F.relu(F.conv2d(image, w[f"image.{2 * i}.weight"], w[f"image.{2 * i}.bias"], stride))
    image = F.avg_pool2d(image, 11).flatten(1)
    code = F.relu(F.linear(code.flatten(1), w["code.1.weight"], w["code.1.bias"]))
    code = F.relu(F.linear(code, w["code.3.weight"], w["code.3.bias"]))
    x = F.dropout(torch.cat([image, code], 1), 0.5)
    x = F.relu(F.linear(x, w["head.1.weight"], w["head.1.bias"]))
    return F.linear(F.dropout(x, 0.5), w["head.4.weight"], w["head.4.bias"])


def caffe_adam(weight, gradient, decay):
    """Caffe's first update: lr 2e-4, β 0.9 and 0.999, ε 1e-8 added to √v before the correction; L2 in the gradient."""
    gradient = gradient + decay * weight
    m, v = 0.1 * gradient, 0.001 * gradient**2
    correction = math.sqrt(1 - 0.999) / (1 - 0.9)
    return weight - 2e-4 * correction * m / (v.sqrt() + 1e-8)


def literally(weights, image, layer, seed):
    """One iteration: losses, the balance's next state, and the weights after it."""
    e = {k.removeprefix("encoder.network."): v for k, v in weights.items() if k.startswith("encoder.network.")}
    g = {k: v.requires_grad_() for k, v in weights.items() if k.startswith("generator.")}
    d = {k: v.requires_grad_() for k, v in weights.items() if k.startswith("discriminator.")}
    x = image.flip(1) * 255 - MEAN
    with torch.no_grad():
        code, seen = caffenet(e, x, layer), caffenet(e, x, "pool5")
    y = generator(g, code, layer)
    n = len(x)
    image_loss = 0.5 * ((y - x) ** 2).sum() / n
    feature_loss = 0.5 * ((caffenet(e, y, "pool5") - seen) ** 2).sum() / n
    torch.manual_seed(seed)

    def named(d):
        return {k.removeprefix("discriminator."): v for k, v in d.items()}

    logits = discriminator(named(d), torch.cat([x, y.detach()]), torch.cat([code, code]))
    real = -F.log_softmax(logits[:n], 1)[:, 0].mean()  # label 0
    fake = -F.log_softmax(logits[n:], 1)[:, 1].mean()  # label 1
    gradients = torch.autograd.grad(100 * (real + fake), list(d.values()))
    after = {k: caffe_adam(v.detach(), grad, 4e-4) for (k, v), grad in zip(d.items(), gradients, strict=True)}
    wish = -F.log_softmax(discriminator(named(after), y, code), 1)[:, 0].mean()
    total = 2e-6 * image_loss + 0.01 * feature_loss + 100 * wish
    gradients = torch.autograd.grad(total, list(g.values()))
    for i, ((k, v), grad) in enumerate(zip(g.items(), gradients, strict=True)):
        stem = not layer.startswith("fc") and i in {0, 2, 4}  # the weights of its three convolutions, not their biases
        after[k] = caffe_adam(v.detach(), grad, 4e-4 if stem else 0.0)
    r = float(((real + fake) / wish).detach())
    train_d, train_g = True, True
    if r < 0.1:
        train_d, train_g = False, True
    if r > 10:
        train_d, train_g = True, False
    losses = {"pixel": image_loss, "feature": feature_loss, "adversarial": wish, "d_real": real, "d_fake": fake}
    return {name: float(value.detach()) for name, value in losses.items()}, (train_d, train_g), after


STEPS = ("fc6", "pool5", "norm1")  # a code vector, a map, and the G that ends otherwise
OTHERS = ("fc7", "fc8", "conv3", "conv4", "norm2")


@pytest.mark.slow
@pytest.mark.parametrize("layer", OTHERS)
@torch.no_grad()
def test_code_and_image_are_the_released_ones(config, layer):
    """Of these layers nothing else is their own: the losses and both updates are those of the other three."""
    module = build(config, layer)
    image = torch.rand(2, 3, 227, 227, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = module.state_dict()
    e = {k.removeprefix("encoder.network."): v for k, v in weights.items() if k.startswith("encoder.network.")}
    g = {k: v for k, v in weights.items() if k.startswith("generator.")}
    code = caffenet(e, image.flip(1) * 255 - MEAN, layer)
    torch.testing.assert_close(module.encoder(image), code, rtol=1e-9, atol=1e-9)
    drawn = module.generator(code).flip(1) * 255 - MEAN
    torch.testing.assert_close(drawn, generator(g, code, layer), rtol=1e-9, atol=1e-9)
    stem = [name for name, p in module.generator.named_parameters() if any(p is s for s in module.generator.stem())]
    names = [name for name, _ in module.generator.named_parameters()]
    assert stem == ([] if layer.startswith("fc") else [names[0], names[2], names[4]])


@pytest.mark.slow
@pytest.mark.parametrize("layer", [*STEPS, *(pytest.param(layer, marks=pytest.mark.parity) for layer in OTHERS)])
def test_one_iteration_is_the_released_one(config, layer):
    module = build(config, layer)
    image = torch.rand(2, 3, 227, 227, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = {k: v.detach().clone() for k, v in module.state_dict().items()}
    logs = {}

    class Keep(lightning.pl.Callback):
        def on_train_batch_start(self, *_):
            torch.manual_seed(7)

        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            logs.update({name: float(value) for name, value in outputs.items()})

    trainer = lightning.trainer(CPU, [Keep()], [], max_epochs=1)
    trainer.fit(module, torch.utils.data.DataLoader([(image, 0, torch.arange(len(image)))], batch_size=None))
    losses, (train_d, train_g), after = literally(weights, image, layer, seed=7)
    for name, value in losses.items():
        assert logs[f"loss/{name}"] == pytest.approx(value, rel=1e-8), name
    assert (logs["balance/train_d"], logs["balance/train_g"]) == (train_d, train_g)
    now = module.state_dict()
    for name, value in after.items():  # of single elements with next to no gradient Adam's first step tells nothing
        moved = (value - weights[name]).detach()
        missed = (now[name] - weights[name]).detach() - moved
        assert float(missed.norm() / moved.norm()) < 1e-8, name


@pytest.fixture(autouse=True)
def _forget():
    """Networks of this size are not left to whenever the garbage is collected."""
    yield
    gc.collect()
