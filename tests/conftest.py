"""Small stand-ins that every test can build on; nothing here needs a network or a data set."""

import shutil
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from dgn import settings
from dgn.base import process
from dgn.generators import bundle
from dgn.generators.deepsim import Deepsim
from dgn.generators.moments import Moments
from dgn.networks.features import Preprocessing
from dgn.networks.settings import NetworkSettings
from dgn.settings.check import check
from dgn.synthesis.api import configure
from dgn.synthesis.settings import SynthesizeSettings
from dgn.training.settings import TASKS, TrainSettings
from tests.run_folders import point_folder, run_folder, sweep_folder  # noqa: F401, as fixtures

ROOT = Path(__file__).parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update"]  # fmt: skip

hypothesis.settings.register_profile("dgn", deadline=None)  # how fast a machine is decides nothing
hypothesis.settings.load_profile("dgn")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session", autouse=True)
def _resolvers():
    settings.register_resolvers()


@pytest.fixture(autouse=True)
def _process():
    """What a command sets for its process, so that Lightning's remarks on every run are no errors here."""
    with process.restored():
        yield


@pytest.fixture
def config():
    """Compose a command's config from words, as the command line does."""

    def build(command: str, *words: str) -> DictConfig:
        GlobalHydra.instance().clear()
        return settings.composed(command, settings.words(command, list(words))).config

    return build


@pytest.fixture
def synthesis():
    """The settings of synthesize.py with some words."""

    def build(*words: str) -> SynthesizeSettings:
        return configure(None, None, words)[0]

    return build


@pytest.fixture
def training():
    """The settings of train.py with some words."""

    def build(*words: str) -> TrainSettings:
        composed = settings.composed("train", settings.words("train", list(words)))
        return check(composed, TASKS[composed.config.task])

    return build


@pytest.fixture
def network_settings():
    """The settings of a network with conf/network_base.yaml's defaults and some keys; `input` is merged."""

    def build(builder: str = "torch.nn.Linear", **keys: Any) -> NetworkSettings:
        size = {"size": 224, "mean": 0.5, "std": 0.5, "scale": 1, "channels": 3, "order": "rgb",
                "interpolation": "bilinear", "fit": "resize"} | keys.pop("input", {})  # fmt: skip
        node = {"name": "net", "_target_": builder, "args": {}, "weights": None, "strict": True, "by_order": False,
                "prefix": None, "layer": "output", "classes": None, "members": {}, "eval_layers": [], "steps": 200,
                "default_bundle": "caffenet64-fc6", "max_mahalanobis": 1.5, "input": size}  # fmt: skip
        return NetworkSettings.model_validate(node | keys)

    return build


@pytest.fixture
def contract():
    """A plain input contract: RGB as it is, 16 px."""
    return Preprocessing(size=16, mean=[0], std=[1], scale=1, channels=3, order="rgb", interpolation="bilinear",
                    fit="resize")  # fmt: skip


class Tiny(nn.Module):
    """A network with every kind of layer that is read here: map, vector, output; smooth, so float64 means something."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Softplus())
        self.pool = nn.AvgPool2d(4)
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(8 * 16, 12), nn.Softplus())
        self.out = nn.Linear(12, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.fc(self.pool(self.conv(x))))


@pytest.fixture
def tiny():
    """A `Tiny` with fixed random weights."""
    torch.manual_seed(0)
    return Tiny()


def make_generator(output: str = "tanh", norm: bool = False, size: int = 16) -> Deepsim:
    """A small G for codes of 12."""
    torch.manual_seed(1)
    words = "fc24 fc128 8x4x4 d8 c8 shuffle3"
    return Deepsim(code_shape=(12,), size=size, layers=words, norm=norm, slope=0.3, gains={}, output=output,
                   code_scale=1.0).eval()  # fmt: skip


@pytest.fixture
def generator():
    """See `make_generator`."""
    return make_generator


@pytest.fixture
def moments():
    """Moments of 500 half-normal codes of 12."""
    found = Moments()
    found.update(torch.randn(500, 12, generator=torch.Generator().manual_seed(2)).clamp(min=0))
    return found


@pytest.fixture
def small_bundle(tmp_path, moments):
    """A bundle file with a small random G for caffenet64's fc6 (1024 codes, 16 px)."""
    torch.manual_seed(0)
    g = Deepsim(code_shape=(1024,), size=16, layers="fc32 fc128 8x4x4 d8 c8 shuffle3", norm=True, slope=0.2, gains={},
                output="tanh", code_scale=0.6)  # fmt: skip
    codes = torch.randn(40, 1024, generator=torch.Generator().manual_seed(3)).clamp(min=0)
    found = Moments()
    found.update(codes)
    path = tmp_path / "small.bundle.safetensors"
    bundle.save(path, g.eval(), found, codes[:5], {"encoder": "caffenet64", "layer": "fc6"})
    return path


def picture(seed: int, side: int = 24) -> np.ndarray:
    """A random image with some structure."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (3, 3, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def write_images(folder: Path, count: int, side: int = 24, suffix: str = ".png", first: int = 0) -> list[Path]:
    """Some image files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:03d}{suffix}" for i in range(first, first + count)]
    for i, path in enumerate(paths):
        Image.fromarray(picture(first + i, side)).save(path)
    return paths


@pytest.fixture
def image_tree(tmp_path):
    """Three classes with four training and two held-out images each."""
    root = tmp_path / "images"
    for c, name in enumerate(("apple", "bread", "cup")):
        write_images(root / "train" / name, 4, first=10 * c)
        write_images(root / "val" / name, 2, first=10 * c + 5)
    return root


@pytest.fixture
def images_in():
    """`write_images`, for tests with layouts of their own."""
    return write_images


MODULE = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.conv(x) + x)


class MyNet(nn.Module):
    def __init__(self, classes=20):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.layer4 = nn.Conv2d(3, 8, 3, 4), nn.Sequential(Block(), Block())
        self.fc = nn.Linear(8, classes)

    def forward(self, x):
        return self.fc(self.layer4(self.stem(x)).mean((2, 3)))


class G(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 3 * 64), nn.Unflatten(1, (3, 8, 8)), nn.Upsample(scale_factor=width))

    def forward(self, code):
        return torch.sigmoid(self.layers(code))
"""


@pytest.fixture
def users_folder(tmp_path):
    """A user's folder: a module with a network and a decoder, weights of both, real codes."""
    (tmp_path / "my_pkg.py").write_text(MODULE)
    namespace: dict = {}
    exec(MODULE, namespace)
    save_file(namespace["MyNet"]().state_dict(), tmp_path / "net.safetensors")
    save_file({f"module.{k}": v for k, v in namespace["G"]().state_dict().items()}, tmp_path / "g.safetensors")
    save_file({"codes": torch.randn(50, 6)}, tmp_path / "codes.safetensors")
    return tmp_path


@pytest.fixture(scope="module")
def browser():
    """Chromium, as the machine has it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)} is on the path")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=path, args=ARGUMENTS)
