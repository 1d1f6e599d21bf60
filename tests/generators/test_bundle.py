"""A bundle keeps what was put in, and nothing in it runs."""

import json
import random
import re
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from dgn.base.errors import UserError
from dgn.generators import bundle, describe, lookup


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
    with pytest.raises(UserError, match="there is no bundle ''"):
        lookup.find("")


def test_what_is_no_safetensors_file_is_said_to_be_none(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"PK" + b"x" * 100)
    with pytest.raises(UserError, match="it is not a safetensors file"):
        bundle.load(tmp_path / "net.pth")


def test_a_missing_file_is_answered_by_the_bundle_beside_it(tmp_path):
    made = tmp_path / "made.bundle.safetensors"
    made.touch()
    for name in ("latest.bundle.safetensors", "last.ckpt"):
        with pytest.raises(UserError, match=f"there is no bundle .*: set bundle={made}, which lies in the same folder"):
            lookup.find(str(tmp_path / name))


def test_a_run_that_still_trains_is_answered_by_its_latest_bundle(tmp_path):
    (tmp_path / "latest.bundle.safetensors").touch()
    with pytest.raises(UserError, match=r"to use another, set bundle=.*latest\.bundle\.safetensors"):
        lookup.find(str(tmp_path), {"network": "caffenet64", "layer": "fc6", "data": "*"})


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
    with pytest.raises(UserError, match=r"holds 2 bundles caffenet64-pool5-\*: set bundle to one of .*photos.*"):
        lookup.find(str(priors), asked | {"layer": "pool5"})


def test_a_bundle_that_is_missing_is_a_sentence_with_the_line_that_makes_it(priors, config):
    with pytest.raises(UserError, match="there is no bundle caffenet64-fc7-places365 in") as error:
        lookup.find(str(priors), {"network": "caffenet64", "layer": "fc7", "data": "places365"})
    line = re.search(r"make it by dgn train (.*)", str(error.value))[1]
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


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["fc24", "fc128 8x4x4", "d0", "0x4x4", "c5/0/1/1", "-", "x", "fc99999999999999999999",
                       "c8/9/9/9"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
PLACES = [("schema",), ("generator",), ("generator", "kind"), ("generator", "args"), ("record",),
          *(("generator", "args", key) for key in ("code_shape", "size", "layers", "norm", "slope", "gains", "output",
                                                   "code_scale", "unknown")),
          *(("record", key) for key in ("encoder", "layer", "encoder_size", "encoder_sha256", "images_seen", "errors",
                                        "unknown"))]  # fmt: skip


def with_header(sound, path, change):
    """A copy of a bundle at `path` whose header went through `change`."""
    with safe_open(sound, "pt") as file:
        about, tensors = json.loads(file.metadata()["dgn"]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"dgn": json.dumps(change(about) or about)})
    return path


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=VALUES | st.just(...))
def test_a_header_with_other_values_is_an_error_not_a_crash(small_bundle, tmp_path, place, value):
    def change(about):
        *way, last = place
        node = about
        for key in way:
            node = node[key]
        if value is ...:
            node.pop(last, None)
        else:
            node[last] = value

    path = with_header(small_bundle, tmp_path / "changed.bundle.safetensors", change)
    try:
        loaded = bundle.load(path)
    except UserError as error:
        assert "\n" not in str(error) and str(path) in str(error)
    else:  # what is read can be used
        assert loaded.generator(loaded.codes[:2]).shape == (2, 3, loaded.generator.size, loaded.generator.size)
        assert describe.info(path)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("code_shape", [], "code_shape=.* has 0 values: set code_shape to a list of at least 1"),
        ("code_shape", [1023], "layers.0.weight of its generator is"),
        ("size", 0, "size=0 is out of range: set size to 1 or more"),
        ("size", 17, "gives .*, not images of 17 px"),
        ("size", "16", "size=16 is not a whole number"),
        ("size", True, "size=True is not a whole number"),
        ("code_scale", 0, "code_scale=0 is out of range: set code_scale to more than 0"),
        ("code_scale", float("nan"), "code_scale=nan is not a finite number"),
        ("output", "sigmoid", "output=sigmoid is not a valid choice"),
        ("gains", {"d": "big"}, "gains.d=big is not a number"),
        ("layers", "fc0", "'fc0' has no channels"),
        ("layers", "fc32 fc128 8x4x4 d8 c8 c8", "layers.13.bias of its generator is"),
    ],
)
def test_a_wrong_value_is_named(small_bundle, tmp_path, key, value, sentence):
    path = with_header(
        small_bundle, tmp_path / "x.safetensors", lambda about: about["generator"]["args"].update({key: value})
    )
    with pytest.raises(UserError, match=f"is not a valid bundle .*({sentence})"):
        bundle.load(path)


def test_a_header_may_say_more_or_less_than_is_known_here(small_bundle, tmp_path):
    def more(about):
        about["made_with"], about["record"]["colour"] = "1.9", [1, 2]
        del about["record"]["encoder"]

    loaded = bundle.load(with_header(small_bundle, tmp_path / "x.safetensors", more))
    assert loaded.record == {"layer": "fc6", "colour": [1, 2]}


@pytest.mark.parametrize("name", ["mean", "std", "minimum", "negative", "count", "axes"])
@pytest.mark.parametrize("change", [lambda v: v * float("nan"), lambda v: v[None], lambda v: -v - 1, None])
def test_moments_that_are_none_are_a_sentence(small_bundle, tmp_path, name, change):
    with safe_open(small_bundle, "pt") as file:
        text, tensors = file.metadata()["dgn"], {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors.setdefault("moments.axes", torch.zeros(2, 1024))
    value = tensors.pop(f"moments.{name}")
    harmless = change is None and name == "axes"
    if change is not None:
        new = change(value)
        tensors[f"moments.{name}"] = new.contiguous()
        harmless = (name in {"mean", "minimum", "negative", "axes"} and new.shape == value.shape
                    and bool(new.isfinite().all())) or (name == "count" and new.ndim == 1)  # fmt: skip
    path = tmp_path / "x.safetensors"
    save_file(tensors, path, {"dgn": text})
    if harmless:
        bundle.load(path)
        return
    with pytest.raises(UserError, match="is not a valid bundle") as error:
        bundle.load(path)
    assert "\n" not in str(error.value)


def test_a_header_cannot_claim_more_memory_than_the_file_bears_out(tmp_path, generator, moments):
    path = tmp_path / "x.bundle.safetensors"
    g = generator()
    g.args["layers"] = "fc24 fc128 8x4x4 d8 c999999 c999999 shuffle3"  # four million million weights
    bundle.save(path, g, moments, torch.rand(3, 12), {})
    with pytest.raises(UserError, match="not a valid bundle"):
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
    from safetensors.torch import load_file

    about = {"schema": 1, "generator": {"kind": "deepsim", "args": {}}, "record": {}} | (change or {})
    path = tmp_path / "other.bundle.safetensors"
    save_file(load_file(small_bundle), path, {"dgn": json.dumps(about)} if change else None)
    with pytest.raises(UserError, match="bundle"):
        bundle.load(path)


def test_a_code_that_is_too_large_for_fp16_is_kept(tmp_path, generator, moments):
    codes = torch.full((2, 12), 1e5)
    bundle.save(tmp_path / "x.safetensors", generator(), moments, codes, {})
    assert torch.equal(bundle.load(tmp_path / "x.safetensors").codes, codes)
