"""Images in [0, 1] to what a network takes."""

from dataclasses import replace

import pytest
import torch

from dgn.base import images
from dgn.base.errors import UserError
from dgn.base.typed import validated
from dgn.networks.preprocessing import Preprocessing
from dgn.networks.settings import InputSettings


def test_the_contract(contract):
    x = torch.rand(2, 3, 16, 16)
    caffe = replace(contract, mean=(104, 117, 123), scale=255, order="bgr")
    torch.testing.assert_close(caffe.normalise(x), images.to_caffe(x))
    assert contract.fitted(torch.rand(1, 3, 40, 40)).shape[-1] == 16
    crop = replace(contract, fit="crop")
    large = torch.rand(1, 3, 21, 21)
    assert torch.equal(crop.fitted(large), large[..., 2:18, 2:18])


def test_other_channel_counts(contract):
    x = torch.rand(2, 3, 16, 16)
    grey = replace(contract, mean=[0.5], std=[0.5], channels=1)
    torch.testing.assert_close(grey.normalise(x), (x.mean(1, keepdim=True) - 0.5) / 0.5)
    torch.testing.assert_close(grey.normalise(x[:, :1]), (x[:, :1] - 0.5) / 0.5)  # a grey image stays as it is
    assert torch.equal(contract.normalise(x[:, :1]), x[:, :1].expand(2, 3, 16, 16))
    four = replace(contract, channels=4)
    assert torch.equal(four.normalise(x), x[:, [0, 1, 2, 0]])
    own = torch.rand(2, 4, 16, 16)
    assert torch.equal(four.normalise(own), own)
    with pytest.raises(UserError, match="images of 4 channels do not fit a network of 3"):
        contract.normalise(own)


def test_what_is_no_input_gets_a_sentence(contract):
    keys = dict(vars(contract))
    assert Preprocessing.of(InputSettings(**keys)) == contract
    assert Preprocessing.of(InputSettings(**keys | {"mean": 0, "std": 1})).mean == [0]  # one for all
    for change, words in (
        ({"sise": 3}, "there is no key 'target.input.sise': did you mean 'size'"),
        ({"size": None}, r"target\.input\.size=null is not a whole number"),
        ({"order": "gray"}, "order=gray is not a valid choice: did you mean 'bgr'"),
        ({"size": "abc"}, "size=abc is not a whole number"),
        ({"size": 64.5}, "size=64.5 is not a whole number"),
        ({"channels": 0}, "channels=0 is out of range: set target.input.channels to 1 or more"),
        ({"scale": "x"}, "scale=x is not a number"),
        ({"mean": ["a", "b", "c"]}, "target.input.mean=a is not a number"),
        ({"std": "abc"}, "std=abc is not a list or a number"),
        ({"std": [1, 0, 1]}, "std=0 is out of range: set target.input.std to more than 0"),
        ({"mean": []}, r"target\.input\.mean=\[\] has 0 values: set target.input.mean to a list of at least 1"),
        ({"mean": [0.4, 0.5]}, r"target\.input\.mean=\[0.4, 0.5\] has 2 values for 3 channels: set one value, or one"),
    ):
        with pytest.raises(UserError, match=words):
            validated(InputSettings, keys | change, "target.input.")


def test_other_channels_are_saved_side_by_side(tmp_path):
    from PIL import Image

    for count, size, mode in ((1, (8, 8), "L"), (3, (8, 8), "RGB"), (4, (4 * 8 + 3 * 2, 8), "L")):
        images.save(tmp_path / "x.png", torch.rand(count, 8, 8))
        shown = Image.open(tmp_path / "x.png")
        shown.load()  # closes the file
        assert (shown.size, shown.mode) == (size, mode)
