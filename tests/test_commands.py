"""Every command line in the documents composes, and every experiment runs."""

import argparse
import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import dgn.app.__main__
import dgn.benchmark.__main__
import dgn.data.__main__
import dgn.networks.__main__
from dgn import config as settings
from dgn import mistakes
from dgn.sweeps import jobs
from tests.commands import ROOT, run

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "dgn/assets").glob("*.md"))]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


def lines(path: Path) -> list[str]:
    """The lines of a document's shell blocks that run one of our commands, continuations joined, comments cut."""
    found = []
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", line).strip().removeprefix("$ ")
            if re.match(r"(\S*python|make)\b", line):
                found.append(line)
    return found


class Parsed(BaseException):
    """A module's command line that its own parser has taken; nothing after the parser runs."""


@pytest.fixture
def parse(monkeypatch):
    """What the parser of a module makes of its words; the test fails where it refuses one."""
    parsers = argparse.ArgumentParser

    def stops(take):
        def stop(parser, *typed):
            raise Parsed(take(parser, *typed))

        return stop

    def build(module: str, *words: str) -> argparse.Namespace:
        with monkeypatch.context() as patch:
            patch.setattr(parsers, "parse_args", stops(parsers.parse_args))
            patch.setattr(parsers, "parse_intermixed_args", stops(parsers.parse_intermixed_args))
            with pytest.raises(Parsed) as parsed:
                run("-m", module, *words)
        return parsed.value.args[0]

    return build


def check_module(module, words, parse, config):
    """Read the words of `python -m MODULE`, and of those that are settings or choices what they mean."""
    if module == "pytest":
        assert all((ROOT / word).exists() for word in words)
        return
    asked = parse(module, *words)
    if module == "dgn.data":
        dgn.data.__main__.composed("train" if asked.command == "bench" else asked.command, asked.words)
    elif module == "dgn.app":
        config("synthesize", *asked.words)
    elif module == "dgn.benchmark":
        assert dgn.benchmark.__main__.chosen(asked.sections, asked.quick)
    elif module == "dgn.networks":
        assert dgn.networks.__main__.target(asked.name, asked.words, asked.config_dir)["_target_"]


def every_word(combinations):
    """As many of a sweep's points as have every value of every key."""
    seen = set()
    for point in combinations:
        if not seen.issuperset(point):
            yield point
        seen.update(point)


def check_words(command, words):
    """Compose the words and check what Hydra does not see, as the command does before its task."""
    with initialize_config_dir(version_base="1.3", config_dir=str(settings.CONF)):
        composed = compose(command, overrides=settings.words(command, list(words)), return_hydra_config=True)
        choices = composed.hydra.runtime.choices
        OmegaConf.set_struct(composed, False)
        composed.pop("hydra")
        mistakes.check(composed, choices, command)


@pytest.mark.parametrize("line", sorted({line for path in DOCUMENTS for line in lines(path)}))
def test_a_command_line_of_the_documents_composes(line, parse, config):
    typed = shlex.split(line)
    if typed[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in typed[1:] if "=" not in word} <= set(targets)
        return
    if typed[1] == "-m":
        check_module(typed[2], typed[3:], parse, config)
        return
    if any(word.startswith("--config-dir") for word in typed):
        return  # a folder of one's own: tests/test_own_network.py runs it
    script = Path(typed[1])
    assert (ROOT / script).exists()
    if script.name in {"train.py", "synthesize.py"}:
        words = [word for word in typed[2:] if not word.startswith("-")]
        for point in every_word(jobs.combinations(words)) if "-m" in typed else [words]:
            check_words(script.stem, point)


@pytest.mark.parametrize(
    "words", [["dgn.report", "pages", "a"], ["dgn.generators.bundle", "inf", "x"], ["dgn.loggers.dashboard", "lab"]]
)
def test_a_flag_that_a_module_does_not_have_is_found(words, parse):
    with pytest.raises(AssertionError, match="usage: python -m"):
        parse(*words)


def test_the_documents_have_command_lines():
    assert len(lines(ROOT / "README.md")) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_runs(path, tmp_path):
    first = path.read_text().splitlines()
    script = next(line.split()[2] for line in first if line.startswith("# python "))
    words = [f"experiment={path.stem}", "debug=true", f"output={tmp_path}/out"]
    if script == "train.py":
        words += ["data=photos", *(["data.resize=256", "data.crop=227"] if "imagenet" in path.read_text() else [])]
    run(ROOT / script, *words, cwd=tmp_path)
