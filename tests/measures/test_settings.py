"""What the settings of `dgn measure` refuse, each in one sentence."""

import pytest

from dgn.base.errors import UserError
from dgn.measures.settings import MeasureSettings
from dgn.settings.check import check
from dgn.settings.keywords import configured


def checked(**settings):
    return check(configured("measure", (), [settings]), MeasureSettings)


def test_the_defaults_are_the_published_task_and_two_per_cent():
    settings = checked()
    assert settings.trusted.bound == 0.02
    task = settings.two_alternative
    assert (task.references, task.above, task.below) == (9, [95, 100], [0, 5])
    assert settings.sheet is None and settings.answers is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sheet": "out"}, r"sheet=out belongs to the two-alternative task: set measures=\[two_alternative\] as well"),
        ({"answers": "a.json"}, "answers=a.json belongs to the two-alternative task"),
        ({"trusted": {"bound": 0}}, "trusted.bound=0 is out of range: set trusted.bound to more than 0"),
        ({"trusted": {"bound": 2}}, "trusted.bound=2 is out of range: set trusted.bound to 1.0 or less"),
        ({"two_alternative": {"above": [100, 95]}}, r"two_alternative.above=\[100, 95\] is empty: set the lower"),
        ({"two_alternative": {"below": [0, 101]}}, "set two_alternative.below to 100.0 or less"),
        ({"measures": ["trust"]}, "has no measure 'trust': did you mean 'trusted'"),
    ],
)
def test_a_mistake_is_one_sentence(settings, said):
    with pytest.raises(UserError, match=said):
        checked(**settings)


def test_with_the_task_a_sheet_may_be_asked_for():
    assert checked(measures=["two_alternative"], sheet="out").sheet == "out"
