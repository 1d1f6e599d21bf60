"""task=fooled: a file that the network of the same name takes, with the images that the classifier is surest of."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dgn.base.errors import UserError
from dgn.networks import zoo
from dgn.networks.caffenet import CaffeNet64
from dgn.training import tasks

CLASSES = ("ant", "bee", "cat", "dog")


@pytest.fixture
def tree(tmp_path):
    """Three training images and one held-out image of four classes."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 1)):
        for name in CLASSES:
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / f"images/{part}/{name}/{i}.png")
    return tmp_path / "images"


@pytest.fixture
def words(tmp_path, tree):
    torch.manual_seed(0)
    save_file(CaffeNet64(len(CLASSES)).state_dict(), tmp_path / "net.safetensors", {"classes": "\n".join(CLASSES)})
    return ["task=fooled", f"data.root={tree}", f"classifier.weights={tmp_path}/net.safetensors", "data.workers=0"]


def test_the_file_makes_a_network_that_has_the_classes_and_the_surest_images(
    words, tmp_path, tree, training, synthesis
):
    path = tasks.run(training(*words), tmp_path / "out")
    target = synthesis("network@target=fooled", f"target.weights={path}").target
    assert zoo.classes(target) == list(CLASSES) and zoo.module(target).radius == 0.2
    shown, contract = load_file(path)["shown"].float(), zoo.contract(target)
    network = zoo.features(synthesis(f"target.weights={tmp_path}/net.safetensors").target, "output", activated=True)
    files = sorted((tree / "train/cat").iterdir())
    x = torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255 for file in files])
    surest = network(x).log_softmax(1)[:, 2].argmax()
    assert torch.allclose(shown[0], contract.normalise(x)[surest], atol=0.01)


def test_other_images_are_a_sentence(words, tree, tmp_path, training):
    (tree / "train/cat").rename(tree / "train/cow")
    (tree / "val/cat").rename(tree / "val/cow")
    with pytest.raises(UserError, match="the 4 folders of images are not the 4 classes of caffenet64"):
        tasks.run(training(*words), tmp_path / "out")
