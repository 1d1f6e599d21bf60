"""LPIPS as the feature term (Zhang et al. 2018): a comparator with its own features."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from dgn.base.errors import UserError
from dgn.networks.matching import match
from dgn.networks.weights import read
from dgn.networks.weights_file import find


class Lpips(nn.Module):
    """The package's own network and calibration; the backbone's weights come from a file.

    Args:
        backbone: "alex", "vgg" or "squeeze".
        weights: torchvision's weights of that network (`features.0.weight`, …), .pth or .safetensors.

    With `losses.per_position` over the layers "0", "1", … of weight 1 the feature loss is LPIPS of images in [0, 1].
    """

    def __init__(self, backbone: str, weights: str) -> None:
        super().__init__()
        try:
            import lpips
        except ImportError:
            raise UserError("loss=lpips needs the package: install it by pip install lpips") from None
        with warnings.catch_warnings():  # it calls torchvision by keywords of old
            warnings.simplefilter("ignore", UserWarning)
            self.model: Any = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
        state, path = self.model.net.state_dict(), find(weights)
        names = {name.partition(".")[2]: name for name in state}  # slice2.3.weight is features.3.weight in the file
        expected = {short: state[name] for short, name in names.items()}
        try:
            fit = match(path, read(path), expected)
        except UserError as error:
            raise UserError(f"{weights} does not fit LPIPS's backbone {backbone} ({error})") from None
        self.model.net.load_state_dict({names[short]: value.float() for short, value in fit.tensors.items()})
        self.normalise = lpips.normalize_tensor
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Lpips":
        """Stays in eval mode."""
        return super().train(False)

    def all(self, x: Tensor) -> dict[str, Tensor]:
        """Images (N, 3, H, W) in [0, 1] to one map per layer, of unit length across channels, times √calibration."""
        features = {}
        for i, out in enumerate(self.model.net(self.model.scaling_layer(2 * x - 1))):
            weight = self.model.lins[i].model[-1].weight  # (1, C, 1, 1), not negative
            features[str(i)] = self.normalise(out) * torch.sqrt(weight)
        return features
