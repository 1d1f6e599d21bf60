"""From a claim's finished runs to its table, its figure and its verdict."""

from pathlib import Path

from dgn.paper import figures, steps, table, verdict
from dgn.paper.settings import PaperSettings


def settle(name: str, settings: PaperSettings) -> verdict.Verdict:
    """Write a claim's table and figure from its runs; what the verdict is."""
    claim, docs = settings.claims[name], Path(settings.docs)
    folder = steps.pictures(claim)
    rows = table.collected(claim)
    found = table.analysed(name, folder, settings, rows)
    rows += found.rows
    effects = table.effects(claim, rows)
    kept = settings.first_of(name)
    figures.write(docs / "images" / f"paper_{kept}.jpg", folder, rows, claim.shown, found, claim.unpictured)
    table.write(docs / "paper", kept, rows, found.points)
    return verdict.of_claim([verdict.of_effect(effects[one.name], one.claimed) for one in claim.effects])
