"""Every relative link and picture in the Markdown files leads somewhere, and the README stays short."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_README_LINES = 120
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
EXTERNAL = ("http://", "https://", "mailto:")


def pages(root: Path) -> list[Path]:
    folders = (root, root / "docs", *sorted((root / "checkpoints").glob("*")))
    return [page for folder in folders for page in sorted(folder.glob("*.md"))]


def links(text: str) -> list[str]:
    return [link for link in LINK.findall(CODE.sub("", text)) if not link.startswith(EXTERNAL)]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, hyphens for spaces, without punctuation."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> Iterator[str]:
    for link in links(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", pages(ROOT), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    assert not list(dead_links(page))


def test_a_dead_link_is_found(tmp_path):
    (tmp_path / "here.md").write_text("# One Heading: A?\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](here.md) [b](here.md#one-heading-a) ![c](lost.png) [d](here.md#lost) [e](#lost) `[f](code.md)`\n"
        "```\n[g](code.md)\n```\n[h](https://example.org/lost)\n"
    )
    assert list(dead_links(page)) == ["lost.png", "here.md#lost", "#lost"]


def test_the_readme_leads_to_every_page_of_docs():
    reached, found = {ROOT / "README.md"}, [ROOT / "README.md"]
    while found:
        page = found.pop()
        paths = (link.partition("#")[0] for link in links(page.read_text(encoding="utf-8")))
        linked = {(page.parent / path).resolve() for path in paths if path.endswith(".md")}
        found += linked - reached
        reached |= linked
    assert set((ROOT / "docs").glob("*.md")) <= reached


def test_the_readme_is_short_and_has_one_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_README_LINES
    assert text.count("![") == 1
    assert "\nmake app " in text
    assert "\nmake test " in text
