"""Values that compose and that no run can use."""

import pytest

from dgn import mistakes
from dgn.base.errors import UserError


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("ascent.units=STD", "there is no ascent.units 'STD': did you mean 'std'"),
        ("ascent.render=before", "there is no ascent.render 'before': there are: last, before_last_step"),
        ("prior.lower=zeros", "there is no prior.lower 'zeros': did you mean 'zero'"),
        ("prior.lower=null", "there is no prior.lower None: there are: auto, zero"),
        ("ascent.whole=2", "ascent.whole=2 is out of range: type ascent.whole=0 to 1"),
        ("prior.shrink=0", "prior.shrink=0 is out of range: type prior.shrink=0.01 to 1"),
        ("prior.k=-1", "prior.k=-1 is out of range: type prior.k=0 or more"),
    ],
)
def test_what_is_none_of_those_there_are_or_out_of_range_is_a_sentence(config, word, sentence):
    with pytest.raises(UserError, match=sentence):
        mistakes.check(config("synthesize", word), {}, "synthesize")


@pytest.mark.parametrize(
    ("command", "word", "sentence"),
    [
        ("synthesize", "batch_size=null", "batch_size=null is not a number: type batch_size=8"),
        ("synthesize", "seed=[1]", r"seed=\[1\] is not a number"),
        ("synthesize", "seeds=null", "seeds=null is not a number: type seeds=2"),
        ("synthesize", "seeds=true", "seeds=True is not a whole number"),
        ("synthesize", "ascent.steps=null", "ascent.steps=null is not a whole number"),
        ("synthesize", "seed=1.5", "seed=1.5 is not a whole number: type seed=0 or more"),
        ("synthesize", "seed=-1", "seed=-1 is less than zero"),
        ("train", "seed=4294967296", "seed=4294967296 is too large: type seed=4294967295 or less"),
        ("synthesize", "real_images=-1", "real_images=-1 is less than zero: type real_images=0 or more"),
        ("synthesize", "real_images=null", "real_images=null is not a number"),
        ("train", "moments.images=null", "moments.images=null is not a number"),
        ("train", "data.val_images=0", "data.val_images=0 is less than one"),
        ("train", "module.accumulate=0", "module.accumulate=0 is less than one"),
        (
            "train",
            "generator.widths=8",
            r"generator.widths=8 is not a list of numbers: type 'generator.widths=\[256, 1",
        ),
        ("train", "module.optimiser_g.betas=[0.5,b]", "is not a list of numbers"),
        ("train", "log_every=0", "log_every=0 is less than one: type log_every=1 or more"),
    ],
)
def test_what_is_no_count_is_a_sentence(config, command, word, sentence):
    with pytest.raises(UserError, match=sentence):
        mistakes.check(config(command, word), {}, command)


def test_a_number_of_a_chosen_member_is_one(config):
    words = ("train", "task=classifier", "module.peak_lr=fast")
    with pytest.raises(UserError, match=r"module\.peak_lr=fast is not a number: type module\.peak_lr=0\.15"):
        mistakes.check(config(*words), {"task": "classifier"}, "train")


@pytest.mark.parametrize(
    "words",
    [
        ("synthesize", "target.radius=null"),
        ("synthesize", "prior=none", "real_images=0"),
        ("synthesize", "ascent=nguyen2016"),
        ("synthesize", "experiment=even_lite0", "units=goldfish"),
        ("synthesize", "target.input.mean=0.5"),
        ("train", "discriminator.head=[]", "generator.widths=[8]"),
        ("train",),
        ("train", "task=classifier", "snapshot_every=null", "data.val_images=null"),
        ("train", "task=inversion"),
    ],
)
def test_what_does_not_have_such_a_setting_or_has_it_right_passes(config, words):
    mistakes.check(config(*words), {}, words[0])
