"""Find the file of a bundle by name or path."""

from collections.abc import Mapping
from pathlib import Path

from dgn.base import hub
from dgn.base.errors import MissingFile, UserError, nearest
from dgn.base.files import newest

ASSETS = Path(__file__).parents[1] / "assets"


def shipped() -> dict[str, Path]:
    """The bundles that ship with dgn, by name."""
    return {path.stem.removesuffix(".bundle"): path for path in sorted(ASSETS.glob("*.bundle.safetensors"))}


def find(name: str, inverts: Mapping[str, str] | None = None) -> Path:
    """The file of a bundle: one that ships with dgn, by its name; a path; one on the hub (`hf://OWNER/NAME/FILE`); or
    the one in a folder that `inverts` names.

    `inverts` has the network, the layer and the data of the bundle that is meant, as dgn train names its files; a * in
    them fits anything.
    """
    known = shipped()
    if name in known:
        return known[name]
    if hub.is_name(name):
        return hub.fetch(name)
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if path.is_dir() and inverts:
        return _within(path, inverts)
    if path.suffix and (beside := newest(path.parent, "*.bundle.safetensors")):
        raise UserError(f"there is no bundle {name!r}: set bundle={beside}, which lies in the same folder")
    message = f"there is no bundle {name!r}: {nearest(name, known)} (or give the path of a file that dgn train wrote)"
    raise MissingFile(message, name)


def _within(folder: Path, inverts: Mapping[str, str]) -> Path:
    """The one bundle in a folder, at any depth, that `inverts` fits."""
    network, layer, data = (inverts[key] for key in ("network", "layer", "data"))
    stem = f"{network}-{layer}-{data}"
    matching = sorted(folder.rglob(f"{stem.replace('[', '[[]')}.bundle.safetensors"))
    if len(matching) > 1:
        raise UserError(
            f"{folder} holds {len(matching)} bundles {stem}: set bundle to one of {', '.join(map(str, matching))}"
        )
    if not matching and (other := newest(folder, "*.bundle.safetensors")):
        raise UserError(f"there is no bundle {stem} in {folder}: to use another, set bundle={other}")
    if not matching:
        words = f"network@encoder={network} encoder.layer={layer}" + (f" data={data}" if data != "*" else "")
        output = folder / stem.removesuffix("-*")
        raise UserError(f"there is no bundle {stem} in {folder}: make it by dgn train {words} output={output}")
    return matching[0]
