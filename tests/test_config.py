"""The words of a command line as Hydra gets them."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from dgn import config as settings

NET = "torch.nn.Identity"


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (["target._target_=my.Net"], ["network@target=own", "target._target_=my.Net"]),
        (["network@encoder._target_=my.Net"], ["network@encoder=own", "encoder._target_=my.Net"]),
        (["network@target=timm", "target._target_=my.Net"], ["network@target=timm", "target._target_=my.Net"]),
        (["generator._target_=my.G"], ["generator=own", "generator._target_=my.G"]),
        (["target.args.depth=3"], ["++target.args.depth=3"]),
        (["start.encoder.args.depth=3"], ["++start.encoder.args.depth=3"]),
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
        "layer": "output", "classes": None, "measure": [],
        "input": {"size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": 1, "channels": 3,
                  "order": "rgb", "interpolation": "bilinear", "fit": "resize"},
    }  # fmt: skip
    encoder = config("train", f"network@encoder._target_={NET}")
    assert encoder.encoder.weights is None
    assert list(encoder.measure) == []
    assert config("train").measure == ["conv5", "pool5"]
