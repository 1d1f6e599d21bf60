#!/bin/sh
# timm: torch's SyncBatchNorm conversion silences the activations of a timm network, without a warning.
#
# Versions: timm 1.0.31, torch 2.14.1, torchvision 0.29.1, Python 3.11 or newer; needs python3, pip and, with torch's CUDA
#           libraries on Linux, 6 GB of disk. No GPU: the converted networks are in eval mode.
# Expected: torch.nn.SyncBatchNorm.convert_sync_batchnorm, which Lightning's Trainer(sync_batchnorm=True) calls as well,
#           leaves what a network computes in eval mode as it is.
# Seen:     timm's BatchNormAct2d is a subclass of BatchNorm2d that applies the activation, too. torch replaces it by a
#           plain SyncBatchNorm, which keeps the activation as a child and never calls it. An EfficientNet then gives
#           other outputs; a ResNet, whose activations are modules of their own, is not affected.
# Remedy:   timm.layers.convert_sync_batchnorm, which keeps the activation.
#
#| test_resnet: torch's conversion equal, timm's equal
#| test_efficientnet: torch's conversion different, timm's equal
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet timm==1.0.31 torch==2.14.1 torchvision==0.29.1
"$work/venv/bin/python" - <<'PYTHON' | tee "$work/seen"
from copy import deepcopy

import timm
import torch
from timm.layers import convert_sync_batchnorm


def same(a, b):
    return "equal" if torch.allclose(a, b, rtol=1e-3, atol=1e-6) else "different"


torch.manual_seed(0)
images = torch.randn(2, 3, 160, 160)
with torch.no_grad():
    for name in ("test_resnet", "test_efficientnet"):
        network = timm.create_model(name, pretrained=False).eval()
        by_torch = torch.nn.SyncBatchNorm.convert_sync_batchnorm(deepcopy(network)).eval()
        by_timm = convert_sync_batchnorm(deepcopy(network)).eval()
        output = network(images)
        print(f"{name}: torch's conversion {same(output, by_torch(images))}, timm's {same(output, by_timm(images))}")
PYTHON
sed -n 's/^#| //p' "$0" | diff - "$work/seen" && echo "as stated"
