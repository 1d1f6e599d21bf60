"""Do pictures of hidden units look like what real images show the units? Both cut to what a unit sees (section 3.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dgn.base import images
from dgn.base.errors import UserError
from dgn.evaluation.patches import patch
from dgn.measures import natural
from dgn.measures.finished import Finished
from dgn.measures.found import Found
from dgn.measures.look import Seen
from dgn.networks import zoo
from dgn.networks.receptive_field import fields
from dgn.paper import judged
from dgn.paper.settings import PaperSettings
from dgn.paper.table import Analysis
from dgn.report import results

SIDE = 64  # to which patches are brought, pixels


def against_patches(folder: Path, settings: PaperSettings, rows: Sequence[object]) -> Analysis:
    """Of each run the KID, in the judge's features, of its pictures to the real patches that fire the units most.

    Of a run LAYER also how much higher it is than that of pixels_LAYER and of places_LAYER. UserError for a run without
    real patches.
    """
    eye, found = judged.eye(settings), dict[str, Found]()
    for table in sorted(folder.glob("*/results.csv")):
        run = Finished.read(table.parent)
        real = [(images.saved(run.folder / one["image"]), one["unit"]) for one in results.read_real(run.folder)]
        if not real:
            raise UserError(f"{run.folder} has no real images: make it again with data.root=DIR real_patches=true")
        pictures = zip(seen_parts(run), run.units, strict=True)
        found[run.name] = natural.distance("kid/patches", look(eye, pictures), look(eye, real))
    told = [replace(one.told(), name=f"{name}: kid/patches") for name, one in found.items()]
    for name, one in found.items():
        for other in (f"pixels_{name}", f"places_{name}"):
            if other in found:
                told.append(replace(one.minus(found[other]), name=f"{name} − {other}: kid/patches"))
    return Analysis(told)


def look(eye: judged.Eye, parts: Iterable[tuple[Tensor, str]]) -> Seen:
    """What the judge sees of images (3, H, W) of any size, each of a unit."""
    pairs = [(images.resize(image[None], SIDE), unit) for image, unit in parts]
    batches = (pairs[start : start + judged.BATCH] for start in range(0, len(pairs), judged.BATCH))
    return eye.look((torch.cat([x for x, _ in some]), [None] * len(some), [of for _, of in some]) for some in batches)


@torch.no_grad()
def seen_parts(run: Finished) -> list[Tensor]:
    """Of each picture of one channel the part (3, H, W) that it sees where it fires most; of vectors the whole."""
    x = torch.cat(list(run.batches()))
    layer, channels = run.about["target"]["layer"], [int(unit.rpartition(":")[2]) for unit in run.units]
    network = zoo.features(judged.target_of(run.folder), layer, activated=False)
    values = network(x)
    if values.ndim == 2:
        return list(x)
    (field,) = fields(network.network, network.contract, [layer])
    places = [
        divmod(int(maps[channel].argmax()), maps.shape[2]) for maps, channel in zip(values, channels, strict=True)
    ]
    return [patch(one, field, at) for one, at in zip(network.contract.fitted(x), places, strict=True)]
