"""What the two commands say of a mistake, and that their help is quick."""

import subprocess
import sys
from pathlib import Path

import pytest

from dgn.cli import main

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["bench"], "data.root=DIR"),
        (["bench", "data.rot=x"], "there is no key 'data.rot': did you mean 'root'"),
        (["bench", "data=imagnet"], "did you mean 'imagenet'"),
        (["bench", "data.batch_size=0", "data.root=x"], "out of range"),
        (["prepare"], "SRC, DST; see dgn data prepare --help"),
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
