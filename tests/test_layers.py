"""What may import what: one table of packages, from the ground up, held against the imports of every module."""

import ast
from functools import cache
from pathlib import Path

import pytest

from benchmarks.structure import names_imported, run_on_import

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "primeflow_core").rglob("*.py"))
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
ORDER = (
    "errors", "wording", "runtime", "figures", "data", "evaluation", "models", "training", "model_store", "prediction",
    "screening", "user_data", "report", "benchmark", "notebook", "api", "commands", "__main__",
)  # fmt: skip
"""A package imports only those before it, under ``if TYPE_CHECKING`` too; docs/architecture.md says what each holds."""
KNOWN_TO_NONE = ("streamlit", "pages")
SLOW = ("scanpy", "umap", "matplotlib", "dask", "distributed", "ot")
WITH_TORCH = (
    "models", "training", "model_store.model_card", "benchmark.grid", "benchmark.outcome", "benchmark.progress",
    "benchmark.request", "benchmark.run", "benchmark.scored_entry", "benchmark.store",
)  # fmt: skip
"""What loads torch when it is imported. Nothing else does: describing data and models, pages and --help are free."""
WITHOUT_TORCH = (
    "models.checkpoint",
    "models.model_kind",
    "models.sampling_plan",
    "models.flow.solvers",
    "models.kinds",
    "training.recipes.overrides",
)
"""The exceptions from it."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path, *, at_top: bool = False) -> frozenset[str]:
    """Modules that a file imports; ``at_top``: only what importing the file imports too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        name for node in (run_on_import(tree) if at_top else ast.walk(tree)) for name in names_imported(node)
    )


def uses(names: frozenset[str], package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in names)


ALL = {name_of(path): path for path in (*CORE, *PAGES)}


def reached(start: str) -> dict[str, str]:
    """Every module that importing ``start`` imports, with the one that brought it."""
    found, open_ends = {start: ""}, [start]
    while open_ends:
        module = open_ends.pop()
        for name in sorted(imports(ALL[module], at_top=True)):
            if name not in found:
                found[name] = module
                if name in ALL:
                    open_ends.append(name)
    return found


def package_of(module: str) -> str:
    """Of ``primeflow_core.data.cells`` it is ``data``; of ``primeflow_core`` itself nothing."""
    return (*module.split(".")[1:], "")[0]


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_a_package_imports_only_those_before_it(path):
    here = name_of(path)
    for other in imports(path) & set(ALL):
        if package_of(other):
            assert not uses(frozenset([other]), "pages"), other
            assert ORDER.index(package_of(other)) <= ORDER.index(package_of(here)), f"{here} imports {other}"


def test_the_table_has_every_package_and_no_other():
    assert {package_of(module) for module in ALL if module.startswith("primeflow_core.")} == set(ORDER)
    assert {f"{path.stem}.py" for path in (ROOT / "primeflow_core").glob("*.py")} == {
        "__init__.py", "__main__.py", "api.py", "errors.py", "wording.py",
    }  # fmt: skip


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_knows_no_browser(path):
    for package in KNOWN_TO_NONE:
        assert not uses(imports(path), package), package


@pytest.mark.parametrize("path", [*CORE, *PAGES], ids=name_of)
def test_slow_packages_are_imported_where_they_are_used(path):
    for package in SLOW:
        assert not uses(imports(path, at_top=True), package), package


@pytest.mark.parametrize("path", [*CORE, *PAGES], ids=name_of)
def test_plotly_is_drawn_with_in_one_place(path):
    if "figures" not in path.parts:
        assert not uses(imports(path), "plotly")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_pages_leave_training_recipes_and_torch_alone(path):
    for package in (
        "primeflow_core.training.trainer",
        "primeflow_core.training.run",
        "primeflow_core.training.recipes.registry",
        "torch",
    ):
        assert not uses(imports(path), package), package


def loads_torch(module: str) -> bool:
    name = module.removeprefix("primeflow_core.")
    listed = (any(name == one or name.startswith(f"{one}.") for one in table) for table in (WITH_TORCH, WITHOUT_TORCH))
    return next(listed) and not next(listed)


@pytest.mark.parametrize("module", [name for name in ALL if not loads_torch(name)])
def test_what_needs_no_torch_loads_none(module):
    found = reached(module)
    assert "torch" not in found, f"through {found.get('torch')}"


def test_no_module_imports_itself_in_a_circle():
    graph = {
        name: {other for other in imports(path) & set(ALL) if other != name and ALL[other].name != "__init__.py"}
        for name, path in ALL.items()
    }
    while leaves := [name for name, needed in graph.items() if not needed & set(graph)]:
        for leaf in leaves:
            del graph[leaf]
    # A package's __init__ is imported by its modules without being named; here they hold nothing that imports back.
    assert not graph, f"these import each other: {sorted(graph)}"


@pytest.mark.parametrize("path", [p for p in CORE if p.name == "__init__.py"], ids=name_of)
def test_packages_export_nothing(path):
    assert not imports(path)
