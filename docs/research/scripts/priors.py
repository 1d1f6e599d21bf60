"""Which number orders priors as a second network does? `python docs/research/scripts/priors.py OUT`

Draws shapes, trains a small classifier on them (and a second one that takes no part), then the priors of `PRIORS`, from
good to bad. Each is measured on held-out images; OUT/priors.csv keeps the finished ones, so that the command goes on
where it was stopped. `--root DIR` takes other images, with a folder a class in train
and val; `--only NAME` one prior, or several.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shapes
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchmetrics.image.kid import poly_mmd

import dgn
from dgn.evaluation import candidates, inversion, metrics
from dgn.generators.bundle import Bundle
from dgn.networks import zoo
from dgn.networks.features import Features

MIST = {
    "init": None,
    "pixels_first": 0,
    "loss.code.weight": 0.3,
    "generator.widths": [256, 192, 96, 48],
    "module.optimiser_g.lr": 3e-4,
}
PRIORS: dict[str, dict | str] = {  # a bundle that ships, or settings of dgn train
    "caffenet64-fc6": "caffenet64-fc6",
    "efficientnet_lite0-global_pool": "efficientnet_lite0-global_pool",
    "conv3, 30 iterations": {"encoder.layer": "conv3", "iterations": 30},
    "conv3, 100 iterations": {"encoder.layer": "conv3", "iterations": 100},
    "conv3, 500 iterations": {"encoder.layer": "conv3", "iterations": 500},
    "conv3, wide G, 150 iterations": {"encoder.layer": "conv3", "iterations": 150, **MIST, "loss.code.weight": 0},
    "conv1, 150 iterations": {"encoder.layer": "conv1", "iterations": 150},
    "fc1, 250 iterations": {"encoder.layer": "fc1", "iterations": 250},
    "fc1, code term, random G, 200 iterations": {"encoder.layer": "fc1", "iterations": 200, **MIST},
    "fc2, 100 iterations": {"encoder.layer": "fc2", "iterations": 100},
}
EPOCHS = {"net": 30, "second": 12}
INPUT = {"size": shapes.SIDE, "mean": [shapes.MEAN], "std": [shapes.STD]}
JUDGED = ("named", "pictures named")  # in %, by the second network: reconstructions, and pictures of the classes


def networks(root: Path, out: Path) -> dict[str, nn.Module]:
    """The classifier under study and the second one, trained here if OUT has none."""
    kinds: dict[str, Callable[[int], nn.Module]] = {"net": shapes.ShapeNet, "second": shapes.SecondNet}
    made: dict[str, nn.Module] = {}
    for seed, (name, kind) in enumerate(kinds.items()):
        file = out / f"{name}.pth"
        if not file.exists():
            torch.save(shapes.fitted(kind, *shapes.load(root / "train"), EPOCHS[name], seed).state_dict(), file)
        made[name] = kind(len(list((root / "train").iterdir())))
        made[name].load_state_dict(torch.load(file, weights_only=True))
        made[name].eval()
    return made


def encoder(prior: Bundle, net: nn.Module) -> Callable[[Tensor], Tensor]:
    """Images in [0, 1] to the codes that a prior inverts."""
    if prior.record["encoder"] != "shapes.ShapeNet":
        network = candidates.encoder_of(prior, [])
        return zoo.features(network, [str(network.layer)], activated=True)  # type: ignore[union-attr, arg-type]
    names = [name for name, _ in net.named_children()]
    layers = nn.Sequential(*list(net.children())[: names.index(prior.record["layer"]) + 1])
    return lambda images: layers(shapes.normalised(images))


def by_layer(layer: str) -> Features:
    """`caffenet64`, which takes no part in E, at one layer."""
    return zoo.features(candidates.named("caffenet64", layer), layer, activated=True)


def high(images: Tensor) -> float:
    """Share of the images' power above 0.35 cycles a pixel."""
    power = torch.fft.fft2(images - images.mean((2, 3), keepdim=True)).abs().square()
    cycles = torch.fft.fftfreq(images.shape[-1])
    above = (cycles[:, None].square() + cycles.square()).sqrt() > 0.35
    return float(power[..., above].sum() / power.sum())


