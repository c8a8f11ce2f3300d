"""Scores a model on held-out conditions and writes metrics, card, and cells for a first view into its folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.data.splits import Split, read_split
from primeflow_core.errors import DataError
from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.calibration import with_calibration
from primeflow_core.evaluation.held_out_reference import check_controls, perturbed_training, truth
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.pair import MOST_PREDICTED
from primeflow_core.evaluation.scores import score
from primeflow_core.model_store.model_card_text import card_text
from primeflow_core.model_store.student_notes import read_student
from primeflow_core.models import checkpoint
from primeflow_core.models.baselines.held_out_scores import BASELINE, BaselineTable, baseline_table
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.predictor import Predictor
from primeflow_core.models.sampling_plan import ZEROS, SamplingPlan
from primeflow_core.runtime.atomic_files import write_json, write_text
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.wording import counted

PAPER_SETTING = SamplingPlan(sampler="euler", steps=100, precision="float32")
PAPER_CELLS = 100
PREVIEW_CELLS = 200
FEWEST_CELLS = 8  # of which the ceiling compares one half with the other
# Two seeds of the same model differ by more than this.
MMD_NOISE = 0.005


def write_card(
    folder: Path,
    cells: Cells,
    *,
    cells_per_condition: int,
    seed: int,
    half: bool,
    command: Sequence[str],
    report: Callable[[str], None],
    paper_setting: bool = True,
) -> str:
    """Score the model in ``folder`` on ``cells`` and write metrics.json, README.md and preview.npz; returns the card.

    Zero handling is chosen on validation conditions. Test conditions are then scored once with it; with
    ``paper_setting``, those of a flow are also scored with the paper's 100 Euler steps. If no condition was held out
    but cells were, those cells are scored. ``half``: the weights are stored in half precision first, so that the stored
    weights are the scored ones. An error from ``report`` ends the scoring before the card is written.
    Raises DataError when ``cells`` are not those of the training, CheckpointError for a broken model.
    """
    manifest = checkpoint.read_manifest(folder)
    if cells.sha256 != manifest.data_sha256:
        raise DataError(f"{cells.source} is not the file that {manifest.name} was trained on ({manifest.dataset}).")
    split = read_split(folder / checkpoint.SPLIT, cells)
    predictor = checkpoint.load(folder)
    student = read_student(folder)
    if half:
        _store_half(folder, predictor)
        predictor = checkpoint.load(folder)
    scorer = _Scorer(predictor, manifest, cells, split, cells_per_condition, report)
    paper = _Scorer(predictor, manifest, cells, split, min(cells_per_condition, PAPER_CELLS), report)
    tried = {zeros: scorer.score(VAL, replace(manifest.sampling, zeros=zeros, seed=seed)) for zeros in ZEROS}
    zeros = _chosen(tried) or manifest.sampling.zeros
    first_view = manifest.first_view or next(iter(scorer.askable(TEST)), None)
    manifest = replace(manifest, sampling=replace(manifest.sampling, zeros=zeros, seed=0), first_view=first_view)
    plan = predictor.settled(replace(manifest.sampling, seed=seed))
    scored = {"val": tried[zeros], "test": scorer.score(TEST, plan)}
    if paper_setting and manifest.sampling.solver.of_a_flow:
        name = f"test, 100 Euler steps (the paper's setting), {paper.count} cells"
        scored[name] = paper.score(TEST, replace(PAPER_SETTING, zeros=zeros, seed=seed))
    baselines = baseline_table(cells, split, TEST, scorer.askable(TEST), scorer.count, seed=seed)
    metrics = {"command": list(command), **_metrics(manifest, plan, cells_per_condition, scored, tried)}
    # The format of the file keeps the word of its first version, so that every version can read it.
    rows = _rows(baselines.scores.rename(columns={BASELINE: "rival"}))
    metrics["rivals"] = {"test": rows, "refused": _refused(baselines)}
    checkpoint.write_manifest(folder, manifest)
    checkpoint.write_preview(folder, scorer.preview(manifest, seed))
    write_json(folder / checkpoint.METRICS, metrics)
    card = card_text(manifest, metrics, checkpoint.read_weight_notes(folder), student)
    write_text(folder / checkpoint.CARD, card)
    return card


def _store_half(folder: Path, predictor: Predictor) -> None:
    notes = checkpoint.read_weight_notes(folder)
    weights = checkpoint.own_weights(predictor).items()
    tensors = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights}
    checkpoint.write_weights(folder, tensors, notes)


def _chosen(tried: Mapping[str, pd.DataFrame]) -> str | None:
    """The zero handling with the best DEG recall of those whose mean MMD GEX is as good as the best, on validation.

    None without validation conditions: the model's own stays.
    Recall alone would reward throwing real values away; MMD alone cannot tell the options apart.
    """
    if any(table.empty for table in tried.values()):
        return None
    best = min(_mean(table, "mmd_gex") for table in tried.values())
    as_good = [zeros for zeros in ZEROS if _mean(tried[zeros], "mmd_gex") <= best + MMD_NOISE]
    return max(as_good, key=lambda zeros: (round(_mean(tried[zeros], "deg_recall"), 2), -ZEROS.index(zeros)))


def _mean(table: pd.DataFrame, column: str) -> float:
    return float(table.loc[table["condition"] == MEAN, column].iloc[0])


class _Scorer:
    """Predicts the held-out conditions of a part of the split and scores them within that part."""

    def __init__(
        self,
        predictor: Predictor,
        manifest: Manifest,
        cells: Cells,
        split: Split,
        cells_per_condition: int,
        report: Callable[[str], None],
    ) -> None:
        self.predictor, self.manifest, self.cells, self.split = predictor, manifest, cells, split
        self.count = min(cells_per_condition, MOST_PREDICTED)
        self.report = report
        self._made: dict[tuple[Condition, SamplingPlan], np.ndarray] = {}
        self._training = perturbed_training(cells, split)

    def score(self, part: str, plan: SamplingPlan) -> pd.DataFrame:
        """Value, floor, ceiling and calibrated score of each held-out condition of ``part``; empty without any."""
        conditions = self.askable(part)
        self.report(f"{part}: {counted(len(conditions), 'condition')}, {plan.way}, zeros {plan.zeros}")
        if not conditions:
            return pd.DataFrame(columns=["condition"])
        check_controls(self.cells, self.split, part, conditions)
        measured = truth(self.cells, self.split, part)
        made = {condition: self._cells_of(condition, plan) for condition in conditions}
        scored = score(measured.pair(made, f"cells of {self.manifest.name}"))
        return with_calibration(bounds(scored, measured.floor_controls, self._training))

    def askable(self, part: str) -> tuple[Condition, ...]:
        """The held-out conditions of ``part`` that the model can predict: it has seen every part of them."""
        if not self.manifest.held_out:
            return self._with_unseen_cells(part)
        conditions = self.manifest.tested_on if part == TEST else self.manifest.validated_on
        return tuple(condition for condition in conditions if self.predictor.vocabulary.knows(condition))

    def _with_unseen_cells(self, part: str) -> tuple[Condition, ...]:
        """Perturbed conditions of training that have enough cells in ``part`` too."""
        of_cell = self.cells.condition_of[self.split.indices(self.cells, part)]
        counts = np.bincount(of_cell, minlength=len(self.cells.conditions))
        ample = (self.cells.conditions[i] for i in np.flatnonzero(counts >= FEWEST_CELLS))
        return tuple(condition for condition in ample if not condition.is_control)

    def preview(self, manifest: Manifest, seed: int) -> dict[Condition, np.ndarray]:
        plan = self.predictor.settled(replace(manifest.sampling, seed=seed))
        return {condition: self._cells_of(condition, plan)[:PREVIEW_CELLS] for condition in self.askable(TEST)}

    def _cells_of(self, condition: Condition, plan: SamplingPlan) -> np.ndarray:
        if (condition, plan) not in self._made:
            self._made[condition, plan] = self.predictor.predict(condition, self.count, plan)
        return self._made[condition, plan]


def _metrics(
    manifest: Manifest,
    plan: SamplingPlan,
    cells: int,
    scored: Mapping[str, pd.DataFrame],
    tried: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    return {
        "created": now(),
        "versions": versions(),
        "data_sha256": manifest.data_sha256,
        "held_out": "conditions" if manifest.held_out else "cells",
        "cells_per_condition": cells,
        "sampling": asdict(plan),
        "scored": {name: _rows(table) for name, table in scored.items()},
        "zeros_tried_on_val": {name: _rows(table)[-1:] for name, table in tried.items()},
    }


def _refused(baselines: BaselineTable) -> list[dict[str, str]]:
    return [
        {"rival": name, "condition": c.label, "context": c.context, "why": why} for name, c, why in baselines.refused
    ]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain numbers. A missing value becomes None, because JSON has no NaN."""
    records = table.to_dict("records")
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in records]
