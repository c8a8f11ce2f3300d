"""Our evaluation against the naive one: time and peak memory, on cells made for the purpose.

The naive evaluation is a plain double loop over predictions and measured conditions that computes every term of every
score anew, with SciPy's dense distances and one call of Scanpy's rank_genes_groups a condition and side. A second one
takes its distances from float32 matrix products, but still recomputes the terms within the sets.

    python -m benchmarks.evaluation --out benchmarks/results/evaluation.json                 (a minute)
    python -m benchmarks.evaluation --large --out benchmarks/results/evaluation-large.json   (an hour on two cores)
"""

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.measure import Measured, in_fresh_process, print_table, save
from primeflow_core.evaluation.distances import mmd
from primeflow_core.evaluation.labelled import LabelledCells
from primeflow_core.evaluation.metrics.registry import ranked_metrics
from primeflow_core.evaluation.pair import Pair, paired
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import table

CONTROL = "control"


@dataclass(frozen=True)
class Size:
    conditions: int
    cells: int
    genes: int

    def __str__(self) -> str:
        return f"{self.conditions} conditions x {self.cells:,} cells x {self.genes:,} genes"


SMALL, LARGE = Size(33, 100, 500), Size(200, 1000, 5000)
MANY_CELLS = Size(2, 20_000, 2000)


def made_cells(size: Size, seed: int) -> LabelledCells:
    """Sparse log counts: every condition changes a tenth of the genes, the same genes for every seed."""
    world, draw = np.random.default_rng(0), np.random.default_rng([1, seed])
    base = world.gamma(0.5, 0.6, size.genes)
    names = [CONTROL, *(f"p{i:03d}" for i in range(size.conditions))]
    blocks = []
    for name in names:
        effect = world.normal(0, 1, size.genes) * (world.random(size.genes) < 0.1) * (name != CONTROL)
        counts = draw.poisson(base * np.exp(effect), (size.cells, size.genes))
        blocks.append(sp.csr_matrix(np.log1p(counts).astype(np.float32)))
    labels = np.repeat(np.array(names, dtype=object), size.cells)
    genes = tuple(f"gene_{i:05d}" for i in range(size.genes))
    cell_names = np.array([f"c{i}" for i in range(len(labels))])
    return LabelledCells(sp.vstack(blocks).tocsr(), genes, labels, (("k",),) * len(labels), cell_names, "made cells")


def made_pair(size: Size) -> Pair:
    return paired(made_cells(size, 1), made_cells(size, 0), ["context"])


def ours(pair: Pair) -> dict[str, np.ndarray]:
    """The whole table, and the matrices that its ranks come from."""
    scored = score(pair)
    table(scored)
    return {metric.name: scored.groups[0].matrices[metric.name] for metric in ranked_metrics()}


class Naive:
    """``sample``: the predictions and references that the double loop visits; None for all."""

    def __init__(self, mean_distance: Callable[[np.ndarray, np.ndarray], float], sample: int | None) -> None:
        self.mean_distance, self.sample = mean_distance, sample

    def __call__(self, pair: Pair) -> dict[str, Any]:
        """Scores (P, Q) of the sample, and the seconds of each stage."""
        from sklearn.decomposition import PCA

        start = time.perf_counter()
        conditions = pair.scored[: self.sample]
        control = pair.controls[pair.scored[0].group].dense()
        predicted = [condition.predicted.dense() for condition in conditions]
        measured = [condition.measured.dense() for condition in conditions]
        pca = PCA(30, svd_solver="arpack", random_state=0).fit(pair.reference)
        in_components = [[pca.transform(cells) for cells in side] for side in (predicted, measured)]
        before_genes = time.perf_counter()
        top = [[top_by_scanpy(cells, control, pair.genes) for cells in side] for side in (predicted, measured)]
        before_loop = time.perf_counter()
        matrices = {metric.name: np.empty((len(conditions), len(conditions))) for metric in ranked_metrics()}
        for i, j in itertools.product(range(len(conditions)), repeat=2):
            matrices["cosine_logfc"][i, j] = naive_cosine(predicted[i], measured[j], control)
            matrices["rmse_mean"][i, j] = np.sqrt(np.mean((predicted[i].mean(0) - measured[j].mean(0)) ** 2))
            matrices["mmd_gex"][i, j] = self.mmd(predicted[i], measured[j])
            matrices["mmd_pca"][i, j] = self.mmd(in_components[0][i], in_components[1][j])
            matrices["deg_recall"][i, j] = len(top[0][i] & top[1][j]) / 50
        done = time.perf_counter()
        seconds = {"once": before_genes - start, "conditions": before_loop - before_genes, "pairs": done - before_loop}
        return {"matrices": matrices, "seconds": seconds}

    def mmd(self, x: np.ndarray, y: np.ndarray) -> float:
        return self.mean_distance(x, y) - self.mean_distance(x, x) / 2 - self.mean_distance(y, y) / 2


