"""The folders of the YAML files: `conf` and `experiments`, beside the package in a checkout, inside it when installed.

Hydra looks for a group in the folder of the same name. The group `experiment` is in the folder `experiments`, so it has
its own source; a symbolic link would not survive a clone on Windows.
"""

from importlib.resources import files
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

PACKAGE = Path(str(files("dgn")))
HOME = PACKAGE if (PACKAGE / "conf").is_dir() else PACKAGE.parent
CONF, EXPERIMENTS = HOME / "conf", HOME / "experiments"
GROUP = "experiment"


def folder(group: str) -> Path:
    """The folder of our members of a config group."""
    first, _, below = group.partition("/")
    return EXPERIMENTS / below if first == GROUP else CONF / group


def file(name: str, *more: Path) -> Path | None:
    """The YAML of a config, "synthesize" or "GROUP/MEMBER": ours, or in `more` folders laid out like conf; or None."""
    group, _, member = name.removesuffix(".yaml").rpartition("/")
    places = (folder(group), *(one / group for one in more))
    return next((path for place in places if (path := place / f"{member}.yaml").is_file()), None)


def members(group: str, *more: Path) -> list[str]:
    """The names of a group's members, ours and those in `more` folders laid out like conf; empty for no group."""
    return sorted(
        {path.stem for place in (folder(group), *(one / group for one in more)) for path in place.glob("*.yaml")}
    )


class Experiments(ConfigSource):
    """Hydra's source `experiments://`: one group, whose members are the files of the folder."""

    @staticmethod
    def scheme() -> str:
        return "experiments"

    def load_config(self, config_path: str) -> ConfigResult:
        path = EXPERIMENTS / f"{_member(config_path)}.yaml"
        header = self._get_header_dict(path.read_text(encoding="utf-8"))
        return ConfigResult(provider=self.provider, path=self.full_path(), config=OmegaConf.load(path), header=header)

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        path = config_path.strip("/")
        return path == "" or (path.partition("/")[0] == GROUP and folder(path).is_dir())

    def is_config(self, config_path: str) -> bool:
        name = _member(config_path)
        return bool(name) and (EXPERIMENTS / f"{name}.yaml").is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        path = config_path.strip("/")
        if path.partition("/")[0] != GROUP:
            return [] if results_filter is ObjectType.CONFIG else [GROUP]
        groups = [] if results_filter is ObjectType.CONFIG else _subfolders(folder(path))
        return groups + ([] if results_filter is ObjectType.GROUP else members(path))


def _member(config_path: str) -> str:
    """The member in Hydra's `experiment/NAME` or `experiment/FOLDER/NAME`; "" for another group."""
    group, _, name = config_path.strip("/").removesuffix(".yaml").partition("/")
    return name if group == GROUP else ""


def _subfolders(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.is_dir() and any(path.glob("*.yaml")))


class BesideConf(SearchPathPlugin):
    """Makes Hydra search `experiments` wherever it searches `conf`; other Hydra applications are not affected."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if any(element.path.removeprefix("file://") == str(CONF) for element in search_path.get_path() if element.path):
            search_path.append("dgn", "experiments://")


for plugin in (Experiments, BesideConf):
    Plugins.instance().register(plugin)
