#!/bin/sh
# horama: box_size=(a, b) crops squares of b to 2b - a of the image's width, not of a to b.
#
# Versions: horama 0.3.0, einops 0.8.2 and tqdm 4.67.1 (imported, but not among its requirements),
#           torch 2.14.1, torchvision 0.29.1, Python 3.11 or newer; needs python3, pip and, with torch's CUDA
#           libraries on Linux, 6 GB of disk.
# Expected: with box_size=(0.2, 0.4) the sides of the crops are between 0.2 and 0.4 of the width: horama describes it as
#           the smallest and the largest ratio.
# Seen:     they are between 0.4 and 0.6: the random part is added to the larger bound instead of the smaller one. So
#           a wide range asks for small details and sees none, and box_size=(0.5, 1) goes far beyond the image.
# Remedy:   for crops of c to d of the width, box_size=(2 * c - d, c).
#
#| box_size (0.2, 0.4): smallest 0.4, largest 0.6
#| box_size (0.0, 0.2): smallest 0.2, largest 0.4
#| box_size (0.3, 0.3): smallest 0.3, largest 0.3
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet horama==0.3.0 einops==0.8.2 tqdm==4.67.1 torch==2.14.1 torchvision==0.29.1
"$work/venv/bin/python" - <<'PYTHON' | tee "$work/seen"
import torch
from horama.common import optimization_step

WIDTH, CROP = 512, 64
ramp = (torch.arange(WIDTH) / WIDTH).expand(3, WIDTH, WIDTH)  # its value is the place, so a crop tells where it is


def sides(box_size, steps=100):
    torch.manual_seed(0)
    crops = []

    def objective(images):
        crops.append(images.detach()[:, 0])
        return images.mean()

    for _ in range(steps):
        image = ramp.clone().requires_grad_() * 1.0
        optimization_step(objective, image, box_size, 0.0, 16, CROP)
    rows = torch.cat(crops)[:, CROP // 2]
    steps_in_crop = rows.diff(dim=1)[:, 4:-4]
    inside = (rows[:, 4] > 0) & (steps_in_crop.std(dim=1) < 1e-4)  # beyond the image a crop is padded with zeros
    return steps_in_crop.mean(dim=1)[inside] * CROP


for box_size in (0.2, 0.4), (0.0, 0.2), (0.3, 0.3):
    found = sides(box_size)
    assert len(found) > 50
    print(f"box_size {box_size}: smallest {found.min():.1f}, largest {found.max():.1f}")
PYTHON
sed -n 's/^#| //p' "$0" | diff - "$work/seen" && echo "as stated"
