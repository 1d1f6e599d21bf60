"""What a command line is made into, and when two runs are the same."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from dgn import settings
from dgn.base import folders
from dgn.base.errors import UserError
from dgn.generators import lookup
from dgn.settings.identity import point as point_name

NET = "torch.nn.Identity"


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (["target._target_=my.Net"], ["network@target=custom", "target._target_=my.Net"]),
        (["network@encoder._target_=my.Net"], ["network@encoder=custom", "encoder._target_=my.Net"]),
        (["network@target=timm", "target._target_=my.Net"], ["network@target=timm", "target._target_=my.Net"]),
        (["generator._target_=my.G"], ["generator=custom", "generator._target_=my.G"]),
        (["target.args.depth=3"], ["++target.args.depth=3"]),
        (["start.encoder.args.depth=3"], ["++start.encoder.args.depth=3"]),
        (["target.layer=1.10"], ['target.layer="1.10"']),
        (["encoder.layer=2, 3"], ['encoder.layer="2","3"']),
        (["target.layer=range(0,3)"], ["target.layer=range(0,3)"]),
        (["target.layer=layer4.1"], ["target.layer=layer4.1"]),
        (["ascent.optimiser._target_=x", "debug=true"], ["ascent.optimiser._target_=x", "debug=synthesize"]),
    ],
)  # fmt: skip
def test_what_one_types_is_what_hydra_takes(typed, taken):
    assert settings.words("synthesize", typed) == taken
    parser = OverridesParser.create()
    assert all(parser.parse_override(word) for word in taken)


def test_no_key_of_the_default_network_stays_with_ones_own(config):
    own = OmegaConf.to_container(
        config("synthesize", f"target._target_={NET}", "target.args.depth=3").target, resolve=True
    )
    assert own == {
        "name": NET, "_target_": NET, "args": {"depth": 3}, "weights": None, "strict": True, "by_order": False,
        "prefix": None, "layer": "output", "classes": None, "eval_layers": [],
        "default_bundle": "caffenet64-fc6", "max_mahalanobis": 1.5, "steps": 200, "members": {},
        "input": {"size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 1, "channels": 3,
                  "order": "rgb", "interpolation": "bilinear", "fit": "resize"},
    }  # fmt: skip
    encoder = config("train", f"network@encoder._target_={NET}")
    assert encoder.encoder.weights is None
    assert list(encoder.eval_layers) == []
    assert config("train").eval_layers == ["conv2", "conv3", "conv5", "pool5"]


@pytest.mark.parametrize("network", sorted(path.stem for path in (settings.CONF / "network").glob("*.yaml")))
def test_a_network_names_the_shipped_prior_that_suits_it(config, network):
    found = config("synthesize", f"network@target={network}")
    assert lookup.find(found.bundle).parent == lookup.ASSETS and found.bundle == found.target.default_bundle
    assert config("synthesize", f"network@target={network}", "bundle=FILE").bundle == "FILE"


MEMBERS = sorted(path.relative_to(settings.CONF) for path in settings.CONF.glob("*/*.yaml"))
MEMBERS += [Path("experiment") / name for name in folders.members("experiment")]
TRAIN = ("debug/train", "discriminator/", "generator/deepsim", "generator/small", "loss/", "schedule/", "task/",
         "experiment/deepsim_fc6", "experiment/prior_lite0")  # fmt: skip
PLACED = {"network": "network@target", "schedule": "schedule@module.schedule"}  # not under the group's own name
NEEDED = {  # what a member wants to be told
    "generator/own": [f"generator._target_={NET}"],
    "network/own": [f"target._target_={NET}"],
    "network/custom": [f"target._target_={NET}"],
    "generator/custom": [f"generator._target_={NET}"],
    "network/timm": ["target.args.model_name=resnet50"],
    "network/torchvision": ["target.args.name=resnet50"],
    "trainer/gpu_per_shard": ["shard=0/2"],
}


@pytest.mark.parametrize("member", [str(path.with_suffix("")) for path in MEMBERS])
def test_every_member_of_every_group_composes(config, member):
    group, _, name = member.partition("/")
    command = "train" if member.startswith(TRAIN) else "synthesize"
    found = config(command, f"{PLACED.get(group, group)}={name}", *NEEDED.get(member, []))
    OmegaConf.to_container(found, resolve=True)


@pytest.fixture
def point(tmp_path):
    """The folder's name of a sweep point that some words make."""

    def name(*words, swept=("prior.k",), command="synthesize"):
        with initialize_config_dir(version_base="1.3", config_dir=str(settings.CONF)):
            composed = compose(command, overrides=[*words, f"output={tmp_path}"], return_hydra_config=True)
        return point_name(*swept, _root_=composed)

    return name


