"""Describe the contents of a bundle."""

import html
from pathlib import Path
from typing import Any

import yaml

from dgn.base import images
from dgn.generators import bundle, kinds


def info(path: Path, kind: str | None = None) -> str:
    """The contents of a bundle, one fact per line; `kind` is the import path of its G's class if it is not dgn's."""
    return "\n".join(f"{name:<32}{value}" for name, value in facts(path, kind).items())


def card(path: Path, kind: str | None, name: str) -> str:
    """The page of a bundle that is called `name` on the hub: what it is, how to use it, its contents as a table.

    Its licence is the record's; a record without one leaves it out.
    """
    known = facts(path, kind) | {"file": f"{path.name}, {path.stat().st_size / 2**20:.1f} MiB"}
    licence = {"license": "other", "license_name": known["licence"]} if "licence" in known else {}
    head = yaml.safe_dump({"library_name": "dgn", "tags": ["dgn", "feature-visualization"], **licence}, sort_keys=False)
    inverts = f" It inverts {known['layer']} of {known['encoder']}." if {"layer", "encoder"} <= known.keys() else ""
    rows = "\n".join(f"| {key} | {_cell(value)} |" for key, value in known.items())
    own = f" generator.kind={kind}" if kind else ""
    return (
        f"---\n{head}---\n\n# {path.name.removesuffix('.bundle.safetensors')}\n\n"
        f"A prior for `dgn`: a generator and the moments of its code.{inverts}\n\n"
        f"```bash\ndgn synthesize bundle={name}{own} units=lemon\n```\n\n| | |\n| --- | --- |\n{rows}\n"
    )


def _cell(value: Any) -> str:
    """A value as text of a table's cell, in which nothing is a link, a tag or another cell."""
    return html.escape(" ".join(str(value).split()), quote=False).translate({ord(c): f"\\{c}" for c in "|[]*_`"})


def facts(path: Path, kind: str | None) -> dict[str, Any]:
    """The contents of a bundle, by name."""
    contents = bundle.load(path, kinds.named(kind))
    generator, moments = contents.generator, contents.moments
    found = {
        "file": f"{path}, {path.stat().st_size / 2**20:.1f} MiB",
        "generator": f"{sum(p.numel() for p in generator.parameters()) / 1e6:.1f} M parameters, "
        f"code {tuple(generator.code_shape)} to {images.px(generator.size)}",
        "moments": f"of {moments.count} values an element: std {moments.scale:.4g}, "
        f"{100 * float(moments.negative.mean()):.1f} % negative",
        "axes": f"{0 if moments.axes is None else len(moments.axes)} of the codes",
        "codes": f"{len(contents.codes)} of real images",
    }
    found |= {key: value for key, value in contents.record.items() if key != "errors"}
    return found | {f"error {name}": f"{value:.4g}" for name, value in contents.record.get("errors", {}).items()}
