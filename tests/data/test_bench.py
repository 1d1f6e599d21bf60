"""The loader is measured on the words of train.py."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dgn.cli import main
from dgn.data import bench

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("memory", [1, 0])
def test_a_line_with_workers_without_and_from_memory(image_tree, memory, monkeypatch, capsys):
    monkeypatch.setattr(bench, "SECONDS", 0.02)
    main(["data", "bench", f"data.root={image_tree}", "data.resize=20", "data.crop=16", "data.batch_size=4",
          "data.workers=1", f"data.memory_gib={memory}"])  # fmt: skip
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == "imagefolder: 12 images, 16 of 20 px, in batches of 4"
    expected = ["reading with 1 workers", "reading without workers", "from memory, for they fit data.memory_gib"]
    assert [line.split(":")[0] for line in lines[1:]] == expected[: 2 + memory]
    assert all(re.search(r": [1-9]\d* images/s$", line) for line in lines[1:])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bench"], "data.root=DIR"),
        (["bench", "data.rot=x"], "there is no key 'data.rot': did you mean 'root'"),
        (["bench", "data=imagnet"], "did you mean 'imagenet'"),
        (["bench", "data.batch_size=0", "data.root=x"], "out of range"),
        (["prepare"], "SRC, DST: see dgn data prepare --help"),
        (["prepare", "a", "b", "sise=3"], "there is no key 'sise': did you mean 'size'"),
        (["prepare", "a", "b", "size=big"], "size=big is not a whole number"),
        (["measure"], "see dgn data --help"),
        ([], "see dgn data --help"),
    ],
)
def test_a_mistake_is_one_sentence(words, sentence):
    with pytest.raises(SystemExit) as end:
        main(["data", *words])
    assert str(end.value).startswith("error: ") and sentence in str(end.value)
    assert len(str(end.value).splitlines()) == 1


def test_help_needs_no_torch():
    probe = (
        "import sys; from dgn.cli import main\n"
        "try: main(['data', 'prepare', '--help'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "quality: 90" in done.stdout
