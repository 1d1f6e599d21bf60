"""`dgn bundle import`: from the published files to a bundle, and the paper's procedure with it."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dgn.base.errors import UserError
from dgn.cli import bundle as command
from dgn.generators import bundle
from tests import released
from tests.commands import ROOT, run, table

OUT = "caffenet-norm1-released.bundle.safetensors"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the generator for norm1 and a file of bounds; the current one."""
    monkeypatch.chdir(tmp_path)
    torch.save(released.generator("norm1"), "g.pt")
    write_bounds(tmp_path, "norm1.txt", 96)
    return tmp_path


def write_bounds(folder, name, count):
    for k in (1, 3):
        (folder / f"{k}x").mkdir(exist_ok=True)
        (folder / f"{k}x" / name).write_text(" ".join(str(1 + 3 * k + i % 2) for i in range(count)))


def test_from_bounds(folder, capsys):
    command.run(["import", "g.pt", "--layer", "norm1", "--bounds", "1x/norm1.txt", "3x/norm1.txt"])
    assert "licence: non-commercial use, as the authors" in capsys.readouterr().out
    made = bundle.load(folder / OUT)
    assert (made.record["encoder"], made.record["layer"], made.record["encoder_size"]) == ("caffenet", "norm1", 227)
    assert torch.equal(made.moments.mean.flatten()[:2], torch.tensor([1.5, 2.5]))
    assert made.codes.shape == (0, 96, 27, 27)
    command.run([OUT])
    shown = capsys.readouterr().out
    assert "code (96, 27, 27) to 240 px" in shown
    assert "non-commercial" in shown
    assert "with prior.round=floor its bounds are exact; std is known to ±0.5" in shown
    with pytest.raises(UserError, match="exists: set another --output"):
        command.run(["import", "g.pt", "--layer", "norm1", "--bounds", "3x/norm1.txt"])


@pytest.mark.parametrize("suffix", ["npy", "safetensors"])
def test_from_codes(folder, suffix):
    codes = torch.rand(5, 96 * 27 * 27)
    np.save("codes.npy", codes.numpy())
    save_file({"any": codes.view(5, 96, 27, 27)}, "codes.safetensors")
    command.run(["import", "g.pt", "--layer", "norm1", "--codes", f"codes.{suffix}", "--output", "a/b.safetensors"])
    made = bundle.load(folder / "a/b.safetensors")
    torch.testing.assert_close(made.moments.mean, codes.view(5, 96, 27, 27).mean((0, 2, 3)).view(96, 1, 1))
    assert made.codes.shape == (5, 96, 27, 27)
    assert made.record["moments of"] == f"5 codes in codes.{suffix}"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--layer norm1", "one of the arguments --bounds --codes --images is required"),
        ("--layer norm1 --bounds 3x/norm1.txt --codes c.npy", "not allowed with"),
        ("--layer norm1 --images .", "set --weights=FILE"),
        ("--layer norm3 --bounds 3x/norm1.txt", "did you mean 'norm"),
        ("--layer norm1 --bounds 2x/norm1.txt", "set --bounds to an existing file"),
        ("--layer norm2 --bounds 3x/norm1.txt", "has 96 bounds"),
        ("--layer norm2 --codes c.npy", r"save codes of shape \(N, 256, 13, 13\)"),
        ("--layer norm2 --bounds 3x/norm2.txt", "is a generator for norm1, not for norm2"),
        ("--layer norm1 --bounds 3x/norm1.txt --size 300", "set --size to 1 to 240"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(folder, words, sentence):
    np.save("c.npy", np.ones((3, 4), np.float32))
    write_bounds(folder, "norm2.txt", 256)
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match=sentence):
        command.run(["import", "g.pt", *words.split()])
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_the_papers_procedure_from_the_published_files(tmp_path, images_in):
    torch.save(released.generator("fc6"), tmp_path / "g.pt")
    torch.save(released.caffenet(), tmp_path / "caffenet.pt")
    write_bounds(tmp_path, "fc6.txt", 4096)
    write = ["-m", "dgn", "bundle", "import", "g.pt", "--layer", "fc6", "--weights", "caffenet.pt", "--size", "227"]
    images_in(tmp_path / "images/some", 3)
    (tmp_path / "images/broken.png").write_text("no image")
    printed, _ = run(*write, "--images", "images", "--output", "seen.safetensors", cwd=tmp_path)
    assert "moments: CaffeNet's codes of 3 images" in printed
    assert "skipped images/broken.png" in printed
    assert bundle.load(tmp_path / "seen.safetensors").codes.shape == (3, 4096)
    run(*write, "--bounds", "1x/fc6.txt", "3x/fc6.txt", "--output", "fc6.safetensors", cwd=tmp_path)
    words = [
        "experiment=nguyen2016",
        "bundle=fc6.safetensors",
        "target.weights=caffenet.pt",
        "debug=true",
        "output=out",
    ]
    run(ROOT / "synthesize.py", *words, cwd=tmp_path)
    assert [row["unit"] for row in table(tmp_path / "out/results.csv")] == ["mask", "library"]
