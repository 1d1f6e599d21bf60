"""A synthesis that a signal ends leaves with the signal's code, keeps its finished batches, and goes on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(small_bundle, out, *words):
    call = [sys.executable, str(ROOT / "synthesize.py"), f"bundle={small_bundle}", "units=[0-11]", "seeds=1",
            "batch_size=2", "ascent.steps=20", f"output={out}", *words]  # fmt: skip
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_a_synthesis_that_is_stopped_goes_on_to_the_same_pictures(small_bundle, tmp_path):
    whole = start(small_bundle, tmp_path / "whole")
    assert whole.wait(200) == 0, whole.stdout.read()
    half, done = tmp_path / "half", 0
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = start(small_bundle, half, "resume=true")
        until = time.monotonic() + 100
        while len(list(half.glob("parts/[0-9]*.safetensors"))) <= done and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(number)
        shown, _ = process.communicate(timeout=100)
        assert process.returncode == code, shown
        assert "Traceback" not in shown
        assert "run the same command with resume=true" in shown
        done = len(list(half.glob("parts/[0-9]*.safetensors")))
        assert 0 < done < 6
    last = start(small_bundle, half, "resume=true")
    assert last.wait(200) == 0, last.stdout.read()
    for path in (tmp_path / "whole/images").iterdir():
        assert (half / "images" / path.name).read_bytes() == path.read_bytes()
    assert (half / "codes.safetensors").read_bytes() == (tmp_path / "whole/codes.safetensors").read_bytes()
