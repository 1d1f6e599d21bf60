"""The order is a pure function of seed and iteration, and processes share it out."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from dgn.data.order import Endless


def steps(count, *words, **more):
    return list(islice(iter(Endless(*words, **more)), count))


@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 50), st.integers(1, 3))
def test_the_order_goes_on_from_anywhere(size, batch, start, world):
    whole = steps(start + 3, size, batch, 1, world=world)
    assert steps(3, size, batch, 1, start=start * batch * world, world=world) == whole[start:]


def test_no_image_comes_twice_where_the_batch_changes_on_the_way():
    first, then = steps(3, 30, 4, 1), steps(6, 30, 3, 1, start=12)
    assert sorted(index for step in first + then for _, index in step) == list(range(30))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3))
def test_the_shares_of_all_ranks_are_the_whole_batch(size, batch, world):
    whole = steps(8, size, batch * world, 1)
    shares = [steps(8, size, batch, 1, rank=rank, world=world) for rank in range(world)]
    for step, together in enumerate(whole):
        parts = [share[step] for share in shares]
        assert [len(part) for part in parts] == [batch] * world
        assert [parts[i % world][i // world] for i in range(len(together))] == together


@given(st.integers(1, 30), st.integers(1, 4))
def test_an_epoch_is_every_image_once(size, batch):
    items = [item for step in steps(2 * size, size, batch, 1) for item in step]
    for epoch in range(2):
        assert sorted(index for e, index in items if e == epoch) == list(range(size))


def test_another_seed_is_another_order():
    assert steps(4, 30, 4, 1) != steps(4, 30, 4, 2)
