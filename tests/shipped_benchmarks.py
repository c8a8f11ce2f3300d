"""A small finished benchmark, written as the command writes it; the scores are made up, so that tests know them."""

from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.cell_projection import CONTROL, PREDICTED, REFERENCE, TRUTH
from primeflow_core.benchmark.output_files import BenchmarkOutcome

CONDITIONS = ("A+B", "A+C", "B+C")
CONTEXT = "k562"
SCORES = {
    # model, guidance: (MMD GEX, cosine), where smaller and larger are better; each training lies .01 apart
    ("no-change", 1.0): (0.50, 0.10),
    ("additive", 1.0): (0.20, 0.60),
    ("ridge", 1.0): (0.30, 0.45),
    ("cpa", 1.0): (0.40, 0.70),
    ("unet-tiny", 1.0): (0.10, 0.50),
    ("unet-tiny", 3.0): (0.15, 0.55),
}
FLOOR, CEILING = {"mmd_gex": 0.5, "cosine_logfc": 0.1}, {"mmd_gex": 0.05, "cosine_logfc": 0.8}
CLOSED_FORM = ("no-change", "additive", "ridge")
BASELINE, REPLICATE = {"mmd_gex": 0.4, "cosine_logfc": 0.2}, {"mmd_gex": 0.15, "cosine_logfc": 0.6}
SEEDS = (0, 1, 2)
AXES = {CONTEXT: ("PC 1 (12% of variance)", "PC 2 (5% of variance)")}


def rows(scores=SCORES, seeds=SEEDS, conditions=CONDITIONS) -> pd.DataFrame:
    """As BenchmarkStore.rows gives them; the i-th condition is .01 i harder for all."""
    found = []
    for (model, weight), (mmd, cosine) in scores.items():
        for seed in seeds:
            for i, condition in enumerate(conditions):
                row: dict[str, object] = {"condition": condition, "cell_type": CONTEXT}
                shift = 0.01 * (seed - seeds[len(seeds) // 2]) + 0.01 * i
                for name, value in (("cosine_logfc", cosine - shift), ("mmd_gex", mmd + shift)):
                    row |= {name: value, f"{name}_rank": 0.5 * i}
                    row |= {f"{name}_floor": FLOOR[name] + 0.01 * i, f"{name}_ceiling": CEILING[name]}
                row |= {"model": model, "seed": seed, "guidance": weight, "seconds": 60.0}
                row["parameters"] = 0 if model in CLOSED_FORM else 1000
                found.append(row)
    return pd.DataFrame(found)


def calibrated(found: pd.DataFrame, silent: tuple[str, ...] = ()) -> pd.DataFrame:
    """``found`` with baseline and replicate. Of the metrics in ``silent`` the two are each better in turn."""
    place = found["condition"].rank(method="dense").to_numpy() % 2
    for name in BASELINE:
        gain = REPLICATE[name] - BASELINE[name]
        ends = np.where(place == 1, gain, -gain) if name in silent else gain + 0.01 * place
        found = found.assign(
            **{f"{name}_baseline": BASELINE[name], f"{name}_replicate": BASELINE[name] + ends},
            **{f"{name}_replicate_sd": 0.02, f"{name}_wrong": BASELINE[name]},
        )
    return found.assign(cosine_logfc_disjoint=found["cosine_logfc"] - 0.1)


def picture(scores=SCORES, conditions=CONDITIONS, cells=12) -> pd.DataFrame:
    """Cells of every condition and model around places of their own."""
    draw = np.random.default_rng(0)
    kinds = [(CONTROL, "", None, np.nan), (REFERENCE, "", None, np.nan)]
    kinds += [(TRUTH, condition, None, np.nan) for condition in conditions]
    kinds += [(PREDICTED, condition, *entry) for condition in conditions for entry in scores]
    tables = []
    for place, (kind, condition, model, weight) in enumerate(kinds):
        points = draw.normal(place, 0.1, (cells, 2)).astype(np.float32)
        said = {"kind": kind, "condition": condition, "context": CONTEXT, "model": model, "guidance": weight}
        tables.append(pd.DataFrame({**said, "x": points[:, 0], "y": points[:, 1]}))
    return pd.concat(tables, ignore_index=True)


def about(title="Pairs of K562", *, simulated=False, seeds=SEEDS, models=tuple(SCORES)) -> About:
    return About(
        title=title, data="tiny.h5ad", simulated=simulated, split="every pair was held out, each part was seen alone",
        command="primeflow benchmark tiny.h5ad --split split.csv --out bench", cells=1000, seeds=tuple(seeds),
        part="test", data_sha256="d" * 64, split_sha256=("e" * 64,), versions={"primeflow": "0"},
        recipes={model: f"what {model} is" for model, _ in models}, made="2026-11-22T01:02:03+00:00",
        refused={"additive": {"C+D": "*C* is not known."}},
    )  # fmt: skip


def ship(folder: Path, found: pd.DataFrame | None = None, *, drawn: bool = True, **said) -> Path:
    """A folder of a benchmark of the rows ``found``."""
    folder.mkdir(parents=True, exist_ok=True)
    BenchmarkOutcome(about(**said), rows() if found is None else found, picture(), AXES).write(folder)
    if not drawn:
        (folder / "cells.parquet").unlink()
    return folder
