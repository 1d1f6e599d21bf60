"""Recognised: how often networks name the class that a picture was made for.

Of each network top-1, top-5 and the mean of log₂ of the class's rank, which unlike the shares also tells pictures apart
that are all named right or all named wrong: 0 is always first, about 8.5 is chance among 1000 classes.
"""

import math
from collections.abc import Sequence

from dgn.base.errors import UserError
from dgn.measures.found import Found, Numbers, Unmeasured, log2
from dgn.measures.look import Eye
from dgn.measures.subject import NO_CLASS, NO_DATA, Subject

KINDS = ("top1", "top5", "log2_rank")


def measure(subject: Subject) -> list[Found]:
    """By the target itself, and by every judge, with real images and their reconstructions beside it."""
    rows = subject.run.rows
    ranks = [math.nan if row.rank is None or row.unit.startswith("-") else float(row.rank) for row in rows]
    found = of_ranks("recognised/target", ranks, subject.run.units, "no unit is one of the target's outputs")
    if not subject.tools.eyes:
        return [*found, Unmeasured("recognised/judge/top1", "no judge: set network@judge=NAME judge.weights=FILE")]
    for eye in subject.tools.eyes:
        seen = subject.seen(eye)
        why = f"{eye.name} has no class that a picture was made for"
        found += of_ranks(f"recognised/{eye.name}", seen.ranks, seen.classes, why)
        found += beside(subject, eye)
    return found


def of_ranks(name: str, ranks: Sequence[float], classes: Sequence[str], why: str, which: str = "") -> list[Found]:
    """Top-1, top-5 and log₂ of ranks from 1; NaN where there is none, and they do not count.

    Args:
        why: what to say if there is none at all.
        which: appended to the names: "/real".
    """
    pairs = [(rank, one) for rank, one in zip(ranks, classes, strict=True) if not math.isnan(rank)]
    if not pairs:
        return [Unmeasured(f"{name}/{kind}{which}", why) for kind in KINDS]
    known, names = [rank for rank, _ in pairs], [one for _, one in pairs]
    values = [
        [float(rank <= 1) for rank in known],
        [float(rank <= 5) for rank in known],
        [log2(rank) for rank in known],
    ]
    return [
        Numbers(f"{name}/{kind}{which}", value, names, share=kind != KINDS[2])
        for kind, value in zip(KINDS, values, strict=True)
    ]


def beside(subject: Subject, eye: Eye) -> list[Found]:
    """The judge's figures on real images of the same classes and size, and on what G makes of their codes."""
    name, found = f"recognised/{eye.name}", list[Found]()
    for which in ("/real", "/reconstructions"):
        try:
            if subject.real is None:
                raise UserError(NO_DATA)
            if not subject.unit_of:
                raise UserError(NO_CLASS)
            seen = subject.seen_real(eye, subject.reconstruct if which == "/reconstructions" else None)
        except UserError as error:
            found += [Unmeasured(f"{name}/{kind}{which}", str(error)) for kind in KINDS]
            continue
        found += of_ranks(name, seen.ranks, seen.classes, f"{eye.name} has none of these classes", which)
    return found
