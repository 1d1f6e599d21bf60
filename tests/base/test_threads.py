"""How idle threads wait follows what other processes do now."""

import pytest

from dgn.base import threads


@pytest.fixture
def stat(monkeypatch, tmp_path):
    """Counts of /proc/stat: the first and all later readings."""

    def write(*readings):
        texts = iter([f"cpu  {' '.join(map(str, counts))} 0 0\ncpu0 1 2 3\n" for counts in readings])
        file = tmp_path / "stat"
        file.touch()
        monkeypatch.setattr(
            threads, "STAT", type("File", (), {"exists": file.exists, "read_text": lambda: next(texts)})
        )

    return write


@pytest.mark.parametrize(
    ("after", "policy"),
    [
        ((10, 0, 10, 200, 0, 0, 0, 0), None),  # nothing else runs
        ((11, 0, 10, 190, 9, 0, 0, 0), None),  # a disk is waited for
        ((30, 0, 10, 180, 0, 0, 0, 0), "passive"),  # 20 of 100 ticks are another's
        ((10, 20, 10, 180, 0, 0, 0, 0), "passive"),  # also where it is nice
        ((10, 0, 10, 180, 0, 0, 0, 20), "passive"),  # or another guest of the host
    ],
)
def test_threads_sleep_where_others_compute(stat, after, policy):
    stat((10, 0, 10, 100, 0, 0, 0, 0), after)
    environ = {}
    threads.sleep_when_busy(environ, 0)
    assert environ.get("OMP_WAIT_POLICY") == policy


@pytest.mark.parametrize("given", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "5"}])
def test_what_the_user_set_wins(stat, given):
    stat()  # nothing is read
    environ = dict(given)
    threads.sleep_when_busy(environ, 0)
    assert environ == given


def test_a_system_without_proc_keeps_the_default(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "STAT", tmp_path / "none")
    environ = {}
    threads.sleep_when_busy(environ, 0)
    assert not environ


def test_this_machine_can_be_read():
    if threads.STAT.exists():
        idle, total = threads.ticks()
        assert 0 < idle <= total
