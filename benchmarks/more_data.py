"""Whether more training cells bring the error of every small model down, on a simulated screen whose truth is known.

One screen is simulated. Its held-out conditions stay as they are; of the training cells of each condition a share is
kept, the smaller ones within the larger ones. Each model is trained on each share with some seeds, and scored as the
benchmark scores it. Figures are means over seeds; the last column is the largest share against the smallest.

    python -m benchmarks.more_data --work runs/more-data --out benchmarks/results/more-data.json

goes on where it was killed, with what is in --work. The defaults, every small model x 4 shares x 3 seeds, take about
4 hours of two quiet cores, most of them for unet-tiny. --recipes, --shares, --seeds, --cells, --genes and --set steps=N
make it cheaper; --workers N shares it among processes.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import print_table, save
from primeflow_core.benchmark.grid import Grid
from primeflow_core.benchmark.run import run_entries
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.data.cells import Cells
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.simulated_biology import SimulationConfig
from primeflow_core.data.simulated_screen import default_split, simulate
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import Split
from primeflow_core.runtime.atomic_files import write_with
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.registry import SMALL_RECIPES, changed, recipe_named
from primeflow_core.training.run import Source

ERRORS = ("mmd_gex", "mmd_pca", "energy_distance", "rmse_mean", "1 - cosine_logfc")
FEWEST = 2
"""Cells that are left of each training condition at least."""


@dataclass(frozen=True)
class Study:
    """``shares`` of the training cells, each in (0, 1], from the smallest; ``cells`` predicted of each condition."""

    screen: SimulationConfig
    shares: tuple[float, ...]
    recipes: tuple[Recipe, ...]
    seeds: tuple[int, ...]
    cells: int = 300


def screen_file(study: Study, work: Path) -> Path:
    """The simulated screen, made once."""
    said = json.dumps(asdict(study.screen), sort_keys=True)
    file = work / f"screen-{hashlib.sha256(said.encode()).hexdigest()[:12]}.h5ad"
    if not file.is_file():
        made = simulate(study.screen)
        write_with(file, lambda temporary: made.write_h5ad(temporary))
    return file


def source(file: Path, screen: SimulationConfig, share: float) -> Source:
    """The screen with a share of its training cells."""
    cells = read_cells(file)
    split = default_split(cells, screen)
    kept = _kept(cells, split, share, screen.seed)
    return Source(cells.subset(kept), Split(cells.names[kept], split.parts[kept]), file.name, simulated=True)


def _kept(cells: Cells, split: Split, share: float, seed: int) -> np.ndarray:
    """Rows that are not for training, and of each condition the first training rows of one fixed random order."""
    draw = np.random.default_rng(seed)
    trained_on = draw.permutation(split.indices(cells, TRAIN))
    of_condition = cells.condition_of[trained_on]
    chosen = [np.setdiff1d(np.arange(len(cells)), trained_on)]
    for number in np.unique(of_condition):
        rows = trained_on[of_condition == number]
        chosen.append(rows[: max(FEWEST, round(share * len(rows)))])
    return np.sort(np.concatenate(chosen))


def scores(study: Study, work: Path, workers: int | None = None) -> pd.DataFrame:
    """Of each share, recipe, seed and condition the metrics; ``training_cells`` beside them. What is in ``work`` is
    not made again."""
    file, found = screen_file(study, work), []
    for share in study.shares:
        read = partial(source, file, study.screen, share)
        told = f"{file.name} {share:g} {FEWEST}"
        grid = Grid(study.recipes, study.seeds, (1.0,), study.cells, told, told)
        store = BenchmarkStore(work / f"share-{share:g}", grid)
        for ended in run_entries(store, read, ["more_data"], workers):
            print(f"share {share:g}: {ended.entry.name} {ended.failed}".rstrip(), flush=True)
        given = read()
        found.append(store.rows().assign(share=share, training_cells=len(given.split.indices(given.cells, TRAIN))))
    return pd.concat(found, ignore_index=True)


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over conditions and seeds: one row a model and share, in the order of ``rows``, with ``seconds``."""
    rows = rows.assign(**{"1 - cosine_logfc": 1 - rows["cosine_logfc"]})
    floors = {f"{name}_floor": "mean" for name in ("mmd_gex", "energy_distance")}
    kept = {name: "mean" for name in (*ERRORS, "seconds")} | floors
    return rows.groupby(["model", "share", "training_cells"], sort=False).agg(kept).reset_index()


def table(found: pd.DataFrame, name: str) -> list[dict[str, object]]:
    """Of one error: a row a model, a column a number of training cells, and the ratio of the last to the first."""
    rows = []
    for model, group in found.groupby("model", sort=False):
        values = group.sort_values("training_cells")
        row: dict[str, object] = {name: str(model)}
        row |= {f"{cells:,}": float(value) for cells, value in zip(values["training_cells"], values[name], strict=True)}
        rows.append({**row, "ratio": float(values[name].iloc[-1] / values[name].iloc[0])})
    return rows


def ranking(found: pd.DataFrame) -> dict[str, Any]:
    """What a sensible table shows at the largest share: models from the smallest MMD, the place of the mean, how near
    no-change comes to the floor."""
    largest = found[found["share"] == found["share"].max()].sort_values("mmd_gex").set_index("model")
    told: dict[str, Any] = {"models by mmd_gex": list(largest.index)}
    if "mean" in largest.index:
        told["models worse than the mean"] = len(largest) - 1 - list(largest.index).index("mean")
    if "no-change" in largest.index:
        row = largest.loc["no-change"]
        told["no-change / floor"] = {
            name: float(row[name] / row[f"{name}_floor"]) for name in ("mmd_gex", "energy_distance")
        }
        told["models below the floor"] = [name for name in largest.index if name != "no-change" and
                                          largest.loc[name, "mmd_gex"] < row["mmd_gex_floor"]]  # fmt: skip
    return told


def recipes(names: Sequence[str], settings: Sequence[str]) -> tuple[Recipe, ...]:
    """``settings`` are of those that learn in steps."""
    chosen = tuple(map(recipe_named, names)) if names else SMALL_RECIPES
    return tuple(changed(recipe, settings) for recipe in chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=20_000, help="of the whole screen (default: %(default)s)")
    parser.add_argument("--genes", type=int, default=300)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.15, 0.4, 1.0])
    parser.add_argument("--recipes", nargs="*", default=[], help="default: every small one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of recipes with steps")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--work", type=Path, required=True, help="folder of models and scores")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    study = Study(
        SimulationConfig(cells=given.cells, genes=given.genes),
        tuple(sorted(given.shares)), recipes(given.recipes, given.set), tuple(range(given.seeds)),
    )  # fmt: skip
    given.work.mkdir(parents=True, exist_ok=True)
    found = errors(scores(study, given.work, given.workers))
    for name in ERRORS:
        print_table(table(found, name))
        print()
    told = ranking(found)
    for what, value in told.items():
        print(f"{what}: {value}")
    save(given.out, {
        "screen": asdict(study.screen), "seeds": study.seeds, "cells a condition": study.cells, "set": given.set,
        "rows": found.to_dict("records"), "ranking": told,
    })  # fmt: skip


if __name__ == "__main__":
    main()
