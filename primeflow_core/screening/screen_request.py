"""From a request to the order of a screen, and from the screened rows to a ranking with its trust."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.splits import read_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.model_store.available_conditions import Catalogue, Covariates
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.prediction.prediction_job import ModelShelf
from primeflow_core.screening import screen_file
from primeflow_core.screening.candidates import Refusal
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.next_experiments import columns as next_columns
from primeflow_core.screening.next_experiments import next_experiments
from primeflow_core.screening.ranking import best_first, matrix, ranked
from primeflow_core.screening.ranking import columns as ranking_columns
from primeflow_core.screening.screen_file import Screen
from primeflow_core.screening.screen_spec import ScreenOrder, weights_of
from primeflow_core.screening.shard_schema import schema

if TYPE_CHECKING:
    from primeflow_core.models.predictor import Predictor
    from primeflow_core.screening.reference_cells import Reference
    from primeflow_core.screening.trust import Trust

FEWEST_MEASURED = 10
NEXT = 8


@dataclass(frozen=True)
class Request:
    """The request to the model in ``folder``."""

    folder: Path
    goal: Goal
    candidates: tuple[Condition, ...]
    plan: SamplingPlan
    cells: int = 200
    seeds: int = 2
    seed: int = 0


def prepared(
    request: Request,
    data: Cells | None,
    load: "Callable[[], Predictor]",
    target_cells: np.ndarray | None = None,
) -> "tuple[ScreenOrder, Reference]":
    """The order, and the cells its scores are relative to. ``data``: the cells that the model was trained on.

    Without them control cells are predicted by the model, which ``load`` then gives, and nothing can be checked.
    ``target_cells`` (m, G) replace the goal's target if the data do not have it. Raises SettingError, DataError for
    data of another model, a model folder without a readable split or a target without cells, CheckpointError.
    """
    import torch

    from primeflow_core.models.precision import chosen
    from primeflow_core.screening.engine import one_thread
    from primeflow_core.screening.reference_cells import measured_reference, predicted_reference

    manifest = checkpoint.read_manifest(request.folder)
    _check_columns(manifest)
    if data is not None:
        _check_split(data, request.folder)
    plan = replace(request.plan, seed=0, precision=chosen(request.plan.precision, torch.device("cpu")))
    checked = () if data is None else checked_conditions(manifest, data, request.candidates, request.goal)
    order = ScreenOrder(
        manifest.name, weights_of(request.folder), "", request.goal, request.candidates, checked,
        request.cells, tuple(range(request.seed, request.seed + request.seeds)), plan,
    )  # fmt: skip
    if data is None:
        _check_needs_no_cells(request.goal, manifest, target_cells)
        with one_thread():
            reference = predicted_reference(load(), order.everything, plan, target_cells)
    else:
        target = request.goal.target if target_cells is None else target_cells
        # A target from a file is measured from the controls of the first: of a context that was asked for.
        conditions = (*order.candidates, *order.checked)
        reference = measured_reference(data, request.folder, manifest.genes, conditions, target)
    return replace(order, reference=reference.sha256), reference


def _check_columns(manifest: Manifest) -> None:
    """Refuses covariates with the name of a column of the ranking, because tables have both."""
    taken = {*schema(()).names, *ranking_columns(()), *next_columns(())}
    for column, _ in manifest.vocabulary.covariates:
        if column in taken:
            raise SettingError(
                f"The covariate {column!r} of {manifest.name} has the name of a column of rankings. Rename that column "
                "of the data, and train again."
            )


def _check_split(data: Cells, folder: Path) -> None:
    """Which cells were for training decides what scores are relative to, and what the baselines learn from."""
    try:
        read_split(folder / checkpoint.SPLIT, data, unlisted="leave-out")
    except DataError as error:
        raise DataError(
            f"{folder} does not tell which cells were for training: {error} Copy the model's folder again, with its "
            f"{checkpoint.SPLIT}."
        ) from error


def _check_needs_no_cells(goal: Goal, manifest: Manifest, target_cells: np.ndarray | None) -> None:
    if goal.target is not None and target_cells is None:
        raise SettingError(
            f"The target {goal.target.label} was measured in {manifest.dataset}, which is not on this machine. Bring "
            "the data here, or give the cells of the target."
        )


def checked_conditions(
    manifest: Manifest, data: Cells, candidates: Sequence[Condition], goal: Goal
) -> tuple[Condition, ...]:
    """Held-out conditions that are like the candidates, in context and number of parts, and that ``data`` measured.

    The goal's own target and conditions that the model cannot predict are omitted.
    """
    alike = {(condition.covariates, len(condition.perturbations)) for condition in candidates}
    counts = dict(zip(data.conditions, np.bincount(data.condition_of, minlength=len(data.conditions)), strict=True))
    return tuple(
        condition
        for condition in dict.fromkeys(manifest.held_out)
        if (condition.covariates, len(condition.perturbations)) in alike
        and condition != goal.target
        and counts.get(condition, 0) >= FEWEST_MEASURED
        and manifest.vocabulary.knows(condition)
    )


def told_trust(
    rows: pa.Table, order: ScreenOrder, reference: "Reference", data: Cells | None, folder: Path
) -> "Trust | None":
    """How far the ranking of the model in ``folder`` can be trusted, from the rows of its checked conditions.

    None without measured cells, and for too few checked conditions. Raises DataError.
    """
    from primeflow_core.model_store.fitted_baselines import fitted_to_training
    from primeflow_core.screening.scoring import Scorer
    from primeflow_core.screening.trust import trust_of

    if data is None or not order.checked:
        return None
    measured = {condition: data.dense(data.where(condition)) for condition in order.checked}
    return trust_of(
        rows, order, reference, measured, _held_out_controls(data, order.checked, folder),
        fitted_to_training(data, folder), Scorer(data.genes, order.goal, reference, order.resamples),
        simulated=checkpoint.read_manifest(folder).simulated,
    )  # fmt: skip


def _held_out_controls(data: Cells, checked: Iterable[Condition], folder: Path) -> Mapping[Covariates, np.ndarray]:
    """(k, G) of each context: the controls that measured effects are measured from everywhere (comparison.py)."""
    from primeflow_core.prediction.control_rows import control_rows, in_training

    trained = in_training(data, folder)
    contexts = {condition.covariates: condition for condition in checked}
    return {
        covariates: data.dense(control_rows(data, condition, trained)[1]) for covariates, condition in contexts.items()
    }


def finished(
    rows: Iterable[pa.Table],
    order: ScreenOrder,
    reference: "Reference",
    manifest: Manifest,
    *,
    trust: "Trust | None",
    refused: Sequence[Refusal],
    changes: bool = False,
    count: int = NEXT,
) -> Screen:
    """The ranking of the rows that are there, with what to measure next: ``count`` candidates.

    ``changes``: keep the log2 change of every gene and its standard error, which "what moves my gene" needs.
    """
    joined = pa.concat_tables([_narrow(table, changes) for table in rows])
    table = ranked(joined, order, Catalogue(manifest).standing)
    if not manifest.saw_combinations:
        # The kinds of an interaction would be read from guesses.
        table = table.assign(interaction="")
    joined = joined.take(best_first(joined, order))
    moved = matrix(joined, "change")
    none = np.zeros((0, 0), np.float16)
    refusals = ((refusal.label, refusal.why) for refusal in refused)
    return Screen(
        table=table,
        about=screen_file.about(order, manifest, refusals, "predicted" if reference.controls_predicted else "measured"),
        trust=trust,
        next=next_experiments(table, moved, count, order.goal),
        genes=manifest.genes if changes else (),
        changes=moved if changes else none,
        change_errors=matrix(joined, "change_error") if changes else none,
    )


def _narrow(table: pa.Table, changes: bool) -> pa.Table:
    """Rows with changes in half precision: changes take most of the memory of a screen of 100,000 candidates."""
    half = pa.list_(pa.float16())
    if not changes:
        table = table.drop_columns(["change_error"])
    for name in ("change", "change_error") if changes else ("change",):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].cast(half))
    return table


def foreseen_seconds(request: Request, manifest: Manifest, conditions: int, workers: int = 1) -> float:
    """Expected seconds for ``conditions`` on ``workers`` of one thread each, from the size of the network."""
    shelf = ModelShelf()
    on_two_cores = shelf.expected_seconds(
        request.folder, manifest, request.cells * request.seeds * conditions, request.plan
    )
    at_once = min(workers, os.cpu_count() or 1)
    return shelf.SECONDS_TO_LOAD + 2 * (on_two_cores - shelf.SECONDS_TO_LOAD) / at_once
