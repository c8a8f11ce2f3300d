"""Every model with a row for a CPU on every data set that is at hand, five trainings each: the tables that ship.

    python -m benchmarks.models --work runs/models --workers 2 --out benchmarks/results/models

All models, all metrics. What is finished under --work is never made again; killed, the same command goes on. Names of
benchmarks may follow the command, to make some of them.
"""

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.grid import Grid
from primeflow_core.benchmark.outcome import outcome
from primeflow_core.benchmark.run import run_entries
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.commands.benchmark_progress import TrainingsLine
from primeflow_core.data import datasets
from primeflow_core.data.cells import Cells
from primeflow_core.data.data_file import data_file
from primeflow_core.data.simulated_screen import default_split
from primeflow_core.data.split_file import TEST
from primeflow_core.data.splits import Split, combo_split, held_out_split, read_split, transfer_split
from primeflow_core.errors import SettingError
from primeflow_core.runtime.folder_lock import alone_in
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.registry import SMALL_RECIPES, adjusted
from primeflow_core.training.run import Source

SHIPPED = Path("checkpoints/perturbench-devel/split.csv.gz")
SEEDS, CELLS, GUIDANCE = 5, 1_000, (1.0, 3.0, 5.0)
FEW_CELLS: Mapping[str, Sequence[str]] = MappingProxyType(
    dict.fromkeys(("primeflow-plus-tiny", "primeflow-mlp-plus-tiny"), ("steps=1500",))
)
"""The U-Net sees about 1,000 cells 95 times each; its recipe shows each of 2,600 cells of K562 75 times."""
Splits = Mapping[str, Split]


@dataclass(frozen=True)
class Benchmark:
    """``splits`` of the cells by name: each is trained on alone, and their held-out conditions make one table.

    ``settings``: of recipes by name, where the data want other ones.
    """

    data: str
    title: str
    held_out: str
    splits: Callable[[Cells], Splits]
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        return tuple(self._changed(recipe) for recipe in SMALL_RECIPES)

    def _changed(self, recipe: Recipe) -> Recipe:
        settings = self.settings.get(recipe.name)
        if not settings:
            return recipe
        return replace(adjusted(recipe, settings), summary=f"{recipe.summary}; {', '.join(settings)}")


def k562_pairs(cells: Cells) -> Splits:
    return {"k562": read_split(SHIPPED, cells)}


def combinations(cells: Cells) -> Splits:
    return {"combo": combo_split(cells, 42)}


def transfers(cells: Cells) -> Splits:
    return {"transfer": transfer_split(cells, 42)}


def each_context(cells: Cells) -> Splits:
    treated = [condition for condition in cells.conditions if not condition.is_control]
    return {condition.context: held_out_split(cells, {condition: TEST}) for condition in treated}


def simulated(cells: Cells) -> Splits:
    return {"default": default_split(cells)}


BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "k562-pairs": Benchmark(
            "perturbench-devel", "Pairs of genes in K562", "the five pairs of K562 whose genes were both measured "
            "alone; trained on K562 only", k562_pairs,
        ),
        "perturbench-combo": Benchmark(
            "perturbench-devel", "PerturBench's combinations", "combinations of K562 by PerturBench's rule, seed 42",
            combinations,
        ),
        "perturbench-transfer": Benchmark(
            "perturbench-devel", "PerturBench's covariate transfer", "single genes in one of four cell lines by "
            "PerturBench's rule, seed 42", transfers,
        ),
        "kang18": Benchmark(
            "kang18-ifnb-pbmc", "Interferon in blood cells", "the stimulated cells of each of five types in turn",
            each_context, FEW_CELLS,
        ),
        "gbm": Benchmark(
            "gbm-panobinostat", "Panobinostat in glioblastoma", "the treated cells of each of five donors in turn",
            each_context, FEW_CELLS,
        ),
        "simulated-screen": Benchmark(
            "simulated-screen", "Simulated screen", "pairs of genes in one context, single genes in two others",
            simulated,
        ),
    }
)  # fmt: skip


def source(name: str, split: str) -> Source:
    """Read in whatever process works on it."""
    chosen = BENCHMARKS[name]
    cells = datasets.open_cells(chosen.data)
    return Source(cells, chosen.splits(cells)[split], chosen.data, data_file(chosen.data).simulated)


def grid(name: str, split: Split, cells: Cells, seeds: int) -> Grid:
    parts = pd.DataFrame({"cell": cells.names, "split": split.parts}).to_csv(index=False)
    sha256 = hashlib.sha256(parts.encode()).hexdigest()
    return Grid(BENCHMARKS[name].recipes, tuple(range(seeds)), GUIDANCE, CELLS, cells.sha256, sha256)


def run(name: str, given: argparse.Namespace) -> None:
    """Train and score what is missing of one benchmark, and write its tables."""
    cells = datasets.open_cells(BENCHMARKS[name].data)
    stores = {
        label: BenchmarkStore(given.work / name / label.replace(" ", "-"), grid(name, split, cells, given.seeds))
        for label, split in BENCHMARKS[name].splits(cells).items()
    }
    for label, store in stores.items():
        print(f"{name}, {label}: {len(store.missing)} of {len(store.grid.entries)} trainings to do", flush=True)
        finish(store, name, label, given.workers)
    found = outcome(about(name, [*stores.values()], given.seeds), [*stores.values()], cells)
    found.write(given.out / name)
    print(found.text)


def finish(store: BenchmarkStore, name: str, label: str, workers: int | None) -> None:
    """Raises SettingError when a training failed: a table without one of the models would mislead."""
    store.folder.mkdir(parents=True, exist_ok=True)
    with alone_in(store.folder):
        store.clear_beginnings()
        line, failed = TrainingsLine(store, workers or 1), []
        ends = run_entries(store, partial(source, name, label), ["benchmarks.models", name], workers, line.running)
        with closing(line), closing(ends):
            for ended in ends:
                line.ended(ended)
                failed += [f"{ended.entry.name}: {ended.failed}"] if ended.failed else []
    if failed:
        raise SettingError("\n".join(failed))


def about(name: str, stores: Sequence[BenchmarkStore], seeds: int) -> About:
    chosen = BENCHMARKS[name]
    first = stores[0].grid
    return About(
        title=chosen.title, data=chosen.data, simulated=data_file(chosen.data).simulated, split=chosen.held_out,
        command=f"python -m benchmarks.models {name} --work runs/models --out benchmarks/results/models"
        + ("" if seeds == SEEDS else f" --seeds {seeds}"),
        cells=CELLS, seeds=first.seeds, part=TEST, data_sha256=first.data_sha256,
        split_sha256=tuple(store.grid.split_sha256 for store in stores),
        recipes={recipe.name: recipe.summary for recipe in first.recipes}, versions=versions(), made=now(),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="All small models on all data at hand.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each model (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="so many processes of one core (default: all in one)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    for name in given.names or BENCHMARKS:
        run(name, given)


if __name__ == "__main__":
    main()
