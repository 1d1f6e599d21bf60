"""Whether a prior is good enough to be believed, from the number that a training measures and its bundle keeps."""

from collections.abc import Mapping
from pathlib import Path

KEY = "unexplained/observer"  # see `dgn.evaluation.inversion.errors`
WEAK = 0.8  # the shipped priors have 0.33 and 0.69 on their own images, see docs/training.md


def weak(errors: Mapping[str, float]) -> str:
    """One sentence where a prior is weak; "" where it is not, or where it was not measured.

    Args:
        errors: of the prior on held-out images, as in its bundle's record.
    """
    value = errors.get(KEY)
    if value is None or not value >= WEAK:
        return ""
    return (
        f"this prior is weak: its reconstructions leave {value:.2f} of what another network sees in held-out images "
        f"unexplained (good: below 0.5; weak: above {WEAK:g}), so pictures may show nothing"
    )


def after_training(
    errors: Mapping[str, float],
    name: str,
    shipped: float | None,
    *,
    folder: Path,
    iterations: int,
    images: int,
    vector: bool,
) -> str:
    """What to say of a new prior, in one or two sentences; "" where nothing is wrong with it.

    Args:
        errors: of the new prior on held-out images.
        name: of a shipped prior.
        shipped: its number on the same images; None where it was not measured.
        folder: that the run wrote to.
        iterations: that it was trained for.
        images: in the training data.
        vector: whether the code is one, which holds little of where things are: then another layer is the first advice.
    """
    longer = f"train on (the same line with output={folder} resume=true iterations={2 * iterations})"
    earlier = "an earlier encoder.layer" + ", a map, which holds more of the image" * vector
    remedies = (*((earlier, longer) if vector else (longer, earlier)), f"more training images than {images:,}")
    said = [weak(errors) + f"; try: {'; '.join(remedies)}"] if weak(errors) else []
    if shipped is not None and KEY in errors and shipped < errors[KEY]:
        said.append(f"the shipped prior shows more of these images ({shipped:.2f} instead of {errors[KEY]:.2f}): "
                    f"bundle={name}")  # fmt: skip
    return "\n".join(said)
