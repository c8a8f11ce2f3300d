"""What the documentation names exists: commands with their options, files of the code, packages."""

import re
import shlex

import pytest

from primeflow_core.__main__ import parser
from tests.docs.test_links import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```\w*\n(.*?)^```$|((?:^    .+\n)+)", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
ELIDED = "…"


def names_of_files(text: str) -> set[str]:
    return {
        name for name in SPAN.findall(text) if re.fullmatch(r"[\w/]+/[\w.]+\.py|(?:primeflow_core|pages)/[\w/]*", name)
    }


def commands(text: str) -> list[str]:
    """Every whole call of primeflow in blocks of code and within lines, without comments."""
    blocks = ["".join(found).replace("\\\n", " ") for found in BLOCK.findall(text)]
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text))]
    return [one for one in (*lines, *spans) if re.match(r"primeflow [a-z]+ .*-", one) and ELIDED not in one]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_takes_the_options_it_is_shown_with(page):
    for command in commands(page.read_text(encoding="utf-8")):
        parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_the_code_that_is_named_exists(page):
    names = names_of_files(page.read_text(encoding="utf-8"))
    assert not [name for name in names if not any((place / name).exists() for place in (ROOT, ROOT / "primeflow_core"))]


def test_named_things_are_found():
    spans = "`models/lost.py` `A/B` `primeflow check a --out b` `primeflow app`"
    text = f"{spans}\n```\nprimeflow card \\\n  --x 1  # why\n```\n"
    assert names_of_files(text) == {"models/lost.py"}
    assert [" ".join(one.split()) for one in commands(text)] == ["primeflow card --x 1", "primeflow check a --out b"]


def test_the_readme_lists_every_command():
    rows = re.findall(r"^\| `primeflow (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    (choices,) = [action.choices for action in parser()._actions if action.dest == "command"]
    assert sorted(rows) == sorted(choices)


def test_the_architecture_lists_every_package():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE))
    packages = {folder.parent.name for folder in (ROOT / "primeflow_core").glob("*/__init__.py")}
    assert listed == packages | {"pages"}
