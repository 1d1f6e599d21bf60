"""What a training takes where its settings leave it open (`auto`): G's first weights, the code term, the length.

A G that can already paint learns the codes of another encoder in minutes, from random weights it takes an hour. The
code term helps where E is the comparator. Through another, small E it does harm: G then pleases E with textures that
nobody recognises, unless it is weak and comes late. Few images that are no photographs are learned faster if G begins
with pixels alone. docs/training.md says how far each was tried.
"""

from typing import Any

from torch import Tensor

from dgn import data
from dgn.evaluation import candidates
from dgn.generators import bundle, inverted, lookup
from dgn.generators.base import Generator
from dgn.networks import zoo
from dgn.networks.settings import NetworkSettings
from dgn.training.settings import GeneratorSettings

FEW = 20_000  # training images; of fewer a smaller G learns more in the same time
FAMILIAR = 0.5  # images are like those of the shipped G if it leaves at most this share of them unexplained
WIDTHS = {"wide": [256, 192, 96, 48], "narrow": [128, 64, 32, 16]}
RATE = {"warm": 3e-4, "wide": 1e-3, "narrow": 1e-3}
ITERATIONS = {"warm": 1500, "wide": 5600, "narrow": 2000}
PIXELS_FIRST = 0.5  # share of the iterations, for few images unlike those of the shipped G
MOST_PIXELS = 1000  # iterations; also what a resumed, longer run keeps to
CODE_WEIGHT = 0.3  # where E is the comparator
WEAK_CODE_WEIGHT = 0.1  # for a vector code of few images unlike those of the shipped G, after the pixels alone
WITHOUT = {"code_scale", "code_shape"}  # arguments of a G that follow its codes


def same_network(one: NetworkSettings, other: NetworkSettings) -> bool:
    """Whether both are the same network with the same weights and preprocessing; the layers may differ."""
    return all(getattr(one, key) == getattr(other, key) for key in ("builder", "args", "weights", "input"))


def breadth(code: Tensor, images: int) -> str:
    """The size of a G with widths=auto, "wide" or "narrow", for codes like these, (N, *code_shape).

    A vector gets the shipped Gs' size, so that their weights can be used.
    """
    return "narrow" if code.ndim == 4 and images < FEW else "wide"


def familiar(config: GeneratorSettings, shown: Tensor) -> bool:
    """Whether the shipped G that inverts the comparator, if there is one, can draw images (N, 3, H, W) like these."""
    for path in lookup.shipped().values():
        prior = bundle.load(path)
        theirs = config.comparator.model_copy(update={"layer": prior.record.get("layer")})
        if prior.generator.size == config.data.crop and inverted.inverts(prior, theirs):
            observer = zoo.features(config.observer, str(config.observer.layer), activated=True, role="observer")
            return candidates.unexplained(prior, theirs, observer, shown.split(data.BATCH)) <= FAMILIAR
    return True


def chosen(
    config: GeneratorSettings, generator: Generator, code: Tensor, images: int, shown: Tensor
) -> GeneratorSettings:
    """The settings with every `auto` decided, and one line of output that says how.

    The decision follows from settings, weights, shipped bundles and the data alone: a resumed run takes the same.

    Args:
        config: the settings.
        generator: G, built.
        code: codes of some images, (N, *code_shape).
        images: number of training images.
        shown: the images of the codes, (N, 3, H, W) in [0, 1].
    """
    update: dict[str, Any] = {}
    reasons = []
    kind = "wide"
    undecided = "auto" in (config.pixels_first, config.loss["code"]["weight"])
    unlike = undecided and images < FEW and not familiar(config, shown)
    if config.generator.get("widths") == "auto":
        kind = breadth(code, images)
        update["generator"] = config.generator | {"widths": WIDTHS[kind]}
        reasons.append(f"generator.widths=[{','.join(map(str, WIDTHS[kind]))}]")
    if config.init == "auto":
        update["init"] = _initial(config, generator)
        reasons.append(f"init={update['init'] or 'null'}")
    begun = "warm" if update.get("init", config.init) else kind
    if config.module["optimiser_g"].get("lr") == "auto":
        update["module"] = config.module | {"optimiser_g": config.module["optimiser_g"] | {"lr": RATE[begun]}}
        reasons.append(f"module.optimiser_g.lr={RATE[begun]:g}")
    if config.loss["code"]["weight"] == "auto":
        weak = WEAK_CODE_WEIGHT if unlike and code.ndim == 2 else 0
        weight = CODE_WEIGHT if same_network(config.encoder, config.comparator) else weak
        update["loss"] = config.loss | {"code": config.loss["code"] | {"weight": weight}}
        reasons.append(f"loss.code.weight={weight}")
    if config.iterations == "auto":
        update["iterations"] = ITERATIONS[begun]
        reasons.append(f"iterations={update['iterations']}")
    if config.pixels_first == "auto":
        iterations = int(update.get("iterations", config.iterations))
        update["pixels_first"] = min(MOST_PIXELS, round(PIXELS_FIRST * iterations)) if unlike else 0
        reasons.append(f"pixels_first={update['pixels_first']}")
    if reasons:
        print(f"recipe: {' '.join(reasons)}" + " (few images, unlike those of the shipped G)" * unlike)
    return config.model_copy(update=update)


def _initial(config: GeneratorSettings, generator: Generator) -> str | None:
    """The shipped bundle with a G of this architecture whose encoder is the comparator, unless it inverts E itself."""
    for name, path in lookup.shipped().items():
        initial = bundle.load(path)
        theirs = config.comparator.model_copy(update={"layer": initial.record.get("layer")})
        if (
            differences(generator, initial.generator) == []
            and inverted.inverts(initial, theirs)
            and not inverted.inverts(initial, config.encoder)
        ):
            return name
    return None


def differences(generator: Generator, initial: Generator) -> list[str]:
    """The arguments of both Gs that differ, but for those that follow the codes; every one if the classes differ."""
    keys = sorted(generator.args.keys() - WITHOUT)
    same_class = type(generator) is type(initial)
    return [key for key in keys if not same_class or generator.args[key] != initial.args.get(key)]
