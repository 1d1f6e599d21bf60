"""Memory that is freed and taken again is not cleared again."""

import platform
import subprocess
import sys

import pytest

PROBE = """
import resource, numpy
from dgn.base import malloc
def faults():
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        numpy.ones(2**23)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun
before = faults()
malloc.keep()
faults()
print(before, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's memory is left as it is")
def test_pages_are_paid_for_once():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60)
    before, after = map(int, done.stdout.split())
    assert before > 10 * 2**26 / 2**21 / 2  # even in pages of 2 MiB
    assert after < before / 10


def test_another_c_library_is_left_as_it_is(monkeypatch):
    from dgn.base import malloc

    monkeypatch.setattr(malloc.ctypes, "CDLL", lambda name: object())
    malloc.keep()
