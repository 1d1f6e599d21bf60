"""The documents hang together: links lead somewhere, and every page can be reached."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "dgn", "notebooks", "findings", "experiments", "conf")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
STARTS = (ROOT / "README.md", ROOT / "docs/research/README.md")  # the first leads to the pages, the second to notes
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
UNSAID = re.compile(r"\bnot (?:here|in (?:the|this) repo)", re.IGNORECASE)


@cache
def text(page):
    """A page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def links(page):
    """The links of a page that lead into the repository, each as (path, anchor)."""
    inside = [link for link in LINK.findall(text(page)) if not re.match(r"[a-z]+:", link)]
    return [(page.parent / path if path else page, anchor) for path, _, anchor in (x.partition("#") for x in inside)]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", LINK.sub(r"\1", heading).lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page):
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or path.suffix != ".md" or anchor in anchors(path), f"{path} has no heading #{anchor}"


@pytest.mark.parametrize("folder", ["conf", "experiments", "dgn"])
def test_a_page_that_a_setting_or_the_code_names_exists(folder):
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".yaml"}]
    named = {name for path in files for name in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text())}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_page_is_linked_from_the_readme_or_an_index():
    reached = {path.resolve() for start in STARTS for path, _ in links(start)}
    assert [page for page in PAGES if ROOT / "docs" in page.parents and page not in reached] == []


def test_every_picture_of_the_documents_is_shown():
    shown = {path.resolve() for page in PAGES for path, _ in links(page)}
    kinds = {".png", ".jpg"}
    assert [p for p in sorted((ROOT / "docs/images").iterdir()) if p.suffix in kinds and p not in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_figure_is_of_something_that_is_not_in_the_repository(page):
    assert not UNSAID.search(text(page))
