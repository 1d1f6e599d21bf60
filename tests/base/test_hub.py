"""Files on the hub, against a local stand-in of its HTTP interface."""

import sys
import time

import pytest

from dgn.base import hub as ours
from dgn.base.errors import UserError
from dgn.base.hub import Name
from tests.hub_server import TOKEN, hub, point  # noqa: F401, as a fixture

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # of huggingface_hub's own upload
NOWHERE = "http://127.0.0.1:9"
FILE = "hf://me/priors/sub/g.txt"


@pytest.fixture
def filled(hub):  # noqa: F811
    """A hub with one file in two revisions."""
    hub.repositories["me/priors"] = {"main": {"sub/g.txt": b"new"}, "v1": {"sub/g.txt": b"old"}}
    return hub


def forget():
    """Ask again, as a new process does."""
    ours._fetched.cache_clear()
    ours._failed.clear()


def test_a_name_has_a_repository_a_file_and_a_revision():
    assert Name.of("hf://a/b/c/d.pt@v1") == Name.of("hf://a/b@v1/c/d.pt") == Name("a/b", "c/d.pt", "v1")
    assert Name.of("hf://a/b/c.pt@refs/pr/1") == Name("a/b", "c.pt", "refs/pr/1")
    assert Name.of("hf://a/b") == Name("a/b", None, None)
    for wrong in ("hf://a", "hf://a//c", "hf://a/b@v1/c@v2", "hf:///b/c"):
        with pytest.raises(UserError, match="write hf://OWNER/NAME/FILE"):
            Name.of(wrong)


def test_a_file_is_downloaded_once_and_asked_for_once_a_process(filled):
    assert ours.fetch(FILE).read_text() == "new"
    assert ours.fetch(FILE).name == "g.txt"
    assert filled.asked == [f"{verb} /me/priors/resolve/main/sub/g.txt" for verb in ("HEAD", "GET")]
    forget()
    ours.fetch(FILE)
    assert [line.split()[0] for line in filled.asked] == ["HEAD", "GET", "HEAD"]


def test_a_revision(filled):
    assert ours.fetch(f"{FILE}@v1").read_text() == "old"
    filled.repositories["me/priors"]["main"]["sub/g.txt"] = b"newer"
    filled.repositories["me/priors"]["main"]["more"] = b""
    assert ours.fetch(FILE).read_text() == "newer"


def test_the_cached_file_is_used_offline_and_without_a_network(filled, monkeypatch):
    import huggingface_hub

    constants = huggingface_hub.constants
    ours.fetch(FILE)
    asked = len(filled.asked)
    forget()
    with monkeypatch.context() as patched:
        point(patched, NOWHERE)
        assert ours.fetch(FILE).read_text() == "new"
    forget()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()  # its connections are made for one of the two modes
    try:
        assert ours.fetch(FILE).read_text() == "new"
        with pytest.raises(
            UserError, match=r"other.txt of me/priors on the hub is not in the cache, and HF_HUB_OFFLINE"
        ):
            ours.fetch("hf://me/priors/other.txt")
    finally:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        huggingface_hub.close_session()
    assert len(filled.asked) == asked


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hf://me/priors/none.txt", "me/priors on the hub has no file none.txt"),
        (f"{FILE}@v9", "has no revision 'v9'"),
        ("hf://me/other/g.txt", "there is no me/other on the hub, or it is private: check the name, or log in"),
        ("hf://me/secret/g.txt", "there is no me/secret on the hub, or it is private"),
        ("hf://me/priors", "names no file: write hf://me/priors/FILE"),
        ("hf://me/a--b/g.txt", "is no name of a repository"),
    ],
)
def test_mistakes_are_one_sentence_and_asked_for_once(name, sentence, filled):
    filled.repositories["me/secret"] = {"main": {"g.txt": b""}}
    filled.private.add("me/secret")
    for _ in range(2):
        with pytest.raises(UserError, match=sentence):
            ours.fetch(name)
    assert len(filled.asked) <= 1


def test_a_private_file_with_a_token(filled, monkeypatch):
    filled.private.add("me/priors")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert ours.fetch(FILE).read_text() == "new"


def test_without_a_network_it_is_said_at_once(filled, monkeypatch):
    point(monkeypatch, NOWHERE)
    with pytest.raises(UserError, match=r"cannot exchange files with me/priors on the hub .*refused"):
        ours.push(Name.of("hf://me/priors"), {"a": b""}, "a")
    began = time.monotonic()
    with pytest.raises(UserError, match=r"the hub cannot be reached \(.*refused\): check the network"):
        ours.fetch(FILE)
    assert time.monotonic() - began < 5  # the library itself would try for 24 seconds


def test_a_proxy_knows_the_way(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert ours.unreachable(NOWHERE) is not None
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert ours.unreachable(NOWHERE) is None


def test_without_the_library_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match="by pip install huggingface_hub"):
        ours.fetch("hf://me/priors/without.txt")


def test_a_commit_is_one_and_needs_a_token(filled, tmp_path, monkeypatch):
    (tmp_path / "x.safetensors").write_bytes(b"numbers")
    files = {"x.safetensors": tmp_path / "x.safetensors", "README.md": b"a page"}
    with pytest.raises(
        UserError, match=r"the hub refused me/mine \(HTTP 403\): log in by hf auth login, with the right"
    ):
        ours.push(Name.of("hf://me/mine"), files, "first", private=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert ours.push(Name.of("hf://me/mine"), files, "first", private=True) == f"{filled.url}/me/mine/commit/abc"
    assert filled.created[-1]["visibility"] == "private"
    assert filled.repositories["me/mine"]["main"] == {"x.safetensors": b"numbers", "README.md": b"a page"}
    assert ours.has(Name.of("hf://me/mine"), "README.md")
    assert not ours.has(Name.of("hf://me/none"), "README.md")
