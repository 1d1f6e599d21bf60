"""Start-up time of the command."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def answer(word: str, repeats: int) -> dict[str, float | bool]:
    """The shortest wall time of `python synthesize.py WORD`, in seconds, and whether torch was imported on the way."""
    line = ["synthesize.py", word]
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *line], cwd=ROOT, capture_output=True, check=False)
        times.append(time.perf_counter() - begun)
    traced = subprocess.run([sys.executable, "-X", "importtime", *line], cwd=ROOT, capture_output=True, text=True)
    imported = {row.rpartition("|")[2].strip() for row in traced.stderr.splitlines()}
    return {"seconds": min(times), "torch": "torch" in imported}