def test_a_point_is_named_by_what_is_swept_and_all_that_counts(point, tmp_path):
    first = point("prior.k=2", "seeds=3")
    readable, _, digest = first.rpartition("-")
    assert readable == "prior.k-2" and len(digest) == 10
    assert point("prior.k=2", "seeds=3", "resume=true", "data.workers=7", "trainer.devices=4", "title=T") == first
    assert point("seeds=3", "prior.k=2") == first
    for other in (["prior.k=2"], ["prior.k=3", "seeds=3"], ["prior.k=2", "seeds=3", "trainer.precision=32-true"]):
        assert point(*other)[-10:] != digest
    suited = point("prior.k=2", "seeds=3", "target.default_bundle=another")[-10:]
    assert suited not in {digest, point("prior.k=2", "seeds=3", "bundle=another")[-10:]}
    (tmp_path / first).mkdir()
    assert point("prior.k=2", "seeds=3", swept=("seeds",)) == first  # a point keeps the folder that it has


def test_a_name_can_be_typed(point):
    words = ["units=[goldfish,school bus,conv5:12@4x4]", "network@target=caffenet64"]
    name = point(*words, swept=("units", "network@target"))
    assert name[:-11] == "units-goldfish_school_bus_conv5_12@4x4+network@target-caffenet64"
    assert not set(name) & set("=,[]()'\" /")
    assert len(point(f"units=[{','.join(['goldfish'] * 40)}]", swept=("units",))) <= 91
    settings.overrides([f"bundle=runs/{name}/x.bundle.safetensors"])  # Hydra takes it unquoted


def test_a_value_that_cannot_be_resolved_does_not_stop_the_naming(point):
    assert point("start=image", swept=("start",)).startswith("start-image-")
    assert point("generator=deepsim", "encoder.layer=nose", swept=("encoder.layer",), command="train")


def test_the_words_of_a_sweep_say_what_is_swept():
    typed = ["-m", "units=[a],[b]", "prior.k=range(1,4)", "seeds=2", "network@target=x,y"]
    found = settings.words("synthesize", typed)
    assert found == [*typed, "hydra.sweep.subdir=${point:units,prior.k,network@target}"]
    assert settings.words("synthesize", ["seeds=2"]) == ["seeds=2"]
    with pytest.raises(UserError, match=r"data\.workers does not change the result"):
        settings.words("train", ["-m", "data.workers=1,2"])
    assert settings.words("train", ["-m", "units=[a"])  # Hydra says what is wrong with it


def test_a_glob_of_members_is_a_sweep():
    (swept,) = settings.overrides(["prior=glob([b*,e*,s*])"])
    assert list(swept.sweep_string_iterator()) == ["box", "ellipsoid", "shrink"]


def test_what_counts_is_told_by_dotted_keys():
    found = settings.counted({"output": "x", "data": {"workers": 1, "crop": 64}, "a": {}, "trainer": {"devices": 2}})
    assert found == {"data.crop": 64, "a": {}}


def test_the_gpu_of_a_shard(config):
    found = config("synthesize", "trainer=gpu_per_shard", "shard=2/4")
    assert OmegaConf.to_container(found.trainer, resolve=True)["devices"] == [2]
    assert config("synthesize", "trainer=gpu_per_shard").trainer.devices == [0]


@pytest.mark.parametrize("word", ["experiment=null", "prior=null", "network@target=null"])
def test_no_member_of_a_group_is_a_sentence(word):
    key = word.partition("=")[0]
    with pytest.raises(UserError, match=f"{word} is not possible: leave it out for the default, or set {key}=NAME"):
        settings.words("synthesize", [word])
    assert settings.words("synthesize", ["judge=null"]) == ["judge=null"]  # a key
