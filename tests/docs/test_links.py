"""Every file, heading and command that the documents lead to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMED = [str(page.relative_to(ROOT)) for page in PAGES]


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The names that a forge gives to headings."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=NAMED)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=NAMED)
def test_files_that_are_named_exist(page: Path) -> None:
    """Paths in back quotes that begin with one of our folders, a star standing for several."""
    for path in re.findall(r"`((?:chatserver|conversations|streaming|tests|deploy)/[\w./*-]+)`", prose(page)):
        assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("page", PAGES, ids=NAMED)
def test_make_knows_what_it_is_asked_for(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    asked = set(re.findall(r"(?:^\$ (?:\w+=\S+ )*|`|&& )make ([a-z]+)", page.read_text(), re.M))
    assert asked <= targets


def test_the_decisions_have_their_date() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert decisions
    for page in decisions:
        assert re.match(r"# .+\n\n\d{4}-\d{2}-\d{2}\n", page.read_text()), page.name
