"""Values that compose and that no run can use."""

import pytest

from dgn import settings
from dgn.base.errors import UserError
from dgn.settings.check import check
from dgn.synthesis.settings import SynthesizeSettings
from dgn.training.settings import TASKS


def checked(command, *words):
    composed = settings.composed(command, settings.words(command, words))
    return check(composed, SynthesizeSettings if command == "synthesize" else TASKS[composed.config.task])


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        ("synthesize", ["ascent.units=STD"], "ascent.units=STD is not a valid choice: did you mean 'std'"),
        (
            "synthesize",
            ["ascent.render=before"],
            "ascent.render=before is not a valid choice",
        ),
        (
            "synthesize",
            ["prior=box", "prior.lower=zeros"],
            "prior.lower=zeros is not a valid choice",
        ),
        (
            "synthesize",
            ["prior=box", "prior.lower=null"],
            "prior.lower=null is not a valid choice",
        ),
        ("synthesize", ["ascent.full_view_fraction=2"], "ascent.full_view_fraction=2 is out of range"),
        ("synthesize", ["ascent.step=-1"], "ascent.step=-1 is out of range: set ascent.step to more than 0"),
        ("synthesize", ["ascent.noise=null"], "ascent.noise=null is not a number"),
        ("synthesize", ["prior=box", "prior.shrink=0"], "prior.shrink=0 is out of range"),
        ("synthesize", ["prior=box", "prior.k=-1"], "prior.k=-1 is out of range"),
        ("synthesize", ["prior=box", "prior.k=[1,2]"], r"prior.k=\[1, 2\] is not a number"),
        ("synthesize", ["+start.encoder={_target_: my.Net}"], "there is no key 'start.encoder'"),
        ("synthesize", ["batch_size=null"], "batch_size=null is not a whole number"),
        ("synthesize", ["seed=[1]"], r"seed=\[1\] is not a whole number"),
        ("synthesize", ["seeds=true"], "seeds=True is not a whole number"),
        ("synthesize", ["seed=1.5"], "seed=1.5 is not a whole number"),
        ("synthesize", ["ascent.step=-1"], "ascent.step=-1 is out of range"),
        ("synthesize", ["ascent.transform_strength=-1"], "ascent.transform_strength=-1 is out of range"),
        ("synthesize", ["~ascent.full_view_fraction"], "ascent.full_view_fraction has no value"),
        ("synthesize", ["seed=-1"], "seed=-1 is out of range: set seed to 0 or more"),
        ("synthesize", ["real_images=-1"], "real_images=-1 is out of range: set real_images to 0 or more"),
        ("synthesize", ["activated=maybe"], "post_activation=maybe is not true or false"),
        ("synthesize", ["target.steps=1.5"], "target.steps=1.5 is not a whole number"),
        (
            "synthesize",
            ["target.input.size=0"],
            "target.input.size=0 is out of range",
        ),
        ("synthesize", ["target.input.order=grb"], "target.input.order=grb is not a valid choice"),
        ("synthesize", ["judge=squeezenet"], "set network@judge=squeezenet"),
        (
            "synthesize",
            ["target.input.mean=[0.4,0.5]"],
            r"mean=\[0.4, 0.5\] has 2 values for 3 channels",
        ),
        (
            "synthesize",
            ["generator=pixels", "generator.range=[0]"],
            r"range=\[0\] has 1 value: set .* a list of at least 2$",
        ),
        ("synthesize", ["target.input.size=[64]"], r"=\[64\] has 1 value: set .* at least 2, or to a whole number"),
        (
            "synthesize",
            ["target.input.size=[64,64,3]"],
            r"has 3 values: set .* a list of at most 2, or to a whole number",
        ),
        ("synthesize", ["generator=pixels", "+generator.rang=1"], "no key 'generator.rang': did you mean 'range'"),
        ("synthesize", ["generator=pixels", "generator.moments.std=0"], "generator.moments.std=0 is out of range"),
        ("synthesize", ["start=image"], "start.path has no value: set start.path=…"),
        ("train", ["seed=4294967296"], "seed=4294967296 is out of range: set seed to 4294967295 or less"),
        ("train", ["moments.images=null"], "moments.images=null is not a whole number"),
        ("train", ["data.val_images=0"], "data.val_images=0 is out of range: set data.val_images to 1 or more"),
        ("train", ["discriminator.dropout=2"], "discriminator.dropout=2 is out of range: .* 1.0 or less"),
        ("train", ["+discriminator.spectrall=true"], "no key 'discriminator.spectrall': did you mean 'spectral'"),
        ("train", ["module.accumulate=0"], "module.accumulate=0 is out of range"),
        ("train", ["module.ema=abc"], "module.ema=abc is not a number"),
        ("train", ["module.clip=abc"], "module.clip=abc is not a number"),
        ("train", ["module.optimiser_g.betas=[0.5,b]"], "module.optimiser_g.betas=b is not a number"),
        ("train", ["log_every=0"], "log_every=0 is out of range: set log_every to 1 or more"),
        (
            "train",
            ["data.workers=many"],
            "data.workers=many is neither a whole number nor auto: set data.workers to one of them",
        ),
        ("train", ["task=classifier", "module.peak_lr=fast"], "module.peak_lr=fast is not a number"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_key(command, words, sentence):
    with pytest.raises(UserError, match=sentence):
        checked(command, *words)


@pytest.mark.parametrize(
    "words",
    [
        ("synthesize",),
        ("synthesize", "target.max_mahalanobis=null"),
        ("synthesize", "prior=none", "real_images=0"),
        ("synthesize", "ascent=nguyen2016"),
        ("synthesize", "experiment=even_lite0", "units=goldfish"),
        ("synthesize", "network@judge=squeezenet1_1", "judge.weights=FILE"),
        ("synthesize", "generator=pixels"),
        ("train", "data=photos"),
        ("train", "data=photos", "task=classifier"),
        ("train", "data=photos", "task=inversion"),
        ("train", "data.val_images=null"),
        ("train", "loss=deepsim", "generator=deepsim", "data.crop=227", "discriminator=deepsim"),
    ],
)
def test_what_is_right_passes(words):
    assert checked(*words).seed == 0


def test_the_settings_give_the_plain_config_again():
    composed = settings.composed("synthesize", settings.words("synthesize", ["generator=pixels", "output=x"]))
    assert check(composed, SynthesizeSettings).plain() == settings.plain(composed.config)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_has_a_debug_form(task):
    assert checked("train", f"task={task}", "debug=true").debug


def test_a_setting_that_ones_own_class_needs_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "needy.py").write_text(
        "from dgn.synthesis.priors import Prior\n"
        "class Needy(Prior):\n"
        "    def __init__(self, moments, *, factor):\n"
        "        super().__init__(moments)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["prior=none", "prior._target_=needy.Needy"]
    with pytest.raises(UserError, match=r"prior\.factor has no value: set prior\.factor=…"):
        checked("synthesize", *words)
    assert checked("synthesize", *words, "+prior.factor=2").prior["factor"] == 2
