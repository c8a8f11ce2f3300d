"""The limits that keep the core easy to find one's way in, and that the measuring sees what it must see."""

import ast

import pytest

from benchmarks.structure import (
    classes_of_two_meanings,
    imported,
    in_circles,
    lengths_of_functions,
    longest_chain,
    measured,
)

MOST = {
    "modules in the root": 5, "import depth": 16, "modules in circles": 0, "class names with two meanings": 0,
    "median lines of a function": 5, "90th percentile": 15, "longest function": 49,
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return measured()


@pytest.mark.parametrize("name", MOST)
def test_the_structure_keeps_within_its_limits(found, name):
    assert found[name] <= MOST[name], "python -m benchmarks.structure --chain tells more"


def trees(**sources):
    return {name: ast.parse(source) for name, source in sources.items()}


def test_a_chain_a_circle_and_a_name_of_two_meanings_are_seen():
    made = trees(
        a="import b\nclass X: ...", b="from c import y\nclass X: ...", c="def f():\n    import a\n    return a"
    )
    assert longest_chain(imported(made, on_import=True)) == ("a", "b", "c")
    assert set(in_circles(imported(made, on_import=False))) == {"a", "b", "c"}
    assert classes_of_two_meanings(made) == {"X": ["a", "b"]}
    assert lengths_of_functions(made) == [2]
