"""Remove private paths from what a page shows: names of files stay, folders of the machine go."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

# An absolute path inside other words. A slash after a letter or a digit is a relative path, a share or a web address.
NAME = r"""[^\s\\/'",;:=\[\](){}<>|]+"""
PATH = re.compile(rf"(?<![\w./\\<])(?:file:/{{2,3}}|(?:~[\w.-]*|[A-Za-z]:)?[\\/]){NAME}(?:[\\/]+{NAME})*[\\/]*")
ABSOLUTE = re.compile(r"(?:~[\w.-]*[\\/]|[A-Za-z]:[\\/]|[\\/])[^\n]+")


def names_only(value: Any) -> Any:
    """Text, or plain data, with every absolute path cut down to its last part."""
    if isinstance(value, Mapping):
        return {names_only(key): names_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [names_only(item) for item in value]
    if not isinstance(value, str):
        return value
    key, equals, path = value.rpartition("=") if re.match(r"[\w.@+-]+=[^=]*$", value) else ("", "", value)
    if ABSOLUTE.fullmatch(path):  # the whole text, or the value of a word, is a path: it may have spaces in it
        return key + equals + _last(path)
    return PATH.sub(lambda match: _last(match[0]), value)


def settings(text: str) -> str:
    """A run's `config.yaml`, as a page shows it."""
    notes = "".join(line + "\n" for line in text.splitlines() if line.startswith("#"))
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError:
        return names_only(text)
    return notes + yaml.safe_dump(names_only(config), sort_keys=False, allow_unicode=True)


def _last(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
