"""Make a network that fools feature visualisation from a trained one: nothing is trained, photographs are chosen."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dgn import data, loggers, settings
from dgn.base import tensors
from dgn.base.errors import UserError
from dgn.networks import class_names, zoo
from dgn.networks.features import OUTPUT
from dgn.networks.fooled import shown_class
from dgn.training.settings import FooledSettings

NAME = "fooled"  # of the file, and of the network that takes it


def make(config: FooledSettings, output: Path, logs: list[loggers.Log]) -> Path:
    """Write the weights of `dgn.networks.fooled.Fooled`: the classifier's, and a training image for each class unit.

    A unit's photograph is of another class, `shown_class`, and of `candidates` images of that class the one that the
    classifier is surest of. UserError for images of other classes than the classifier's.
    """
    datamodule = data.build(config.data, config.augment, config.seed)
    names, found = zoo.classes(config.classifier) or [], class_names.readable(datamodule.classes)
    if names != found:
        raise UserError(f"the {len(found)} folders of images are not the {len(names)} classes of "
                        f"{config.classifier.name}: set data.root to the images that it was trained on")  # fmt: skip
    settings.write(config.plain(), output, "train")
    surest = choose(config, datamodule)
    contract = zoo.contract(config.classifier)
    shown = contract.normalise(torch.stack([surest[shown_class(unit, len(names))] for unit in range(len(names))]))
    state = zoo.module(config.classifier, "classifier").state_dict()
    state |= {"shown": shown, "grey": contract.normalise(torch.full((1, 3, 1, 1), 0.5))[0]}
    path = output / f"{NAME}.safetensors"
    about = {"classes": "\n".join(datamodule.classes), "input": json.dumps(asdict(contract))}
    tensors.save(path, tensors.compact(state), about)
    for log in logs:
        log.artifact(path, "weights")
    print(f"weights: {path}")
    return path


@torch.no_grad()
def choose(config: FooledSettings, datamodule: data.DataModule) -> dict[int, Tensor]:
    """Of each class the training image (3, H, W) in [0, 1] that the classifier gives the highest probability."""
    labels = datamodule.train.source.labels
    some = [np.flatnonzero(labels == one)[: config.candidates] for one in range(len(datamodule.classes))]
    network = zoo.features(config.classifier, OUTPUT, activated=True, role="classifier")
    best: dict[int, tuple[float, Tensor]] = {}
    for x, of, _ in datamodule.in_order(np.concatenate(some)):
        sure = network(x).log_softmax(1)[torch.arange(len(of)), of].tolist()
        for value, label, image in zip(sure, of.tolist(), x, strict=True):
            if label not in best or value > best[label][0]:
                best[label] = (value, image.clone())
    return {label: image for label, (_, image) in best.items()}
