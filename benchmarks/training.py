"""Speed of training: cells a second, share of the measured matrix-product peak, peak memory, by genes and batch.

Each row is a fresh process that takes a few steps of the real trainer on random cells. The plain way is float32 as the
equations are written; ratios are to it, in the same run.

    python -m benchmarks.training --out benchmarks/results/training.json
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Measured, in_fresh_process, peak, print_table, save
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.models.architectures import built
from primeflow_core.training.batches import CellSource
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.trainer import Trainer

PERTURBATIONS = 40
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


@dataclass(frozen=True)
class Case:
    """What one row measures."""

    recipe: str
    genes: int
    batch: int
    precision: Precision
    steps: int


@dataclass(frozen=True)
class Speed:
    """Seconds of one step, and the floating-point operations of its passes forward and backward."""

    seconds: float
    operations: float


def random_cells(genes: int, count: int) -> Cells:
    """Half of the values are zeros; every perturbation has its share."""
    draws = np.random.default_rng(0)
    values = draws.gamma(2.0, 0.5, (count, genes)).astype(np.float32) * (draws.random((count, genes)) < 0.5)
    conditions = (Condition(()), *(Condition((Perturbation(f"P{i:02}"),)) for i in range(PERTURBATIONS)))
    names = np.array([f"cell{i}" for i in range(count)])
    return Cells(
        values, tuple(f"G{i}" for i in range(genes)), names, conditions, np.arange(count) % len(conditions)
    )  # fmt: skip


def trainer(case: Case) -> tuple[Trainer, int]:
    recipe = recipe_named(case.recipe)
    cells = random_cells(case.genes, 4 * case.batch)
    vocabulary = Vocabulary.from_conditions(cells.conditions)
    torch.manual_seed(0)
    predictor = built(cells.genes, vocabulary, recipe.rows)
    source = CellSource(cells, np.arange(len(cells)), vocabulary, torch.device("cpu"))
    config = replace(recipe.training, batch_size=case.batch, precision=case.precision, accumulation=1, composed=0.0)
    predictor.fit_statistics(source.chunks)
    return Trainer(predictor, source, None, config, seed=0), case.steps


def best_step(prepared: tuple[Trainer, int]) -> Speed:
    made, steps = prepared
    with FlopCounterMode(display=False) as counter:
        made.step()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        made.step()
        seconds.append(time.perf_counter() - start)
    return Speed(min(seconds), counter.get_total_flops())


def rows(cases: list[Case]) -> list[dict[str, object]]:
    peaks = {"float32": peak(torch.float32), "bfloat16": peak(torch.bfloat16)}
    plain: dict[tuple[str, int, int], float] = {}
    made: list[dict[str, object]] = []
    for case in cases:
        found: Measured = in_fresh_process(trainer, best_step, case)
        speed = found.result
        rate = case.batch / speed.seconds
        key = (case.recipe, case.genes, case.batch)
        plain.setdefault(key, rate)
        made.append({
            "recipe": case.recipe, "genes": case.genes, "batch": case.batch, "precision": case.precision,
            "cells / s": rate, "times plain": rate / plain[key],
            "GFLOP a cell": speed.operations / case.batch / 1e9,
            "of peak": speed.operations / speed.seconds / peaks[case.precision], "peak memory, GB": found.peak / 1e9,
        })  # fmt: skip
    print_table(made)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["unet-tiny", "unet-small"])
    parser.add_argument("--genes", type=int, nargs="+", default=[512, 2048, 8192])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--steps", type=int, default=4, help="steps timed, the best counts (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    cases = [
        Case(recipe, genes, batch, precision, given.steps)
        for recipe in given.recipes
        for genes in given.genes
        for batch in given.batches
        for precision in PRECISIONS
    ]
    save(given.out, {"rows": rows(cases)})


if __name__ == "__main__":
    main()
