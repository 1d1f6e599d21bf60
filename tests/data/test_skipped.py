"""Unreadable images are counted, named once, and an error when they are too many."""

import pytest

from dgn.base.errors import UserError
from dgn.data.skipped import Skipped
from dgn.data.sources import Files


@pytest.fixture
def skipped(tmp_path, images_in):
    """Ten files, of which all but the first three are not images."""
    paths = images_in(tmp_path / "a", 10)
    for path in paths[3:]:
        path.write_text("not an image")
    return Skipped(Files([(str(path), 0) for path in paths], ["a"], 8), allowed=0.4)


def test_the_first_are_named_once(skipped, capsys):
    skipped.check()
    assert capsys.readouterr().out == ""
    skipped.add(4)
    skipped.check()
    skipped.add(5)
    skipped.check()
    assert capsys.readouterr().out.splitlines() == [
        "skipping images that cannot be read: a/004.png (it is not an image); from here on they are only counted"
    ]
    assert len(skipped) == 2 and 5 in skipped and 6 not in skipped


def test_too_many_are_an_error(skipped):
    for index in (3, 4, 5, 6):
        skipped.add(index)
    assert not skipped.too_many()
    skipped.check()
    skipped.add(7)
    with pytest.raises(UserError) as error:
        skipped.check()
    assert str(error.value) == (
        "5 of 10 images cannot be read (50 %, among them a/003.png (it is not an image), "
        "a/004.png (it is not an image), a/005.png (it is not an image)): "
        "mend or remove them, or type data.unreadable=SHARE with more than the 0.4 that may be skipped"
    )


def test_too_many_of_those_that_were_asked_for(skipped):
    skipped.add(3)
    skipped.check()
    with pytest.raises(UserError, match="1 of 2 images cannot be read"):
        skipped.check(among=2)
