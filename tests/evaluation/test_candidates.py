"""Which of the bundles at hand shows most of real images."""

import pytest
import torch

from dgn.base.errors import UserError
from dgn.evaluation import candidates
from dgn.generators import bundle, lookup

SHIPPED = "caffenet64-fc6"


@pytest.fixture
def shipped():
    return bundle.load(lookup.find(SHIPPED))


@pytest.fixture
def images(synthesis, image_tree):
    return synthesis(f"data.root={image_tree}").data


def written(path, prior, **record):
    path.parent.mkdir(parents=True, exist_ok=True)
    bundle.save(path, prior.generator, prior.moments, prior.codes, prior.record | record)


def test_bundles_in_the_folder_and_below_are_at_hand(tmp_path, shipped):
    written(tmp_path / "a.bundle.safetensors", shipped)
    written(tmp_path / "runs" / "x" / "b.bundle.safetensors", shipped)
    written(tmp_path / "1" / "2" / "3" / "4" / "far.bundle.safetensors", shipped)
    (tmp_path / "weights.safetensors").touch()
    own = candidates.at_hand(tmp_path).keys() - lookup.shipped().keys()
    assert own == {"a.bundle.safetensors", "runs/x/b.bundle.safetensors"}


def test_what_a_bundle_inverts_takes_the_place_of_a_network_that_it_does_not(shipped):
    right, wrong = candidates.named("caffenet64", "fc6"), candidates.named("caffenet64", "fc7")
    assert candidates.inverted_by(shipped, right, [], "start.encoder") is right
    assert candidates.inverted_by(shipped, wrong, [], "start.encoder").layer == "fc6"
    unknown = bundle.Bundle(
        shipped.generator, shipped.moments, shipped.codes, shipped.record | {"encoder_sha256": "0" * 64}
    )
    with pytest.raises(UserError, match=r"set network@start\.encoder=caffenet64 start\.encoder\.layer=fc6"):
        candidates.inverted_by(unknown, wrong, [], "start.encoder")


def test_the_encoder_of_a_bundle_is_one_whose_weights_it_records(shipped):
    network = candidates.encoder_of(shipped, [])
    assert network is not None and (network.name, network.layer) == ("caffenet64", "fc6")
    named = candidates.named("caffenet64", "fc8")
    shipped.record["encoder"] = "my_pkg.MyNet"  # no member of conf/network: it has to be one of the known
    assert candidates.encoder_of(shipped, []) is None
    assert candidates.encoder_of(shipped, [named]).layer == "fc6"
    shipped.record["encoder_sha256"] = "of other weights"
    assert candidates.encoder_of(shipped, [named]) is None


def test_a_worse_generator_is_not_chosen(tmp_path, shipped, images, capsys):
    with torch.no_grad():
        for weight in shipped.generator.parameters():
            weight.add_(0.3 * weight.std() * torch.randn_like(weight)) if weight.numel() > 1 else None
    written(tmp_path / "worse.bundle.safetensors", shipped)
    written(tmp_path / "unknown.bundle.safetensors", shipped, encoder="my_pkg.MyNet")
    (tmp_path / "broken.bundle.safetensors").write_bytes(b"no bundle")
    assert candidates.choose([], images, 0, tmp_path) == SHIPPED
    first, *lines = [line for line in capsys.readouterr().out.splitlines() if "training images" not in line]
    assert first == f"bundle=auto: {SHIPPED} leaves least of real images unexplained:"
    numbers = dict(line.strip().split(": ", 1) for line in lines)
    assert float(numbers[SHIPPED]) < float(numbers["worse.bundle.safetensors"])
    assert numbers["unknown.bundle.safetensors"] == "its encoder my_pkg.MyNet neither ships nor is the target"
    assert "is not a valid bundle" in numbers["broken.bundle.safetensors"]


def test_without_real_images_a_sentence_says_what_to_set(synthesis, tmp_path):
    with pytest.raises(UserError, match=r"real images: set data\.root=DIR"):
        candidates.choose([], synthesis().data, 0, tmp_path)
