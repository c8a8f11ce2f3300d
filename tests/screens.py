"""Rows of a screen whose scores a test sets by hand."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.screening import shard_schema
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.screen_spec import ScreenOrder

CONTEXT = (("cell_type", "k562"),)
EFFECT = Goal("effect")
SUPPRESSION = Goal("suppression")
RESAMPLES = 100


def condition(label: str, context: str = "k562") -> Condition:
    return Condition(tuple(Perturbation(name) for name in label.split("+")), (("cell_type", context),))


def order(
    candidates: Sequence[str], *, checked: Sequence[str] = (), goal: Goal = EFFECT, resamples: int = RESAMPLES
) -> ScreenOrder:
    return ScreenOrder(
        model="tiny", weights="w", reference="r", goal=goal, candidates=tuple(map(condition, candidates)),
        checked=tuple(map(condition, checked)), cells=10, seeds=(0, 1), plan=SamplingPlan(), resamples=resamples,
    )  # fmt: skip


def noise(count: int, size: float, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """(count, resamples), each row with a median of 0."""
    drawn = np.random.default_rng(seed).normal(0, size, (count, resamples))
    return drawn - np.median(drawn, axis=1, keepdims=True)


def table_of(
    asked: ScreenOrder,
    scores: Sequence[float],
    replicates: np.ndarray | None = None,
    *,
    sums: Sequence[float] | None = None,
    changes: np.ndarray | None = None,
) -> pa.Table:
    """A row for each condition of the order, in its order; ``replicates`` are those of ``scores`` less the score."""
    everything = asked.everything
    around = np.zeros((len(everything), asked.resamples)) if replicates is None else replicates
    changes = np.zeros((len(everything), 3)) if changes is None else changes
    known = {
        "position": range(len(everything)),
        "perturbation": [each.label for each in everything],
        "cell_type": [each.context for each in everything],
        "score": scores,
        "sum_score": scores if sums is None else sums,
        "replicates": (np.asarray(scores)[:, None] + around).tolist(),
        "by_seed": [[score - 1, score + 1] for score in scores],
        "change": changes.tolist(),
        "change_error": (0.1 + 0 * changes).tolist(),
        "interaction": [""] * len(everything),
        "dominant": [""] * len(everything),
    }
    schema = shard_schema.schema(["cell_type"])
    blank = {"int32": 0, "double": float("nan")}
    return pa.table(
        {field.name: known.get(field.name, [blank.get(str(field.type), "")] * len(everything)) for field in schema},
        schema=schema,
    )
