"""The structure of the core in numbers: rooms, import depth, circles, class names, lengths of functions.

    python -m benchmarks.structure --out benchmarks/results/structure.json

Read from the syntax of every module; nothing is run. A chain of imports counts its modules, those under
``if TYPE_CHECKING`` and inside functions left out; circles count every import.
"""

import argparse
import ast
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = "primeflow_core"
Graph = Mapping[str, frozenset[str]]


def modules() -> dict[str, ast.Module]:
    """The syntax of every module of the core by its dotted name; packages without code are left out."""
    found = {}
    for path in sorted((ROOT / CORE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if path.name != "__init__.py":
            found[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(trees: Mapping[str, ast.Module], *, on_import: bool) -> Graph:
    """Of each module those of the core that it imports; ``on_import``: only what importing it imports too."""
    return {
        name: frozenset(
            one
            for node in (run_on_import(tree) if on_import else ast.walk(tree))
            for one in names_imported(node)
            if one in trees and one != name
        )
        for name, tree in trees.items()
    }


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Everything but the inside of functions and of ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if not inside and not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from run_on_import(child)


def names_imported(node: ast.AST) -> list[str]:
    """The modules that an import statement names, and what it takes from them; of another statement nothing."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def in_circles(graph: Graph) -> tuple[str, ...]:
    """Modules that import themselves through others."""
    left = dict(graph)
    while leaves := [name for name, needed in left.items() if not needed & set(left)]:
        for leaf in leaves:
            del left[leaf]
    return tuple(left)


def longest_chain(graph: Graph) -> tuple[str, ...]:
    """The longest way down through the imports, the first module first. The graph must have no circle."""

    @cache
    def below(name: str) -> tuple[str, ...]:
        return (name, *max((below(one) for one in sorted(graph[name])), key=len, default=()))

    return max((below(name) for name in sorted(graph)), key=len)


def classes_of_two_meanings(trees: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    defined: dict[str, list[str]] = defaultdict(list)
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(name)
    return {name: places for name, places in defined.items() if len(places) > 1}


def lengths_of_functions(trees: Mapping[str, ast.Module]) -> list[int]:
    """Lines of each function's body, its docstring left out; shortest first."""
    return sorted(
        _lines(node)
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def measured() -> dict[str, int | float]:
    """What ``main`` prints, by name."""
    trees = modules()
    rooms = Counter(name.rpartition(".")[0] for name in trees)
    lengths = lengths_of_functions(trees)
    # The package's __init__ holds its version and counts as one of the modules at the top.
    return {
        "modules in the root": rooms.pop(CORE) + 1,
        "most modules in a package": max(rooms.values()),
        "median modules in a package": statistics.median(rooms.values()),
        "import depth": len(longest_chain(imported(trees, on_import=True))),
        "modules in circles": len(in_circles(imported(trees, on_import=False))),
        "class names with two meanings": len(classes_of_two_meanings(trees)),
        "median lines of a function": statistics.median(lengths),
        "90th percentile": lengths[int(0.9 * len(lengths))],
        "longest function": lengths[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--chain", action="store_true", help="print the longest chain of imports too")
    given = parser.parse_args()
    found = measured()
    for name, value in found.items():
        print(f"{name:32}{value:>6g}")
    if given.chain:
        print("\n".join(longest_chain(imported(modules(), on_import=True))))
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
