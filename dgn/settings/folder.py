"""Where the YAML files are."""

from pathlib import Path

CONF = Path(__file__).parent.parent / "conf"


def members(group: str, *more: Path) -> list[str]:
    """The names of a config group's members, in our folder and in `more` folders laid out like it."""
    return sorted({path.stem for folder in (CONF, *more) for path in (folder / group).glob("*.yaml")})
