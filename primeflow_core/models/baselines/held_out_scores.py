"""Scores the baselines on held-out conditions, fitted to the training cells of a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import Split
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.defaults import PCS, TOP_GENES
from primeflow_core.evaluation.held_out_reference import Truth, truth
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import table
from primeflow_core.models.baselines.baseline import FittedBaseline
from primeflow_core.models.baselines.fit import fit_baselines

if TYPE_CHECKING:
    from primeflow_core.evaluation.evaluation_input import EvaluationInput

BASELINE = "baseline"


@dataclass(frozen=True)
class BaselineTable:
    """``scores``: the rows of the evaluation's table for each baseline, named in the column ``baseline``; a baseline
    that can predict nothing has none. ``refused``: what a baseline cannot predict: its name, the condition, why."""

    scores: pd.DataFrame
    refused: tuple[tuple[str, Condition, str], ...]


def baseline_table(
    cells: Cells,
    split: Split,
    part: str,
    conditions: Sequence[Condition],
    count: int,
    *,
    seed: int = 0,
    pcs: int = PCS,
    top_genes: int = TOP_GENES,
) -> BaselineTable:
    """Every baseline predicts ``count`` cells of each of ``conditions``, which are scored within ``part`` of the split.

    Fewer where it would have to repeat one; the column ``cells`` says how many, in the mean row on average. Ranks
    compare the conditions that the baseline can predict.
    """
    measured = truth(cells, split, part)
    tables, refused = [], []
    for name, baseline in fit_baselines(cells.subset(split.indices(cells, TRAIN))).items():
        scores, not_predicted = _scored(name, baseline, measured, conditions, count, seed, (pcs, top_genes))
        refused += [(name, condition, why) for condition, why in not_predicted]
        if scores is not None:
            scores.insert(0, BASELINE, name)
            tables.append(scores)
    return BaselineTable(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(), tuple(refused))


def baselines_beside(
    asked: "EvaluationInput", *, seed: int = 0, pcs: int = PCS, top_genes: int = TOP_GENES
) -> BaselineTable:
    """The baselines predict the scored conditions, as many cells of each as the prediction has in the middle.

    Raises SettingError where the evaluation has no split.
    """
    cells, split = asked.training()
    scored = {(condition.label, condition.group) for condition in asked.pair.scored}
    labels = cells.labels or tuple(condition.label for condition in cells.conditions)
    conditions = [
        condition
        for condition, label in zip(cells.conditions, labels, strict=True)
        if scored & {(text, tuple(value for _, value in condition.covariates)) for text in (label, condition.label)}
    ]
    count = int(np.median([condition.predicted.shape[0] for condition in asked.pair.scored]))
    return baseline_table(cells, split, asked.part, conditions, count, seed=seed, pcs=pcs, top_genes=top_genes)


def _scored(
    name: str,
    baseline: FittedBaseline,
    measured: Truth,
    conditions: Sequence[Condition],
    count: int,
    seed: int,
    top: tuple[int, int],
) -> tuple[pd.DataFrame | None, list[tuple[Condition, str]]]:
    made, refused = {}, []
    for condition in conditions:
        try:
            made[condition] = baseline.predict(condition, min(count, baseline.distinct(condition)), seed)
        except (ConditionError, DataError) as why:
            refused.append((condition, str(why)))
    if not made:
        return None, refused
    scored = score(measured.pair(made, f"cells of {name}"), pcs=top[0], top_genes=top[1])
    scores = table(scored, also=[metric.name for metric in all_metrics() if not metric.ranked])
    counts = [condition.predicted.shape[0] for group in scored.groups for condition in group.conditions]
    return scores.assign(cells=[*counts, np.mean(counts)]), refused
