"""Every command line in the documents is taken by its command and checked, and every experiment runs."""

import itertools
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file

from dgn import settings
from dgn.base.typed import validated
from dgn.cli.data import training
from dgn.cli.main import COMMANDS
from dgn.cli.networks import target
from dgn.cli.run import model
from dgn.data.settings import PrepareSettings
from dgn.measures.settings import MeasureSettings
from dgn.networks.caffenet import CaffeNet64
from dgn.networks.fooled import Fooled
from dgn.networks.small import ResNet64, Vgg64
from dgn.paper import steps
from dgn.settings.check import check
from dgn.sweeps import jobs
from dgn.synthesis.settings import SearchSettings
from tests.commands import ROOT, run

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "dgn/assets").glob("*.md")),
]
EXPERIMENTS = sorted([*(ROOT / "experiments").glob("*.yaml"), *(ROOT / "experiments/paper").glob("*.yaml")])
RANDOM = {  # networks of other shapes than the shipped one, with weights of no training
    "altered": lambda: CaffeNet64(classes=400),
    "fooled": Fooled,
    "wide": lambda: CaffeNet64(width=2),
    "vgg64": Vgg64,
    "resnet64": ResNet64,
}
SCRIPTS = {"train.py": "train", "synthesize.py": "synthesize"}


def lines(path: Path) -> list[str]:
    """The lines of a document's shell blocks that run one of our commands, continuations joined, comments cut."""
    found = []
    for block in re.findall(r"```(?:bash|sh|console)\n(.*?)```", path.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*$", "", line).strip().removeprefix("$ ")
            if re.match(r"(\S*python|make|dgn)\b", line):
                found.append(line)
    return found


def check_run(command, words):
    """Compose and check a run's words as the command does before its task; of a sweep's points as many as needed."""
    if any(word.startswith("--config-dir") for word in words):
        return  # a folder of one's own: tests/test_own_network.py runs it
    settings_typed = [word for word in words if not word.startswith("-")]
    for point in every_value(jobs.combinations(settings_typed)) if "-m" in words else [settings_typed]:
        composed = settings.composed(command, settings.words(command, list(point)))
        composed.config.logger = {}  # it asks for the run's folder
        composed.config.output = "unused"
        check(composed, model(command, composed.config))


def every_value(points):
    """The first points of a sweep that have between them every value of every key."""
    seen = set()
    for point in points:
        if not seen.issuperset(point):
            yield point
        seen.update(point)


def check_command(name, words):
    """Have a command's own parser take its words, and check those that are settings or choices."""
    if name in {"train", "synthesize"}:
        check_run(name, words)
        return
    command = import_module(COMMANDS[name][0])
    if name == "measure":
        assert check(command.request(words)[1], MeasureSettings).measures
        return
    if name == "search":
        composed = command.request(words)
        composed.config.score = {"_target_": "dgn.synthesis.exchange.Exchange"}  # a reader's own cannot be imported
        assert check(composed, SearchSettings).units
        return
    if name == "paper":
        assert command.request(words)
        return
    parser = command.parser()
    asked = (parser.parse_intermixed_args if name in {"app", "networks"} else parser.parse_args)(words)
    if name == "app":
        check_run("synthesize", asked.words)
    elif name == "networks":
        assert target(asked.name, asked.words, asked.config_dir).builder
    elif name == "benchmark":
        assert command.chosen(asked.sections, asked.quick)
    elif name == "data" and asked.command in {"bench", "spectrum"}:
        training(asked.words)
    elif name == "data":
        keys = settings.composed("prepare", settings.words("prepare", asked.words)).config
        validated(PrepareSettings, settings.plain(keys))


@pytest.mark.parametrize("line", sorted({line for path in DOCUMENTS for line in lines(path)}))
def test_a_command_line_of_the_documents_is_taken(line):
    first, *typed = shlex.split(line)
    if first == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in typed if "=" not in word} <= set(targets)
    elif first == "dgn":
        check_command(typed[0], typed[1:])
    elif typed[:2] == ["-m", "pytest"]:
        assert all((ROOT / path).exists() for path in typed[2:])
    elif typed[:2] == ["-m", "dgn"]:
        check_command(typed[2], typed[3:])
    else:
        assert (ROOT / typed[0]).exists()
        if typed[0] in SCRIPTS:
            check_run(SCRIPTS[typed[0]], typed[1:])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("report pages a", "write dgn report page pages"),
        ("bundle inf x", "write dgn bundle info inf"),
        ("dashboard lab", "--entity"),
        ("networks resnet5", "no network 'resnet5'"),
        ("benchmark synthesys", "no section"),
        ("data prepare a b sise=3", "sise"),
        ("app ascent.stepps=3", "stepps"),
        ("measure out per_clas=3", "per_clas"),
        ("search unit=3", "unit"),
        ("search units=0", "units=0 is out of range"),
        ("measure out measures=[drive]", "did you mean 'driven'"),
        ("synthesize ascent.steps=abc", "ascent.steps=abc"),
        ("train -m seed=0,-1", "seed=-1"),
    ],
)
def test_a_wrong_word_in_a_documented_line_would_be_found(line, sentence):
    name, *words = line.split()
    with pytest.raises(Exception, match=re.escape(sentence)) as error:
        check_command(name, words)
    assert not isinstance(error.value, AssertionError)


def test_the_documents_have_command_lines():
    assert len(lines(ROOT / "README.md")) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_runs(path, tmp_path):
    first = path.read_text().splitlines()
    command = next(line.split()[2] for line in first if line.startswith("# dgn "))
    stand_ins(tmp_path, path.read_text())
    name = path.relative_to(ROOT / "experiments").with_suffix("")
    words = [f"experiment={name}", "debug=true", f"output={tmp_path}/out"]
    if command == "train":
        words += ["data=photos", *(["data.resize=256", "data.crop=227"] if "imagenet" in path.read_text() else [])]
    if any("data.root=DIR" in line for line in first) and command == "synthesize":
        words += [f"data.root={images_of_two_classes(tmp_path / 'images')}"]
    run(ROOT / f"{command}.py", *words, cwd=tmp_path)


def stand_ins(folder, experiment):
    """Other files where an experiment names networks and generators that are trained first."""
    for name in set(re.findall(rf"{steps.FOLDER}/[\w/-]+(?:\.bundle)?\.safetensors", experiment)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if ".bundle." in name:
            path.symlink_to(ROOT / "dgn/assets/caffenet64-fc6.bundle.safetensors")
        elif own := next((make for word, make in RANDOM.items() if word in path.stem), None):
            network = own()
            names = "\n".join(f"class {i}" for i in range(list(network.state_dict().values())[-1].numel()))
            save_file(network.state_dict(), path, {"classes": names})  # as dgn train writes it
        else:
            path.symlink_to(ROOT / "dgn/assets/caffenet64.safetensors")


def images_of_two_classes(folder):
    """A data set with the classes of the race's first two units."""
    for part, name in itertools.product(("train", "val"), ("jellyfish", "snail")):
        (folder / part / name).mkdir(parents=True)
        for i in range(2):
            Image.effect_noise((64, 64), 40 + i).convert("RGB").save(folder / part / name / f"{i}.png")
    return folder
