"""The mean magnitudes of a data set."""

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from dgn.cli import main
from dgn.data import spectrum
from dgn.generators import spectral
from dgn.generators.spectral import Maco


def test_it_is_the_mean_of_the_magnitudes_of_decorrelated_colours():
    images = torch.rand(5, 3, 8, 8)
    matrix = np.linalg.inv(spectral.colour_matrix().numpy())
    expected = np.zeros((3, 8, 5))
    for image in images.double().numpy():
        colours = np.einsum("cr,rhw->chw", matrix, image)
        expected += np.abs(np.fft.rfft2(colours)) / 5
    found = spectrum.measured([images[:2], images[2:]])
    expected[:, 0, 0] = (expected[:, 0, 1] + expected[:, 1, 0]) / 2
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_the_command_writes_a_file_for_maco(tmp_path, capsys):
    for part in ("train", "val"):
        (tmp_path / part / "a").mkdir(parents=True)
        for i in range(4):
            noise = np.random.default_rng(i).integers(0, 255, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / part / "a" / f"{i}.png")
    path = tmp_path / "own.safetensors"
    words = [f"data.root={tmp_path}", "data.resize=16", "data.crop=16", "data.workers=0"]
    main(["data", "spectrum", str(path), *words, "--images=3"])
    assert load_file(path)["magnitude"].shape == (3, 16, 9)
    assert "mean magnitudes of 3 images of 16 px; use it by generator=maco" in capsys.readouterr().out
    assert Maco(size=24, magnitude=str(path))(torch.randn(1, 3, 24, 13)).shape == (1, 3, 24, 24)
