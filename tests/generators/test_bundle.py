"""A bundle keeps what was put in, and nothing in it runs."""

import json
import random
import re
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dgn.base.errors import UserError
from dgn.generators import bundle, lookup


def test_round_trip(tmp_path, generator, moments):
    g = generator(norm=True)
    codes = torch.rand(3, 12)
    path = tmp_path / "x.bundle.safetensors"
    bundle.save(path, g, moments, codes, {"encoder": "tiny", "images_seen": 5})
    found = bundle.load(path)
    code = torch.rand(2, 12)
    torch.testing.assert_close(found.generator(code), g(code), atol=2e-3, rtol=2e-2)  # kept as fp16
    torch.testing.assert_close(found.moments.std, moments.std)
    torch.testing.assert_close(found.codes, codes, atol=1e-3, rtol=1e-3)
    assert found.record == {"encoder": "tiny", "images_seen": 5}
    assert not found.generator.training and not any(p.requires_grad for p in found.generator.parameters())


def test_an_unknown_name_lists_the_shipped_ones():
    with pytest.raises(UserError, match=r"there is no bundle 'cafenet64-fc6'.*did you mean 'caffenet64-fc6'"):
        lookup.find("cafenet64-fc6")
    with pytest.raises(UserError, match="there is no bundle 'None'"):
        lookup.find(None)


@pytest.fixture
def priors(tmp_path):
    """A folder of trained bundles, as a sweep leaves them."""
    for name in ("a/caffenet64-fc6-photos", "b/caffenet64-pool5-photos", "c/caffenet64-pool5-faces"):
        path = tmp_path / f"{name}.bundle.safetensors"
        path.parent.mkdir()
        path.touch()
    return tmp_path


def test_a_bundle_of_a_folder_is_found_by_what_it_inverts(priors):
    asked = {"network": "caffenet64", "layer": "fc6", "data": "*"}
    assert lookup.find(str(priors), asked).parent.name == "a"
    assert lookup.find(str(priors), asked | {"layer": "pool5", "data": "faces"}).parent.name == "c"
    with pytest.raises(UserError, match=r"2 bundles in .* are caffenet64-pool5-\*: set bundle=ONE of .*photos.*"):
        lookup.find(str(priors), asked | {"layer": "pool5"})


def test_a_bundle_that_is_missing_is_a_sentence_with_the_line_that_makes_it(priors, config):
    with pytest.raises(UserError, match="there is no bundle caffenet64-fc7-places365 in") as error:
        lookup.find(str(priors), {"network": "caffenet64", "layer": "fc7", "data": "places365"})
    line = re.search(r"python train\.py (.*) makes it", str(error.value))[1]
    found = config("train", *line.split())
    made = f"{found.encoder.name}-{found.encoder.layer}-{found.data.name}"
    assert (found.output, made) == (f"{priors}/caffenet64-fc7-places365", "caffenet64-fc7-places365")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_bundle_is_an_error_not_a_crash(small_bundle, tmp_path, data):
    raw = bytearray(small_bundle.read_bytes())
    header = 8 + struct.unpack("<Q", raw[:8])[0]
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, header - 1) | st.integers(0, len(raw) - 1))
        raw[where] = data.draw(st.integers(0, 255))
    path = tmp_path / "bad.bundle.safetensors"
    path.write_bytes(raw[: data.draw(st.just(len(raw)) | st.integers(0, len(raw)))])
    try:
        assert isinstance(bundle.load(path), bundle.Bundle)
    except UserError as error:
        assert "\n" not in str(error)


def test_a_header_cannot_claim_more_memory_than_the_file_bears_out(tmp_path, generator, moments):
    path = tmp_path / "x.bundle.safetensors"
    g = generator()
    g.args["layers"] = "fc24 fc128 8x4x4 d8 c999999 c999999 shuffle3"  # four million million weights
    bundle.save(path, g, moments, torch.rand(3, 12), {})
    with pytest.raises(UserError, match="not a sound bundle"):
        bundle.load(path)


@pytest.mark.slow
def test_ten_thousand_damaged_bundles(tmp_path, generator, moments):
    """Bytes changed, doubled or cut out, mostly where the file says what it is: an error or a bundle each time."""
    path = tmp_path / "sound.bundle.safetensors"
    bundle.save(path, generator(), moments, torch.rand(3, 12), {"encoder": "tiny", "layer": "fc"})
    sound, bad = path.read_bytes(), tmp_path / "bad.bundle.safetensors"
    header = 8 + struct.unpack("<Q", sound[:8])[0]
    draw, refused = random.Random(0), 0
    for _ in range(10_000):
        raw = bytearray(sound)
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(header if draw.random() < 0.8 else len(raw))
            change = draw.randrange(4)
            if change == 0:
                raw[at : at + 1] = bytes([draw.randrange(256)])
            elif change == 1:
                del raw[at : at + draw.randint(1, 9)]
            elif change == 2:
                raw[at:at] = raw[at : at + draw.randint(1, 9)]
            else:  # another digit or letter of the header: a file that can still be parsed
                raw[at] = draw.choice(b"0123456789abcdefghijklmnopqrstuvwxyz")
        bad.write_bytes(raw)
        try:
            assert isinstance(bundle.load(bad), bundle.Bundle)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 5000


@pytest.mark.parametrize("change", [{"schema": 2}, {"generator": {"kind": "os.system", "args": {}}}, None])
def test_what_is_not_a_bundle_of_ours_is_refused(small_bundle, tmp_path, change):
    from safetensors.torch import load_file, save_file

    about = {"schema": 1, "generator": {"kind": "deepsim", "args": {}}, "record": {}} | (change or {})
    path = tmp_path / "other.bundle.safetensors"
    save_file(load_file(small_bundle), path, {"dgn": json.dumps(about)} if change else None)
    with pytest.raises(UserError, match="bundle"):
        bundle.load(path)


def test_a_code_that_is_too_large_for_fp16_is_kept(tmp_path, generator, moments):
    codes = torch.full((2, 12), 1e5)
    bundle.save(tmp_path / "x.safetensors", generator(), moments, codes, {})
    assert torch.equal(bundle.load(tmp_path / "x.safetensors").codes, codes)
