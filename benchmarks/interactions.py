"""Does a screen find synergy, and what else it is asked for, among pairs that the model never saw?

The simulated screen knows the class of each of its 32 pairs. Four models (folds.py) hold out eight each, so that every
pair is ranked by a model that did not see it. A score tells synergy from additive as well as its AUROC says: the chance
that it puts a synergistic pair above an additive one, 0.5 for a coin; p is how often a coin comes as high (one-sided
Mann-Whitney test, exact for eight pairs and fewer a class without ties). For every goal the model's ranking, and those
of the baselines, are held against the measured one. Intervals are over pairs, those of rankings over cells too. The
four pairs of two pathways share their class, so there are fewer independent cases than pairs.

    python -m benchmarks.interactions --work runs/interactions --model checkpoints/simulated-screen \\
        --out benchmarks/results/interactions.json
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import mannwhitneyu

from benchmarks.folds import FOLDS, SCREEN, classes, model_in, trained
from benchmarks.held_out_pairs import BASELINES, CELLS, MEASURED, MODEL, SEEDS, HeldOutPairs, goals
from benchmarks.measure import print_table, save
from primeflow_core.data import datasets
from primeflow_core.data.simulated_biology import ADDITIVE, SUPPRESSIVE, SYNERGISTIC
from primeflow_core.evaluation.bootstrap import COVERAGE
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_agreement import GoalScores, rank_agreement

RESAMPLES = 2_000
ALONE = f"{MODEL} alone"
DESCRIBED = {
    MODEL: "predicted pair, parts as measured alone",
    ALONE: "predicted pair, parts as predicted alone",
    "sum": "the sum of the parts itself: 1 for every pair",
    "sum size": "size of the sum of the parts as measured",
    **{name: f"pair by {name}, parts as measured alone" for name in BASELINES if name != "no-change"},
    MEASURED: "measured pair, parts as measured alone",
}
WITHOUT_CELLS = ("sum", "sum size")
OTHERS = "all others"
CONTRASTS = ((SYNERGISTIC, ADDITIVE), (SYNERGISTIC, OTHERS), (SUPPRESSIVE, ADDITIVE))

Rows = list[dict[str, object]]


def pairs_of(lots: Sequence[HeldOutPairs]) -> pd.DataFrame:
    """A row for each pair: its class, its magnitude by each score, and the kind that each side takes it for."""
    class_of, rows = classes(), []
    for lot in lots:
        sides = {name: side for name, side in lot.interactions().items() if name in DESCRIBED}
        for i, pair in enumerate(lot.model.held_out):
            row: dict[str, object] = {"pair": pair.label, "class": class_of[pair], "model": lot.model.folder.name}
            row |= {name: side[i].magnitude.value for name, side in sides.items()}
            row |= {"sum": 1.0, "sum size": lot.sum_size(pair)}
            rows.append(row | {f"{name}: kind": str(side[i].kind) for name, side in sides.items()})
    return pd.DataFrame(rows)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The chance that one of ``positive`` scores above one of ``negative``; a tie counts as half."""
    difference = positive[:, None] - negative
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def auroc_interval(positive: np.ndarray, negative: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Over pairs, drawn again within either class."""
    draw = np.random.default_rng(seed)
    drawn = [
        auroc(draw.choice(positive, len(positive)), draw.choice(negative, len(negative))) for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def separations(pairs: pd.DataFrame) -> Rows:
    """Of each score the AUROC between classes, over the pairs that have it; suppression is to score low."""
    found: Rows = []
    for name, described in DESCRIBED.items():
        scored = pairs[pairs[name].notna()]
        row: dict[str, object] = {"score": described, "pairs": len(scored)}
        for one, other in CONTRASTS:
            of_one = scored["class"] == one
            of_other = ~of_one if other == OTHERS else scored["class"] == other
            values = scored[name].to_numpy(np.float64) * (-1 if one == SUPPRESSIVE else 1)
            row[f"{one} against {other}"] = _auroc_text(values[of_one], values[of_other])
        found.append({**row, "spearman with measured": _spearman(scored, name), "right class": _right(pairs, name)})
    return found


def _auroc_text(positive: np.ndarray, negative: np.ndarray) -> str:
    low, high = auroc_interval(positive, negative)
    p = mannwhitneyu(positive, negative, alternative="greater").pvalue
    return f"{auroc(positive, negative):.2f} ({low:.2f} to {high:.2f}), p = {p:.2g}"


def _spearman(pairs: pd.DataFrame, name: str) -> str:
    same = pairs[name].nunique() < 2
    return "-" if same else f"{pairs[name].corr(pairs[MEASURED], method='spearman'):.2f}"


def _right(pairs: pd.DataFrame, name: str) -> str:
    if name in WITHOUT_CELLS:
        return "-"
    return f"{int((pairs[f'{name}: kind'] == pairs['class']).sum())} of {len(pairs)}"


def of_classes(pairs: pd.DataFrame) -> Rows:
    """Mean and standard deviation of each magnitude over the pairs of a class."""
    found: Rows = []
    for name, group in pairs.groupby("class", sort=False):
        magnitudes = {side: f"{group[side].mean():.2f} ± {group[side].std():.2f}" for side in DESCRIBED}
        found.append({"class": name, "pairs": len(group), **magnitudes})
    return found


def rankings(lots: Sequence[HeldOutPairs]) -> Rows:
    """Of every goal the rankings by the model and the baselines against the measured one, all lots' pairs in one."""
    found: Rows = []
    for goal in goals(lots[0].model, lots[0].cells):
        sides = pooled(goal, [lot.scores(goal) for lot in lots])
        count = len(sides[MEASURED].value)
        picks = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
        for name in (MODEL, *BASELINES):
            known = np.isfinite(sides[name].value) & np.isfinite(sides[MEASURED].value)
            if known.all():
                agreement = asdict(rank_agreement(sides[MEASURED], sides[name], picks))
                told = {field: value for field, value in agreement.items() if field != "drawn"}
                chance = agreement["best"] ** 2 / count
                found.append({"goal": str(goal.kind), "ranked by": name, **told, "chance": chance})
    return found


def pooled(goal: Goal, lots: Sequence[dict[str, GoalScores]]) -> dict[str, GoalScores]:
    """The scores of all lots beside each other."""
    return {
        name: GoalScores(
            goal, *(np.concatenate([getattr(lot[name], what) for lot in lots]) for what in ("value", "drawn"))
        )
        for name in lots[0]
    }


def reported(title: str, lots: Sequence[HeldOutPairs]) -> dict[str, object]:
    """Print the tables of some held-out pairs, and return them."""
    pairs = pairs_of(lots)
    tables = {"separation": separations(pairs), "classes": of_classes(pairs), "rankings": rankings(lots)}
    for name, table in tables.items():
        print(f"\n{title}, {len(pairs)} pairs: {name}")
        print_table(table)
    frames = {"pairs": pairs, **{name: pd.DataFrame(table) for name, table in tables.items()}}
    # By way of pandas, since JSON knows no NaN.
    return {name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of the four trainings")
    parser.add_argument("--folds", type=int, nargs="+", choices=range(FOLDS), default=list(range(FOLDS)))
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE", help="of the recipe"
    )
    parser.add_argument("--model", type=Path, help="a model of the simulated screen, for its own held-out pairs")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cells = datasets.open_cells(SCREEN)
    models = [trained(cells, fold, given.work, given.settings) for fold in given.folds]
    results = {"folds": reported(f"{len(models)} folds", [HeldOutPairs.of(model, cells) for model in models])}
    if given.model is not None:
        shipped = reported(given.model.name, [HeldOutPairs.of(model_in(given.model), cells)])
        results["model"] = {"name": given.model.name, **shipped}
    asked = {"settings": given.settings, "goals": [goal.to_json() for goal in goals(models[0], cells)]}
    save(given.out, {**asked, "cells": CELLS, "noise seeds": len(SEEDS), **results})


if __name__ == "__main__":
    main()
