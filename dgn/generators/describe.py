"""What a bundle holds, in words."""

from pathlib import Path

from dgn.generators import bundle, kinds


def info(path: Path, kind: str | None = None) -> str:
    """What a bundle holds, a line a fact; `kind` is the path of the class of its G where it is not dgn's own."""
    contents = bundle.load(path, kinds.named(kind))
    generator, moments = contents.generator, contents.moments
    facts = {
        "file": f"{path}, {path.stat().st_size / 2**20:.1f} MiB",
        "generator": f"{sum(p.numel() for p in generator.parameters()) / 1e6:.1f} M parameters, "
        f"code {tuple(generator.code_shape)} to {generator.size} px",
        "moments": f"of {moments.count} values an element: std {moments.scale:.4g}, "
        f"{100 * float(moments.negative.mean()):.1f} % negative",
        "axes": f"{0 if moments.axes is None else len(moments.axes)} of the codes",
        "codes": f"{len(contents.codes)} of real images",
    }
    facts |= {key: value for key, value in contents.record.items() if key != "errors"}
    facts |= {f"error {name}": f"{value:.4g}" for name, value in contents.record.get("errors", {}).items()}
    return "\n".join(f"{name:<32}{value}" for name, value in facts.items())
