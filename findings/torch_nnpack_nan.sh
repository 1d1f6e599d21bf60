#!/bin/sh
# torch: a NaN in one pixel reaches outputs of a convolution that do not read that pixel, where NNPACK computes it.
#
# Versions: torch 2.14.1, Python 3.11 or newer, x86-64; needs python3, pip and, with torch's CUDA libraries on Linux, 6 GB
#           of disk.
# Expected: one NaN in an image makes 9 outputs of a 3 × 3 convolution NaN, those whose window holds it, whichever
#           library computes it. Who marks pixels by NaN to find what a unit of a network sees relies on that.
# Seen:     NNPACK, which torch takes for batches of 16 and more where oneDNN is off, gives 196: it transforms tiles of
#           the image, and a NaN fills its tiles. oneDNN and torch's own loop give 9.
# Remedy:   torch.backends.nnpack.flags(enabled=False) around what counts NaN.
#
#| oneDNN on: 9
#| oneDNN off, NNPACK on: 196
#| oneDNN off, NNPACK off: 9
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.4.1
"$work/venv/bin/python" -W ignore - <<'PYTHON' | tee "$work/seen"
import torch
from torch.nn import functional as F

torch.manual_seed(0)
images, weight = torch.randn(32, 16, 64, 64), torch.randn(16, 16, 3, 3)
images[0, 0, 32, 32] = torch.nan
for name, onednn, nnpack in (
    ("oneDNN on", True, True),
    ("oneDNN off, NNPACK on", False, True),
    ("oneDNN off, NNPACK off", False, False),
):
    with torch.backends.mkldnn.flags(enabled=onednn), torch.backends.nnpack.flags(enabled=nnpack):
        print(f"{name}: {int(F.conv2d(images, weight, padding=1)[0, 0].isnan().sum())}")
PYTHON
sed -n 's/^#| //p' "$0" | diff - "$work/seen" && echo "as stated"
