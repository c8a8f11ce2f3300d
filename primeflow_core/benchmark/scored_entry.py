"""One entry of the grid: trained, or taken up where it was stopped, and scored on the held-out conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core import checkpoint
from primeflow_core.benchmark.grid import Entry
from primeflow_core.benchmark.picture import Canvas
from primeflow_core.conditions import Condition
from primeflow_core.errors import ConditionError
from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import MEAN, RANKS, table
from primeflow_core.predictor import Predictor
from primeflow_core.sampling_plan import SamplingPlan
from primeflow_core.splits import TEST
from primeflow_core.training import train
from primeflow_core.training_run import Source, prepare
from primeflow_core.truth import Truth, truth


@dataclass(frozen=True)
class ScoredEntry:
    """``rows``: of each guidance weight and condition every metric with its rank, floor and ceiling. ``refused``:
    conditions that the model cannot predict, with the reason. ``seconds`` of the training, ``parameters`` learnt.
    ``picture``: where the predicted cells lie, see picture.py; empty unless the entry is pictured."""

    rows: pd.DataFrame
    refused: tuple[tuple[str, str], ...]
    seconds: float
    parameters: int
    picture: pd.DataFrame = field(default_factory=pd.DataFrame)


def scored_entry(
    entry: Entry, source: Source, folder: Path, *, cells: int, part: str, command: Sequence[str]
) -> ScoredEntry:
    """Train in ``folder`` and score up to ``cells`` predicted cells of each held-out condition of ``part``.

    A condition with a part that training never met is refused by every model, and scored for none.
    """
    trainer = prepare(source, entry.recipe, folder, seed=entry.seed, device="cpu", resume=True, command=command)
    progress = train(trainer, folder)
    predictor, manifest = checkpoint.load(folder), checkpoint.read_manifest(folder)
    held_out = manifest.tested_on if part == TEST else manifest.validated_on
    measured = truth(source.cells, source.split, part)
    canvas = Canvas(source.cells) if entry.pictured else None
    rows, placed, refused = [], [], dict[str, str]()
    for weight in entry.weights:
        plan = replace(manifest.sampling, guidance=weight, seed=entry.seed)
        made, not_made = _made(predictor, held_out, cells, plan)
        refused |= not_made
        if made:
            rows.append(_scores(measured, made, entry).assign(guidance=weight))
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
            refused[f"{condition.label} {condition.context}".strip()] = str(error)
    return made, refused


def _scores(measured: Truth, made: Mapping[Condition, np.ndarray], entry: Entry) -> pd.DataFrame:
    scored = score(measured.pair(made, f"cells of {entry.name}"))
    keys = ["condition", *measured.covariates]
    bounded = bounds(scored, measured.floor_controls)
    ranked = table(scored)
    ranks = ranked[[*keys, *RANKS]]
    rows = bounded.merge(ranks, on=keys, how="left", validate="one_to_one")
    return rows[rows["condition"] != MEAN].assign(model=entry.recipe.name, seed=entry.seed)