def naive_cosine(predicted: np.ndarray, measured: np.ndarray, control: np.ndarray) -> float:
    base = np.log2(control.mean(0) + 0.1)
    one, other = (np.log2(cells.mean(0) + 0.1) - base for cells in (predicted, measured))
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def top_by_scanpy(cells: np.ndarray, control: np.ndarray, genes: tuple[str, ...]) -> set[str]:
    import anndata
    import pandas as pd
    import scanpy as sc

    labels = ["p"] * len(cells) + [CONTROL] * len(control)
    obs = pd.DataFrame({"condition": pd.Categorical(labels)}, index=[str(i) for i in range(len(labels))])
    adata = anndata.AnnData(np.concatenate([cells, control]), obs=obs, var=pd.DataFrame(index=list(genes)))
    sc.tl.rank_genes_groups(
        adata, "condition", groups=["p"], reference=CONTROL, method="t-test_overestim_var", rankby_abs=True
    )
    return set(adata.uns["rank_genes_groups"]["names"]["p"][:50])


def dense_distance(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.spatial.distance import cdist

    return float(cdist(x, y).mean())


def product_distance(x: np.ndarray, y: np.ndarray) -> float:
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    return float(np.sqrt(np.maximum(squares, 1e-8)).mean(dtype=np.float64))


def compared(size: Size, sample: int | None, times: int) -> dict[str, Any]:
    """Ours whole; the naive ones whole, or on ``sample`` conditions and extrapolated."""
    own = in_fresh_process(made_pair, ours, size, times=times)
    rows = [row("ours", size, own.seconds, own)]
    results: dict[str, Any] = {"size": str(size), "extrapolated_from": sample, "ours": figures(own.seconds, own)}
    for name, distance in (("naive", dense_distance), ("naive, matrix products", product_distance)):
        found = in_fresh_process(made_pair, Naive(distance, sample), size, times=1 if sample else times)
        seconds = extrapolated(found.result["seconds"], size, sample)
        rows.append(row(name + (f", extrapolated from {sample} conditions" if sample else ""), size, seconds, found))
        results[name] = figures(seconds, found) | {
            "times_ours": seconds / own.seconds,
            "largest_difference": largest_difference(found.result["matrices"], own.result),
        }
    for each in rows:
        each["times ours"] = each["seconds"] / own.seconds  # type: ignore[operator]
    print_table(rows)
    return results


def extrapolated(seconds: dict[str, float], size: Size, sample: int | None) -> float:
    share = size.conditions / (sample or size.conditions)
    return seconds["once"] + seconds["conditions"] * share + seconds["pairs"] * share**2


def row(name: str, size: Size, seconds: float, measured: Measured) -> dict[str, object]:
    return {"what": name, "size": str(size), "seconds": seconds, "peak memory, GB": measured.peak / 1e9}


def figures(seconds: float, measured: Measured) -> dict[str, float]:
    return {"seconds": seconds, "peak_bytes": measured.peak, "bytes_before": measured.before}


def largest_difference(naive: dict[str, np.ndarray], own: dict[str, np.ndarray]) -> dict[str, float]:
    """Of each score; recall differs by ties, which Scanpy breaks in another way."""
    return {name: float(np.nanmax(np.abs(own[name][: len(m), : len(m)] - m))) for name, m in naive.items()}


def two_dense_sets(size: Size) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return tuple(draw.random((size.cells, size.genes), dtype=np.float32) for _ in range(2))  # type: ignore[return-value]


def mmd_of(sets: tuple[np.ndarray, np.ndarray]) -> float:
    return mmd(*sets)


def many_cells() -> dict[str, Any]:
    """One MMD of 20,000 x 20,000 cells."""
    own = in_fresh_process(two_dense_sets, mmd_of, MANY_CELLS)
    print_table([row("ours, one MMD", MANY_CELLS, own.seconds, own)])
    return {"size": str(MANY_CELLS), **figures(own.seconds, own)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    parser.add_argument("--large", action="store_true", help="200 conditions x 1,000 cells x 5,000 genes instead")
    parser.add_argument("--sample", type=int, default=2, help="conditions of the naive sample (default: %(default)s)")
    given = parser.parse_args()
    if given.large:
        save(given.out, {"large": compared(LARGE, given.sample, 1)})
    else:
        save(given.out, {"small": compared(SMALL, None, 3), "many_cells": many_cells()})


if __name__ == "__main__":
    main()
