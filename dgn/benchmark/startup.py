"""Start-up time of the command."""

import subprocess
import sys
import time


def answer(word: str, repeats: int) -> dict[str, float | bool]:
    """The shortest wall time of `dgn synthesize WORD`, in seconds, and whether torch was imported on the way."""
    line = ["-m", "dgn", "synthesize", word]
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *line], capture_output=True, check=False)
        times.append(time.perf_counter() - begun)
    traced = subprocess.run([sys.executable, "-X", "importtime", *line], capture_output=True, text=True)
    imported = {row.rpartition("|")[2].strip() for row in traced.stderr.splitlines()}
    return {"seconds": min(times), "torch": "torch" in imported}
