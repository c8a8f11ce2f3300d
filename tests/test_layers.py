"""What may import what (docs of the design): read from the syntax of every module."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "primeflow_core").rglob("*.py"))
PAGES = [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]
SLOW = ("scanpy", "umap", "matplotlib", "dask", "distributed", "ot")
WITHOUT_TORCH = (
    "benchmark.condition_scores", "benchmark.read_about", "benchmark.read_cell_projection", "benchmark.shipped",
    "benchmark.summary_text", "data.cells", "data.conditions", "data.datasets", "data.download",
    "data.h5ad.condition_parsing", "data.h5ad.issues", "data.h5ad.obs_columns", "data.h5ad.reading",
    "data.h5ad.separator", "data.h5ad.storage", "data.perturbation_wording", "data.simulated_biology",
    "data.simulated_screen", "data.splits", "errors", "figures.interactive.agreement", "figures.interactive.benchmark",
    "figures.interactive.condition_grid", "figures.interactive.expression", "figures.interactive.genes",
    "figures.interactive.interaction", "figures.interactive.losses", "figures.interactive.maps",
    "figures.interactive.pairs", "figures.interactive.pictured", "figures.interactive.ranking", "figures.labels",
    "figures.paper.agreement", "figures.paper.benchmark", "figures.paper.condition_grid", "figures.paper.expression",
    "figures.paper.genes", "figures.paper.interaction", "figures.paper.maps", "figures.paper.pairs",
    "figures.paper.paper", "figures.paper.pictured", "figures.paper.ranking", "figures.style",
    "model_store.available_conditions", "model_store.held_out_metrics", "model_store.local_models",
    "models.sampling_plan", "prediction.measured_comparison", "prediction.prediction_job", "prediction.projection",
    "runtime.atomic_files", "runtime.job_queue", "runtime.jobs", "runtime.provenance", "screening.screen_job",
    "user_data.holdout", "user_data.training_job",
)  # fmt: skip


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path, *, at_top: bool = False) -> frozenset[str]:
    """Modules that a file imports; ``at_top``: only what importing the file imports too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(name for node in (_when_imported(tree) if at_top else ast.walk(tree)) for name in _names(node))


def _when_imported(node: ast.AST) -> Iterator[ast.AST]:
    """Everything but the inside of functions and of ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _when_imported(child)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


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


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_knows_no_browser(path):
    assert not uses(imports(path), "streamlit")
    assert not uses(imports(path), "pages")


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


@pytest.mark.parametrize("path", [p for p in CORE if p.parent.name == "evaluation"], ids=name_of)
def test_evaluation_knows_no_model(path):
    banned = (
        "torch",
        "primeflow_core.models.predictor",
        "primeflow_core.models.flow",
        "primeflow_core.models.checkpoint",
    )
    for package in banned:
        assert not uses(imports(path), package), package
        assert package not in reached(name_of(path)), package


@pytest.mark.parametrize("module", [f"primeflow_core.{name}" for name in WITHOUT_TORCH])
def test_describing_data_and_models_needs_no_torch(module):
    found = reached(module)
    assert "torch" not in found, f"through {found.get('torch')}"


def test_a_page_needs_no_torch_to_open():
    for path in PAGES:
        found = reached(name_of(path))
        assert "torch" not in found, f"through {found.get('torch')}"


def test_no_module_imports_itself_in_a_circle():
    graph = {
        name: {other for other in imports(path, at_top=True) if other in ALL and other != name}
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
