"""The loader is measured on the words of train.py."""

import re

import pytest

from dgn.benchmark import image_loading
from dgn.cli import main


@pytest.mark.parametrize("memory", [1, 0])
def test_a_line_with_workers_without_and_from_memory(image_tree, memory, monkeypatch, capsys):
    monkeypatch.setattr(image_loading, "SECONDS", 0.02)
    main(["data", "bench", f"data.root={image_tree}", "data.resize=20", "data.crop=16", "data.batch_size=4",
          "data.workers=1", f"data.memory_gib={memory}"])  # fmt: skip
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1] == "imagefolder: 12 images, 16 of 20 px, in batches of 4"
    expected = ["reading with 1 workers", "reading without workers", "reading from memory (they fit data.memory_gib)"]
    assert [line.split(":")[0] for line in lines[2:]] == expected[: 2 + memory]
    assert all(re.search(r": [1-9]\d* images/s$", line) for line in lines[2:])
