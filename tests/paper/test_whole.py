"""Every analysis, whole, on small runs of random networks: what it finds means nothing, that it runs does."""

import json
import math

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from dgn.base import images
from dgn.base.errors import UserError
from dgn.measures.finished import Finished
from dgn.measures.intervals import Measure
from dgn.networks.caffenet import CaffeNet64
from dgn.networks.fooled import Fooled
from dgn.paper import altered, diverse, fooled, growth, ladder, pairs, patches, travel
from tests.conftest import write_images
from tests.run_folders import write_run

FOLDERS = ("n01443537", "n01629819", "n01641577", "n01644900")  # goldfish, European fire salamander, two frogs


@pytest.fixture
def settings(paper, tmp_path):
    """The paper's, with real images of four classes and a judge that knows nothing."""
    torch.manual_seed(0)
    save_file(squeezenet1_1().state_dict(), tmp_path / "judge.safetensors")
    for i, name in enumerate(FOLDERS):
        for j, part in enumerate(("train", "val")):
            write_images(tmp_path / "data" / part / name, 4, 64, first=100 * i + 10 * j)
    return paper(images=str(tmp_path / "data"), judge_weights=str(tmp_path / "judge.safetensors"))


@pytest.fixture
def runs(tmp_path, synthesis):
    """Make finished runs, by their names, of a random network of these classes."""

    def build(*names, classes=FOLDERS, units=("0", "1", "2", "3"), make=CaffeNet64, member="caffenet64"):
        path = tmp_path / "net.safetensors"
        torch.manual_seed(1)
        save_file(make(len(classes)).state_dict(), path, {"classes": "\n".join(classes)})
        target = synthesis(f"network@target={member}", f"target.weights={path}").plain()["target"]
        for name in names:
            run = write_run(tmp_path / "exp" / name, units=units, seeds=1, target=target)
            about = json.loads((run / "manifest.json").read_text())
            (run / "manifest.json").write_text(json.dumps(about | {"contents": {"classes": "b"}}))
        return tmp_path / "exp"

    return build


def values(analysis):
    """The rows that have a value, by their names."""
    return {one.name: one.value for one in analysis.rows if not math.isnan(one.value)}


def test_growth(settings, runs):
    found = growth.growth(runs("at_00250", "at_00500"), settings, [])
    assert {point.series for point in found.points} == {"pictures", "accuracy"} and len(found.points) == 4
    rows = values(found)
    assert {"at_00250: held-out top-1", "at_00250: way of pictures", "at_00500: way of pictures"} <= set(rows)
    assert "pictures − accuracy: mean way" in {one.name for one in found.rows}
    assert rows["at_00500: way of pictures"] == pytest.approx(1)


def test_patches(settings, runs):
    """A channel of a map is compared in what it sees; a run without real images is told what to do."""
    units = ("0", "1", "2", "3")
    folder = runs("conv2", "pixels_conv2", units=units)
    for path in folder.glob("*/manifest.json"):
        about = json.loads(path.read_text())
        path.write_text(json.dumps(about | {"target": about["target"] | {"layer": "conv2"}}))
    with pytest.raises(UserError, match="conv2 has no real images: make it again with"):
        patches.against_patches(folder, settings, [])
    for name in ("conv2", "pixels_conv2"):
        (folder / name / "real").mkdir()
        lines = ["unit,rank,score,name,image"]
        for u, unit in enumerate(units):
            for n in range(2):
                images.save(folder / name / f"real/{u}-{n}.png", torch.rand(3, 9 + n, 11))
                lines.append(f"{unit},{n + 1},1.0,x.png,real/{u}-{n}.png")
        (folder / name / "real.csv").write_text("\n".join(lines) + "\n")
    rows = values(patches.against_patches(folder, settings, []))
    assert set(rows) == {"conv2: kid/patches", "pixels_conv2: kid/patches", "conv2 − pixels_conv2: kid/patches"}
    difference = rows["conv2: kid/patches"] - rows["pixels_conv2: kid/patches"]
    assert rows["conv2 − pixels_conv2: kid/patches"] == pytest.approx(difference)
    (part, *_) = patches.seen_parts(Finished.read(folder / "conv2"))
    assert max(part.shape[1:]) < 64


def test_ladder(settings, runs):
    rows = [Measure(f"{name}: recognised/judge/log2_rank", 5.0, 4.0, 6.0, 4) for name in ("caffenet64", "other")]
    found = ladder.ladder(runs("caffenet64", "other"), settings, rows)
    assert values(found)["other: CKA with caffenet64"] == pytest.approx(1) and len(found.points) == 2


def test_altered(settings, runs):
    classes = (*FOLDERS, *(f"other {name}" for name in FOLDERS))
    units = [str(i) for i in (1, 5, 3, 7)]
    rows = values(altered.altered(runs("bgr", "mosaic", "blur", classes=classes, units=units), settings, []))
    assert {"blur real: told right", "mosaic twin − mosaic plain: called altered",
            "bgr twin: colours of the altered"} <= set(rows)  # fmt: skip


def test_diverse(settings, runs):
    found = diverse.diverse(runs("pictures"), settings, [])
    assert "classes: Spearman of spread by place and log2_rank" in values(found) and len(found.points) == 4


def test_travel(settings, runs):
    assert "codes − pixels: likeness/fc7" in values(travel.travel(runs("codes", "pixels"), settings, []))


def test_two_units(settings, runs):
    runs("both", "in_turn", units=("0.5*0+0.5*1", "0.5*2+0.5*3"))
    found = pairs.both(runs("first", "second", units=("0", "2")), settings, [])
    assert "in_turn − both: worse log2_rank" in {one.name for one in found.rows}


def test_fooled(settings, runs):
    names = ("codes", "pixels", "plain_codes", "codes_wide", "codes_wider")
    rows = values(fooled.fooled(runs(*names, make=Fooled, member="fooled"), settings, []))
    assert {"pixels: log2_rank of the photograph", "codes: class less photograph", "codes: held-out top-1"} <= set(rows)
