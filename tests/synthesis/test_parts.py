"""A run's batches on disk, and whose they are."""

import pytest
import torch
from safetensors.torch import load_file

from dgn import results
from dgn.errors import UserError
from dgn.synthesis import parts


def test_shards_share_out_whole_batches():
    assert parts.batches(10, 4, None) == [0, 4, 8]
    assert parts.batches(10, 4, "0/2") == [0, 8]
    assert parts.batches(10, 4, "1/2") == [4]
    every = [first for i in range(3) for first in parts.batches(100, 8, f"{i}/3")]
    assert sorted(every) == parts.batches(100, 8, None)


@pytest.mark.parametrize("shard", ["2/2", "0/0", "one", "1", "-1/2"])
def test_what_is_no_shard_is_a_sentence(shard):
    with pytest.raises(UserError, match="type shard=0/4"):
        parts.batches(10, 4, shard)


def test_a_shard_without_rows_is_a_sentence():
    with pytest.raises(UserError, match=r"10 rows are 3 batches.*type at most shard=0/3"):
        parts.batches(10, 4, "3/4")


def test_parts_are_joined_in_order(tmp_path):
    codes, curves = torch.rand(5, 2, 3, 3), torch.rand(5, 4)
    rows = [
        results.Row(i, "1", "a", i, 1.5, None, None, 2.0, 0.25, "done", 4, 0.1, f"images/{i}.png") for i in range(5)
    ]
    for first, last in ((3, 5), (0, 3)):
        plain = [vars(row) for row in rows[first:last]]
        parts.save(tmp_path, first, codes[first:last], curves[first:last], plain)
    assert parts.done(tmp_path, 3) and not parts.done(tmp_path, 1)
    assert parts.join(tmp_path) == rows
    found = load_file(tmp_path / "codes.safetensors")
    assert torch.equal(found["codes"], codes) and torch.equal(found["curves"], curves)
    parts.remove(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes.safetensors"]
