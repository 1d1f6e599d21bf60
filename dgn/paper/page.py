"""docs/paper.md, written anew from the claims' tables: nothing in it is typed by hand but the claims' own words."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dgn.base.files import write_text
from dgn.measures.intervals import Measure
from dgn.paper import networks, table, verdict
from dgn.paper.settings import ClaimSettings, EffectSettings, PaperSettings
from dgn.report.measured import digits

HEAD = """# The paper's claims

**In short.** {short}

Claims of DGN-AM ([Nguyen et al. 2016](https://arxiv.org/abs/1605.09304)), and some that are not in the paper, measured
at 64 px; each with an effect, its 95 % interval and the line that makes it again:

```bash
make paper IMAGES=TINY PLACES=MINIPLACES JUDGE=FILE    # everything that is missing, in order; a stopped one goes on
{commands}
```

`TINY` and `MINIPLACES` are the folders of Tiny ImageNet and MiniPlaces (`train/CLASS/`, `val/CLASS/`), `FILE` is the
judge's weights ([judge.md](judge.md)). This page is written by that command from the claims' tables.

**The verdict** follows from the interval alone: *confirmed* where all of it lies on the claimed side of 0, *refuted*
where all of it lies on the other, else *undecided*; also undecided below {fewest} pictures. Of several effects all must
be confirmed, and one that is refuted refutes the claim. A claim of no correlation is confirmed where the interval lies
within {near:g} of 0, and refuted where all of it lies farther away.

- Intervals are of 95 % and over classes ([measures.md](measures.md#intervals)); over units, pairs of classes or
  settings where the claim is about those. n counts pictures, of a difference those of both runs.
- Settings were chosen on even classes; all classes here are odd ones, but in `ladder` those of EfficientNet-Lite0 and
  Lite1: the same things under ImageNet's numbers, of which some are even, and settings were chosen on those. Hidden
  units are the first of their layer.
- "FIRST − SECOND" is a difference of two runs over the classes that both have. `log2_rank` is the judge's: log₂ of the
  rank that it gives the class, lower where it recognises more; a difference of 1 is a factor of 2 in the rank. Other
  rows as in [measures.md](measures.md#the-measures).
"""
NAMES = {"above": "above 0", "below": "below 0", "none": f"within {verdict.NEAR:g} of 0"}


def write(settings: PaperSettings, docs: Path) -> Path:
    """Write the page of all claims that have a table in `docs`/paper; returns its path.

    A table that lacks a row that decides is from before the claim had it: the claim counts as not measured.
    """
    told = {name: table.read(docs / "paper", settings.first_of(name)) for name in settings.claims}
    told = {name: rows for name, rows in told.items() if decides(settings.claims[name], rows)}
    path = docs / "paper.md"
    write_text(path, text(settings, told, docs))
    return path


def decides(claim: ClaimSettings, rows: Sequence[Measure]) -> bool:
    """Whether a table has every row that decides its claim."""
    return bool(rows) and {effect.name for effect in claim.effects} <= {one.name for one in rows}


def text(settings: PaperSettings, told: Mapping[str, Sequence[Measure]], docs: Path) -> str:
    """The page, of the claims' rows by the claims' names."""
    commands = "\n".join(command(name, settings) for name in told)
    parts = [HEAD.format(commands=commands, fewest=verdict.FEWEST, near=verdict.NEAR, short=_short(settings, told))]
    parts += [_summary(settings, told)] if told else []
    parts += [_section(name, settings, rows, docs) for name, rows in told.items()]
    if records := networks.read(docs / "paper"):
        parts.append(networks.section(records))
    if left := [name for name in settings.claims if name not in told]:
        lines = [f"- `{command(name, settings)}`: {settings.claims[name].claim}" for name in left]
        parts.append("## Not measured yet\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def command(name: str, settings: PaperSettings) -> str:
    """The line that settles a claim, with the paths that it asks for."""
    claim = settings.claims[name]
    words = [*claim.words, *(word for call in claim.measured for word in call.words)]
    words += [*(f"{{{key}}}" for key in claim.reads), *(settings.made[need].line for need in claim.needs)]
    keys = {"{images}": "IMAGES=TINY", "{places}": "PLACES=MINIPLACES", "{judge_weights}": "JUDGE=FILE"}
    paths = [word for key, word in keys.items() if key in " ".join(words)]
    return " ".join(["make paper", f"ONLY={name}", *paths])


def _verdict(claim: ClaimSettings, rows: Sequence[Measure]) -> str:
    found = table.effects(claim, rows)
    return verdict.of_claim([verdict.of_effect(found[one.name], one.claimed) for one in claim.effects])


def _short(settings: PaperSettings, told: Mapping[str, Sequence[Measure]]) -> str:
    """How many claims came out how."""
    if not told:
        return "No claim is measured yet."
    count = Counter(_verdict(settings.claims[name], rows) for name, rows in told.items())
    return f"Of {len(told)} claims measured, " + ", ".join(f"{n} {what}" for what, n in count.most_common()) + "."


def _summary(settings: PaperSettings, told: Mapping[str, Sequence[Measure]]) -> str:
    lines = [
        "| claim | verdict | effect [95 % interval] | n | what differs from the paper |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, rows in told.items():
        claim = settings.claims[name]
        found = table.effects(claim, rows)
        shown = "<br>".join(f"{_code(key)} {interval(one)}" for key, one in found.items())
        counts = "<br>".join(str(one.n) for one in found.values())
        lines.append(
            f"| [{claim.claim}](#{name}) | **{_verdict(claim, rows)}** | {shown} | {counts} | {claim.changes} |"
        )
    return "\n".join(lines) + "\n"


def _section(name: str, settings: PaperSettings, rows: Sequence[Measure], docs: Path) -> str:
    claim = settings.claims[name]
    found = table.effects(claim, rows)
    decided = [_effect(one, found[one.name]) for one in claim.effects]
    parts = [f"## {name}\n", f"{claim.claim} ({claim.section})\n", "\n".join(decided) + "\n"]
    if claim.told:
        parts.append(claim.told.strip() + "\n")
    first = settings.first_of(name)
    if first != name:
        parts.append(f"The figure is that of [{first}](#{first}).\n")
    elif (docs / "images" / f"paper_{name}.jpg").exists():
        parts.append(f"![Pictures and numbers of the claim: {claim.claim}](images/paper_{name}.jpg)\n")
    parts.append(f"All numbers: [paper/{first}.csv](paper/{first}.csv).\n")
    return "\n".join(parts)


def _effect(effect: EffectSettings, one: Measure) -> str:
    why, what = f"; {one.note}" if one.note else "", verdict.of_effect(one, effect.claimed)
    return f"- {_code(effect.name)}: {interval(one)}, n = {one.n}; claimed {NAMES[effect.claimed]}: {what}{why}"


def interval(one: Measure) -> str:
    """A number as people read it, with a minus sign; "none" for a missing one."""
    if one.value != one.value:
        return "none"
    bounds = f" [{digits(one.low)}, {digits(one.high)}]" if one.low == one.low and one.high == one.high else ""
    return re.sub(r"(?<![\de])-", "−", digits(one.value) + bounds)


def _code(name: str) -> str:
    return f"`{name}`"
