"""Trains or resumes one entry of the grid, and scores it on the held-out conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core.benchmark.cell_projection import Canvas
from primeflow_core.benchmark.grid import Entry
from primeflow_core.data.conditions import Condition
from primeflow_core.data.held_out_outlook import of_conditions
from primeflow_core.data.split_file import TEST, TRAIN
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.held_out_reference import Truth, check_controls, perturbed_training, truth
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.metrics.registry import rank_columns
from primeflow_core.evaluation.pair import Pair
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import table
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.models import checkpoint
from primeflow_core.models.predictor import Predictor
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train


@dataclass(frozen=True)
class ScoredEntry:
    """``rows``: every metric with its rank, floor, ceiling, baseline and replicate, for each guidance weight and
    condition. ``refused``: conditions that the model cannot predict, with the reason. ``seconds`` of the training,
    learned ``parameters``. ``picture``: where the predicted cells lie, see cell_projection.py; empty unless the entry
    is pictured."""

    rows: pd.DataFrame
    refused: tuple[tuple[str, str], ...]
    seconds: float
    parameters: int
    picture: pd.DataFrame = field(default_factory=pd.DataFrame)


def check_scorable(source: Source, part: str) -> None:
    """Raises DataError if nothing of ``part`` is held out or can be predicted, or if there are no controls to measure
    effects from. Call it before any training, which would be useless."""
    trained_on = set(source.split.conditions(source.cells, TRAIN))
    there = source.split.conditions(source.cells, part)
    held_out = [condition for condition in there if condition not in trained_on and not condition.is_control]
    if not held_out:
        only_cells = any(not condition.is_control for condition in there)
        what = "cells of conditions that training sees, and no condition" if only_cells else "no condition"
        raise DataError(
            f"{source.split.source} puts {what} of {source.cells.source} into {part} that is held out from training. A "
            "benchmark compares predictions of conditions that training never sees: `primeflow check` lists how to "
            "hold some out. `primeflow card` scores a model on held-out cells."
        )
    if refusal := of_conditions(held_out, tuple(trained_on)).refusal:
        raise DataError(
            f"{refusal} Nothing in {part} of {source.split.source} can be scored; hold out other conditions."
        )
    check_controls(source.cells, source.split, part, held_out)


def scored_entry(
    entry: Entry, source: Source, folder: Path, *, cells: int, part: str, command: Sequence[str]
) -> ScoredEntry:
    """Train in ``folder`` and score up to ``cells`` predicted cells of each held-out condition of ``part``.

    If training never saw a part of a condition, every model refuses the condition, and none is scored on it.
    """
    trainer = prepare(source, entry.recipe, folder, seed=entry.seed, device="cpu", resume=True, command=command)
    progress = train(trainer, folder)
    predictor, manifest = checkpoint.load(folder), checkpoint.read_manifest(folder)
    held_out = manifest.tested_on if part == TEST else manifest.validated_on
    measured, training = truth(source.cells, source.split, part), perturbed_training(source.cells, source.split)
    canvas = Canvas(source.cells) if entry.pictured else None
    rows, placed, refused = [], [], dict[str, str]()
    for weight in entry.weights:
        plan = replace(manifest.sampling, guidance=weight, seed=entry.seed)
        made, not_made = _made(predictor, held_out, cells, plan)
        refused |= not_made
        if made:
            pair = measured.pair(made, f"cells of {entry.name}")
            rows.append(_scores(pair, measured, training, entry).assign(guidance=weight))
            refused |= _not_scored(pair, made, part)
        if made and canvas is not None:
            placed.append(canvas.predicted(made).assign(model=entry.recipe.name, guidance=weight))
    learnt = sum(parameter.numel() for parameter in predictor.parameters())
    return ScoredEntry(_joined(rows), tuple(sorted(refused.items())), progress.seconds, learnt, _joined(placed))


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _made(
    predictor: Predictor, conditions: Sequence[Condition], cells: int, plan: SamplingPlan
) -> tuple[dict[Condition, np.ndarray], dict[str, str]]:
    made, refused = {}, {}
    for condition in conditions:
        try:
            made[condition] = predictor.predict(condition, predictor.distinct_cells(condition, cells), plan)
        except ConditionError as error:
            refused[_named(condition)] = str(error)
    return made, refused


def _not_scored(pair: Pair, made: Iterable[Condition], part: str) -> dict[str, str]:
    """Predicted conditions without controls to measure an effect from, each with the reason."""
    scored = {(condition.label, condition.group) for condition in pair.scored}
    return {
        _named(condition): f"the {part} part has no control cells of its context to measure the effect from."
        for condition in made
        if (condition.label, tuple(value for _, value in condition.covariates)) not in scored
    }


def _named(condition: Condition) -> str:
    return f"{condition.label} {condition.context}".strip()


def _scores(pair: Pair, measured: Truth, training: PerturbedTraining, entry: Entry) -> pd.DataFrame:
    scored = score(pair)
    keys = ["condition", *measured.covariates]
    bounded = bounds(scored, measured.floor_controls, training)
    ranked = table(scored)
    ranks = ranked[[*keys, *rank_columns()]]
    rows = bounded.merge(ranks, on=keys, how="left", validate="one_to_one")
    return rows[rows["condition"] != MEAN].assign(model=entry.recipe.name, seed=entry.seed)
