"""Fourier and MACO: the published formulas, and the released libraries on equal input."""

import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dgn.base.errors import UserError
from dgn.generators import spectral
from dgn.generators.spectral import Fourier, Maco

LUCID = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


def library(name):
    """A module of a released library, which warns as it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def in_colour(pictures):
    """sigmoid of decorrelated colours (N, 3, H, W), pixel by pixel, as Lucid has it."""
    matrix = LUCID / np.linalg.norm(LUCID, axis=0).max()
    return 1 / (1 + np.exp(-np.moveaxis(np.moveaxis(pictures, 1, -1) @ matrix.T, -1, 1)))


@pytest.mark.parametrize(("size", "decay"), [(8, 1.0), (9, 1.5)])
def test_a_fourier_picture_is_lucids_formula(size, decay):
    generator = Fourier(size=size, decay=decay).double()
    code = torch.randn(2, *generator.code_shape, dtype=torch.float64)
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    scale = 1 / np.maximum(np.sqrt(down**2 + across**2), 1 / size) ** decay
    spectrum = scale * (code[:, :3].numpy() + 1j * code[:, 3:].numpy())
    expected = in_colour(np.fft.irfft2(spectrum, (size, size), norm="ortho") / 4)
    np.testing.assert_allclose(generator(code).numpy(), expected, rtol=1e-6, atol=1e-7)  # the scale is kept in fp32
    assert generator(code).shape == (2, 3, size, size)


def test_a_fourier_picture_is_lucents_on_equal_coefficients():
    param = library("lucent.optvis.param")
    torch.manual_seed(0)
    (coefficients,), image = param.spatial.fft_image((1, 3, 32, 32), sd=1)
    expected = param.to_valid_rgb(image, decorrelate=True)().detach().cpu()
    given = coefficients.detach().cpu()
    found = Fourier(size=32, decay=1.0)(torch.cat([given[..., 0], given[..., 1]], 1))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert found.std() > 0.05  # there is something to see


@pytest.fixture
def spectrum(tmp_path):
    """A file of magnitudes for 16 px."""
    path = tmp_path / "own.safetensors"
    save_file({"magnitude": torch.rand(3, 16, 9) + 0.1}, str(path))
    return path


def test_a_maco_picture_is_the_formula(spectrum):
    generator = Maco(size=16, magnitude=str(spectrum)).double()
    code = torch.randn(2, 3, 16, 9, dtype=torch.float64)
    for row in range(2):
        phase = code[row].numpy()
        phase = (phase - phase.mean()) / (phase.std(ddof=1) + 1e-4)
        picture = np.fft.irfft2(generator.magnitude.numpy() * np.exp(1j * phase))
        picture = (picture - picture.mean()) / (picture.std(ddof=1) + 1e-4)
        np.testing.assert_allclose(generator(code)[row].numpy(), in_colour(picture[None])[0], rtol=1e-6, atol=1e-7)


def test_a_maco_picture_is_horamas_on_equal_phases(spectrum):
    horama = library("horama.maco_fv")
    generator, phase = Maco(size=16, magnitude=str(spectrum)), torch.randn(3, 16, 9)
    expected = horama.maco_preconditioner(generator.magnitude, phase, (0, 1), "cpu")
    # its colour matrix is printed with eight digits
    torch.testing.assert_close(generator(phase[None])[0], expected, rtol=1e-5, atol=1e-6)


def test_a_row_does_not_depend_on_the_others(spectrum):
    for generator in (Maco(size=16, magnitude=str(spectrum)), Fourier(size=16, decay=1.0)):
        codes = torch.randn(4, *generator.code_shape)
        torch.testing.assert_close(generator(codes)[2:3], generator(codes[2:3]))


def test_decorrelated_colours_are_the_inverse():
    pictures = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(spectral.mixed(spectral.decorrelated(pictures), spectral.colour_matrix()), pictures)
    grey = torch.full((1, 3, 1, 1), 0.3, dtype=torch.float64)
    assert spectral.decorrelated(grey).flatten().abs().argmax() == 0  # brightness is the first


@pytest.mark.parametrize("size", [16, 40, 10, 9])
def test_a_spectrum_of_another_size_has_the_same_magnitude_at_the_same_frequency(size):
    def of(side):  # falls linearly with both frequencies, so what lies between is known
        down = torch.fft.fftfreq(side).abs()[:, None]
        return (2 - down - torch.fft.rfftfreq(side)).expand(3, -1, -1)

    found = spectral.resized(of(16), size)
    inside = torch.fft.fftfreq(size).abs() < 0.4375  # beyond, the highest frequency's neighbours are on its other side
    torch.testing.assert_close(found[:, inside], of(size)[:, inside], rtol=1e-5, atol=1e-5)


def test_the_shipped_spectrum_falls_as_that_of_natural_images_does():
    magnitude = Maco(size=64, magnitude="asset:natural.spectrum.safetensors").magnitude
    frequency = spectral.frequencies(64)
    low, high = ((frequency > a) & (frequency < 2 * a) for a in (1 / 32, 1 / 8))
    slope = -np.log2(float(magnitude[0, high].mean() / magnitude[0, low].mean())) / 2
    assert 0.8 < slope < 1.8
    assert magnitude[0].mean() > 2 * magnitude[1:].mean()  # most of it is brightness


@pytest.mark.parametrize("tensors", [{"other": torch.ones(3, 16, 9)}, {"magnitude": torch.ones(3, 16, 16)}])
def test_a_file_without_a_spectrum_is_one_sentence(tensors, tmp_path):
    save_file(tensors, str(tmp_path / "no.safetensors"))
    with pytest.raises(UserError, match=r"no\.safetensors holds no spectrum: make one by dgn data spectrum"):
        Maco(size=16, magnitude=str(tmp_path / "no.safetensors"))