@torch.no_grad()
def measures(prior: Bundle, nets: dict[str, nn.Module], images: Tensor, labels: Tensor) -> dict[str, float]:
    """The candidates, and how much of the reconstructions the second network names."""
    encode = encoder(prior, nets["net"])
    codes = torch.cat([encode(some) for some in images.split(50)])
    drawn = torch.cat([prior.generator(some) for some in codes.split(50)]).clamp(0, 1)
    again = torch.cat([encode(some) for some in drawn.split(50)])
    row = {
        "named": shapes.right(nets["second"], drawn, labels),
        "code": missed(codes, again),
        "pixels": missed(images, drawn),
        "target names": shapes.right(nets["net"], drawn, labels),
        "power above 0.35": high(drawn) / high(images),
    }
    for layer in ("conv3", "pool5", "fc6"):
        real, fake = (inversion.means(by_layer(layer)(some)) for some in (images, drawn))
        row[f"observer {layer}"] = missed(real, fake)
        row[f"KID {layer}"] = float(poly_mmd(real, fake))
    return row


def missed(real: Tensor, drawn: Tensor) -> float:
    """`metrics.unexplained` of whole tensors."""
    targets, residuals = metrics.Targets(), metrics.Residuals()
    targets.update(real)
    residuals.update(real, drawn)
    return metrics.unexplained(targets, residuals)


def pictures(
    prior: Bundle, net: nn.Module, root: Path, out: Path, *words: str, **more: Any
) -> tuple[Tensor, Tensor, float]:
    """Pictures of every class through a prior, their labels, and their mean score over that of the best real image.

    `words` and `more` are further settings.
    """
    classes = sorted(folder.name for folder in (root / "train").iterdir())
    settings: dict[str, Any] = {
        "classes": classes,
        "input": INPUT,
        "seeds": 3,
        "resume": True,
        "data": {"root": root, "workers": 0},
    }
    made = dgn.synthesize(net, "all", *words, prior=prior, quiet=True, output=out, **settings | more)
    labels = torch.tensor([int(row["unit"]) for row in made.table()])
    relative = [row["relative"] for row in made.table()]
    return made.images, labels, sum(relative) / len(relative)


def trained(name: str, settings: dict | str, root: Path, out: Path, *words: str) -> Bundle:
    """The prior of that name; `words` are further settings."""
    if isinstance(settings, str):
        return dgn.load_bundle(settings)
    folder, own = out / name.replace(", ", "-").replace(" ", "_"), studied(root, out)
    return dgn.load_bundle(
        dgn.train(*words, data={"root": root, "workers": 0}, encoder=own, output=folder, resume=True, **settings)
    )


def studied(root: Path, out: Path) -> dict[str, Any]:
    """The settings of the classifier under study as an encoder."""
    args = {"classes": len(list((root / "train").iterdir()))}
    return {"_target_": "shapes.ShapeNet", "weights": out / "net.pth", "input": INPUT, "args": args}


def report(rows: list[dict[str, str]]) -> None:
    """The priors as a Markdown table, and each number's rank correlation with what the second network names."""
    keys = list(rows[0])
    print(f"| {' | '.join(keys)} |\n|{' --- |' * len(keys)}")
    for row in sorted(rows, key=lambda row: -float(row["named"])):
        print("|", " | ".join(value if key == "prior" else f"{float(value):.3g}" for key, value in row.items()), "|")
    for judged in JUDGED:
        found = {key: spearmanr(*([float(row[k]) for row in rows] for k in (key, judged)))[0] for key in keys[1:]}
        print(
            f"{judged}:",
            ", ".join(f"{key} {found[key]:.2f}" for key in sorted(found, key=lambda key: -abs(found[key]))),
        )


def main() -> None:
    """Every prior that OUT/priors.csv lacks, then the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("out", type=Path)
    words.add_argument("--root", type=Path)
    words.add_argument("--only", nargs="*", choices=PRIORS, default=list(PRIORS), metavar="NAME")
    asked = words.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    root = asked.root or asked.out / "shapes"
    if not root.exists():
        shapes.make(root)
    nets, (images, labels) = networks(root, asked.out), shapes.load(root / "val")
    for name, network in nets.items():
        print(f"{name} names {shapes.right(network, images, labels):.1f} % of the held-out images", flush=True)
    file = asked.out / "priors.csv"
    rows = list(csv.DictReader(file.open())) if file.exists() else []
    for name in asked.only:
        if name in {row["prior"] for row in rows}:
            continue
        prior = trained(name, PRIORS[name], root, asked.out)
        row = {"prior": name, **measures(prior, nets, images, labels)}
        made, wanted, row["relative"] = pictures(prior, nets["net"], root, asked.out / "pictures" / name)
        row["pictures named"] = shapes.right(nets["second"], made, wanted)
        rows.append({key: str(value) for key, value in row.items()})
        with file.open("w", newline="") as table:
            writer = csv.DictWriter(table, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        print(rows[-1], flush=True)
    report(rows)


if __name__ == "__main__":
    main()
