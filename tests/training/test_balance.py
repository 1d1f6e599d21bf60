"""When D and G train."""

from hypothesis import given
from hypothesis import strategies as st

from dgn.training.balance import Alternate, Released

LOSSES = st.lists(st.tuples(*[st.floats(1e-3, 10)] * 3), max_size=40)


@given(LOSSES)
def test_the_released_rule_literally(found):
    rule = Released(low=0.1, high=0.5, top=10)
    train_d = train_g = True
    for real, fake, fake_for_g in found:
        r = (real + fake) / fake_for_g
        if r < 0.1 and train_d:
            train_d = False
            train_g = True
        if r > 0.5 and not train_d:
            train_d = True
            train_g = True
        if r > 10 and train_g:
            train_g = False
            train_d = True
        rule.step(real, fake, fake_for_g)
        assert (rule.train_d, rule.train_g) == (train_d, train_g)


def test_its_state_goes_on():
    rule, other = Released(0.1, 0.5, 10), Released(0.1, 0.5, 10)
    rule.step(0.01, 0.01, 1.0)
    other.restore(rule.state())
    assert not other.train_d
    assert other.train_g


def test_alternation():
    rule = Alternate(every=3)
    seen = []
    for _ in range(6):
        seen.append(rule.train_d)
        rule.step(0, 0, 0)
    assert seen == [True, False, False] * 2
    other = Alternate(every=3)
    other.restore(rule.state())
    assert other.train_d


def test_a_discriminator_that_is_wholly_fooled_trains_alone():
    rule = Released(low=0.1, high=0.5, top=10)
    rule.step(1.0, 1.0, 0.0)
    assert (rule.train_d, rule.train_g) == (True, False)
