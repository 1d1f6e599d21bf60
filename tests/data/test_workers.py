"""How many processes read."""

import os

import pytest

from dgn.base.errors import UserError
from dgn.data.workers import count, readers


def test_auto_is_the_cpus_of_this_process_shared_and_at_most_eight(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(6), raising=False)
    assert (readers(), readers(share=4), readers(share=20)) == (6, 1, 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(96), raising=False)
    assert (readers(), readers(share=8), readers(share=16)) == (8, 8, 6)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert readers() == 1


@pytest.mark.parametrize(("setting", "expected"), [("auto", 5), (0, 0), (3, 3)])
def test_a_number_is_that_number(setting, expected):
    assert count(setting, 5) == expected


@pytest.mark.parametrize("setting", ["many", -1, 1.5, None])
def test_anything_else_is_a_sentence(setting):
    with pytest.raises(UserError, match=r"set data.workers=2, or auto"):
        count(setting, 5)
