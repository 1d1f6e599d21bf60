"""Various: how much a unit's pictures differ from one another, against how much pictures of different units do.

1: the seeds of a unit differ as much as units do; 0: they are all alike. Beside it the same of real images. The
distances are Euclidean ones of a judge's features, and LPIPS (Zhang et al. 2018) where the weights are at hand.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from dgn.base.errors import UserError
from dgn.measures.found import Found, Statistic, Unmeasured
from dgn.measures.look import Seen
from dgn.measures.natural import Pairs
from dgn.measures.subject import NO_CLASS, NO_DATA, Subject
from dgn.training.perceptual import Lpips

OTHERS = 4  # pictures of other units that each picture is compared with by LPIPS
ONE_SEED = "one picture a unit: set seeds=2 or more"


def measure(subject: Subject) -> list[Found]:
    """The ratio in every judge's features and by LPIPS, of the pictures and of real images of their classes."""
    found: list[Found] = []
    for eye in subject.tools.eyes:
        name = f"various/features/{eye!r}"
        found.append(of_features(name, subject.seen(eye)))
        if why := without(subject):
            found.append(Unmeasured(f"{name}/real", why))
        else:
            found.append(of_features(f"{name}/real", subject.seen_real(eye)))
    if not subject.tools.eyes:
        found.append(Unmeasured("various/features", "no judge: set network@judge=NAME judge.weights=FILE"))
    return [*found, *lpips(subject)]


def without(subject: Subject) -> str:
    """Why there are no real images of the pictures' classes; "" where there are."""
    try:
        return NO_DATA if subject.real is None else "" if subject.unit_of else NO_CLASS
    except UserError as error:
        return str(error)


def of_features(name: str, seen: Seen) -> Found:
    """The ratio by Euclidean distances of features."""
    features = seen.features.double()
    return ratio(name, torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist"), seen.classes)


def ratio(name: str, distances: Tensor, classes: Sequence[str]) -> Found:
    """Mean distance within a class over that between classes, from all distances (N, N); NaN of pairs that are none."""
    if len(set(classes)) == len(classes):
        return Unmeasured(name, ONE_SEED)
    if len(set(classes)) == 1:
        return Unmeasured(name, "one unit: nothing to compare its pictures with")
    of = np.asarray(classes, object)
    same, values = of[:, None] == of[None], distances.numpy()
    there = ~np.isnan(values) & ~np.eye(len(of), dtype=bool)
    pairs = {
        which: (Pairs(np.where(chosen, values, 0), classes, classes), Pairs(chosen.astype(float), classes, classes))
        for which, chosen in (("within", there & same), ("between", there & ~same))
    }

    def value(kept: Collection[str]) -> float:
        mean = {which: sums.mean(kept) / (count.mean(kept) or np.nan) for which, (sums, count) in pairs.items()}
        return float(mean["within"] / mean["between"])

    return Statistic(name, value, classes)


def lpips(subject: Subject) -> list[Found]:
    """The ratio by LPIPS; one sentence where the package or the backbone's weights are missing."""
    settings, name = subject.settings.lpips, f"various/lpips-{subject.settings.lpips.backbone}"
    if settings.weights is None:
        return [Unmeasured(name, "no weights of its network: set lpips.weights=FILE, torchvision's")]
    if len(set(subject.run.units)) == len(subject.run.units):
        return [Unmeasured(name, ONE_SEED)]
    model = subject.tools.once("lpips", lambda: Lpips(settings.backbone, str(settings.weights)))
    model = model.to(subject.tools.device)
    found = [ratio(name, perceptual(model, subject.run.batches(), subject.run.units), subject.run.units)]
    if why := without(subject):
        return [*found, Unmeasured(f"{name}/real", why)]
    assert subject.real is not None
    batches = list(subject.real.of(list(subject.unit_of)))
    units = [subject.unit_of[one] for _, names in batches for one in names]
    key = ("lpips", subject.run.shape, tuple(subject.unit_of.items()))
    distances = subject.tools.once(key, lambda: perceptual(model, (x for x, _ in batches), units))
    return [*found, ratio(f"{name}/real", distances, units)]


@torch.no_grad()
def perceptual(model: Lpips, batches: Iterable[Tensor], classes: Sequence[str]) -> Tensor:
    """LPIPS (N, N) of images (N, C, H, W) in [0, 1]: within a class, and between each and `OTHERS` more; else NaN."""
    images = torch.cat([x.expand(-1, 3, -1, -1) for x in batches])
    out = torch.full((len(images), len(images)), torch.nan, dtype=torch.float64)
    chosen = pairs(classes)
    device = next(model.parameters()).device
    for start in range(0, len(chosen), 64):
        part = chosen[start : start + 64]
        i, j = part[:, 0], part[:, 1]
        first, second = model.all(images[i].to(device)), model.all(images[j].to(device))
        value = sum((first[k] - second[k]).square().sum(1).mean((1, 2)) for k in first)
        out[i, j] = out[j, i] = value.double().cpu()  # type: ignore[union-attr]
    return out


def pairs(classes: Sequence[str]) -> Tensor:
    """(pairs, 2) places of images: all pairs of a class, and for each image `OTHERS` of other classes, always the same.

    Which others does not depend on the order of the images' classes: neighbours in a list of classes are often alike.
    """
    members: dict[str, list[int]] = {}
    for i, one in enumerate(classes):
        members.setdefault(one, []).append(i)
    same = [(i, j) for those in members.values() for n, i in enumerate(those) for j in those[n + 1 :]]
    names = sorted(members)
    order = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    between = [
        (i, others[n % len(others)])
        for place, one in enumerate(order)
        for shift in range(1, min(OTHERS, len(order) - 1) + 1)
        for others in [members[order[(place + shift) % len(order)]]]
        for n, i in enumerate(members[one])
    ]
    return torch.tensor(same + between).reshape(-1, 2)
