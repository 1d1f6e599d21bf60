"""Time and memory of a whole run of dgn synthesize, including its files, by number of rows."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from dgn.synthesis.api import configure
from dgn.synthesis.run import synthesize


def run(rows: int, steps: int) -> dict[str, float]:
    """`seconds` that a run of the default bundle and target takes for so many rows, from the networks' files on."""
    units = min(rows, 200)
    words = (f"units=[0-{units - 1}]", f"seeds={rows // units}", f"ascent.steps={steps}", "batch_size=16")
    config, _ = configure(None, None, words)
    with TemporaryDirectory() as folder:
        begun = time.perf_counter()
        synthesize(config, Path(folder))
        return {"seconds": time.perf_counter() - begun}
