"""Describe the contents of a bundle."""

from pathlib import Path

from dgn.base import images
from dgn.generators import bundle, kinds


def info(path: Path, kind: str | None = None) -> str:
    """The contents of a bundle, one fact per line; `kind` is the import path of its G's class if it is not dgn's."""
    contents = bundle.load(path, kinds.named(kind))
    generator, moments = contents.generator, contents.moments
    facts = {
        "file": f"{path}, {path.stat().st_size / 2**20:.1f} MiB",
        "generator": f"{sum(p.numel() for p in generator.parameters()) / 1e6:.1f} M parameters, "
        f"code {tuple(generator.code_shape)} to {images.px(generator.size)}",
        "moments": f"of {moments.count} values an element: std {moments.scale:.4g}, "
        f"{100 * float(moments.negative.mean()):.1f} % negative",
        "axes": f"{0 if moments.axes is None else len(moments.axes)} of the codes",
        "codes": f"{len(contents.codes)} of real images",
    }
    facts |= {key: value for key, value in contents.record.items() if key != "errors"}
    facts |= {f"error {name}": f"{value:.4g}" for name, value in contents.record.get("errors", {}).items()}
    return "\n".join(f"{name:<32}{value}" for name, value in facts.items())
