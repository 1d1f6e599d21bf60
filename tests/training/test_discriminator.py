"""D: the released one, and the small one."""

import torch
from omegaconf import OmegaConf

from dgn.training.discriminator import Discriminator


def build(config, name, outputs, code_shape, size):
    node = OmegaConf.to_container(config("train", f"discriminator={name}").discriminator)
    return Discriminator(code_shape=code_shape, outputs=outputs, **(node | {"size": size}))


def test_the_released_discriminator(config):
    d = build(config, "deepsim", 2, (4096,), 227)
    assert sum(p.numel() for p in d.parameters()) == 6_129_986
    sides = []
    for module in d.image:
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _m, _a, out: sides.append(out.shape[-1]))
    assert d.eval()(torch.rand(1, 3, 227, 227), torch.rand(1, 4096)).shape == (1, 2)
    assert sides == [56, 52, 25, 23, 11]
    assert abs(d.image[0].weight.std().item() / (0.1 * (2 / 147) ** 0.5) - 1) < 0.05


def test_the_small_one_takes_any_code(config):
    for shape in ((12,), (3, 4, 4)):
        assert build(config, "small", 1, shape, 64)(torch.rand(2, 3, 64, 64), torch.rand(2, *shape)).shape == (2, 1)
