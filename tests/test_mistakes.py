"""Values that compose and that no run can use."""

import pytest

from dgn import mistakes
from dgn.errors import UserError


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("ascent.units=STD", "there is no ascent.units 'STD': did you mean 'std'"),
        ("ascent.render=before", "there is no ascent.render 'before': there are: last, before_last_step"),
        ("prior.lower=zeros", "there is no prior.lower 'zeros': did you mean 'zero'"),
        ("prior.lower=null", "there is no prior.lower None: there are: auto, zero"),
    ],
)
def test_a_word_that_is_none_of_those_there_are_is_a_sentence(config, word, sentence):
    with pytest.raises(UserError, match=sentence):
        mistakes.check(config("synthesize", word), {}, "synthesize")


@pytest.mark.parametrize("words", [("synthesize", "prior=none"), ("synthesize", "ascent=nguyen2016"), ("train",)])
def test_what_does_not_have_such_a_setting_or_has_it_right_passes(config, words):
    mistakes.check(config(*words), {}, words[0])
