"""The command that scores predicted cells against measured ones."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from primeflow_core.commands.arguments.evaluate import PERTURBENCH, VIRTUAL_CELL
from primeflow_core.commands.reading import covariate_columns, table_of_cells
from primeflow_core.commands.terminal import note, say
from primeflow_core.data.data_file import data_file
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.reading_request import ReadingRequest, one_or_several
from primeflow_core.data.split_file import TEST
from primeflow_core.errors import SettingError
from primeflow_core.evaluation.calibration import BRIEF
from primeflow_core.evaluation.differential import differential_tables, too_few_cells
from primeflow_core.evaluation.evaluation_input import EvaluationInput, EvaluationRequest, evaluation_input
from primeflow_core.evaluation.metrics.registry import all_metrics, metric_names
from primeflow_core.evaluation.pair import Pair
from primeflow_core.evaluation.scores import ScoredPair
from primeflow_core.models.baselines.held_out_scores import BASELINE, BaselineTable
from primeflow_core.prediction.evaluation import Evaluation, evaluation, virtual_cell_scores
from primeflow_core.runtime.atomic_files import check_can_write, write_text

Files: TypeAlias = dict[Path, pd.DataFrame]  # written together at the end: all, or none where one cannot be made
BOUNDS = ("low", "high", "floor", "wrong", "ceiling")
CALIBRATED_IN_WORDS = (
    "Calibrated score: 0 is the baseline (typical perturbed cells of training), 1 the replicate (half of the measured",
    "cells against the other half). Effects of the two sides are measured from disjoint control cells here.",
)
UNCALIBRATED = "No calibrated score: training has no perturbed cells that could be typical of these contexts."


def evaluate_command(given: argparse.Namespace) -> None:
    _check(given)
    asked = evaluation_input(_request(given), note, note)
    files: Files = {}
    if given.genes is not None:
        files[given.genes] = differential_tables(asked.pair)
        _say_named("without differential expression, fewer than 2 cells", too_few_cells(asked.pair))
    if given.suite == VIRTUAL_CELL:
        _virtual_cell(asked, files, given.out)
    else:
        _perturbench(given, asked, files)
    for path, frame in files.items():
        write_text(path, frame.to_csv(index=False))


def _request(given: argparse.Namespace) -> EvaluationRequest:
    columns = covariate_columns(given.covariates)
    wishes = Wishes(
        given.condition_column,
        columns,
        one_or_several(given.control),
        given.separator,
        given.dose,
        merge_guides=given.merge_guides,
    )
    reading = ReadingRequest(
        wishes, given.layer, given.raw, given.normalise, given.modality, table_of_cells(given.metadata)
    )
    return EvaluationRequest(given.prediction, data_file(given.truth), reading, given.split, given.part or TEST)


def _check(given: argparse.Namespace) -> None:
    if given.pcs < 1 or given.top_genes < 1:
        raise SettingError("--pcs and --top-genes must be 1 or more.")
    if given.resamples < 0 or given.seed < 0:
        raise SettingError("--resamples and --seed must be 0 or more.")
    if given.split is None and (given.baselines is not None or given.part is not None):
        raise SettingError("--baselines and --part need --split, which says what the training cells and the parts are.")
    if given.suite == VIRTUAL_CELL and (given.baselines is not None or given.bounds is not None):
        raise SettingError(f"--baselines and --bounds need --suite {PERTURBENCH}; run evaluate once for each suite.")
    outs = [path for path in (given.out, given.bounds, given.baselines, given.genes) if path is not None]
    used = [path.resolve() for path in (given.prediction, data_file(given.truth).path, given.split) if path is not None]
    for i, path in enumerate(outs):
        check_can_write(path)
        if path.resolve() in used + [other.resolve() for other in outs[:i]]:
            raise SettingError(f"{path} is named twice; writing it would destroy an input or another result.")


def _perturbench(given: argparse.Namespace, asked: EvaluationInput, files: Files) -> None:
    found = evaluation(
        asked, pcs=given.pcs, top_genes=given.top_genes, resamples=given.resamples, seed=given.seed,
        baselines=given.baselines is not None,
    )  # fmt: skip
    files[given.out] = found.scores
    if given.bounds is not None:
        files[given.bounds] = found.bounds
    if found.baselines is not None:
        files[given.baselines] = found.baselines.scores
    _say_one_sided(asked.pair)
    _say_settings(given, found.scored)
    say(_as_text(found.scores))
    say()
    _show_bounds(found.bounds, halved=asked.floor is None)
    _show_calibration(found)
    if found.baselines is not None:
        _show_baselines(found.baselines)


def _virtual_cell(asked: EvaluationInput, files: Files, out: Path) -> None:
    files[out] = virtual_cell_scores(asked)
    _say_one_sided(asked.pair)
    say(_as_text(files[out]))


def _say_one_sided(pair: Pair) -> None:
    for one_side, names in (
        ("measured but not predicted", pair.missing_from_prediction),
        ("predicted but not measured", pair.missing_from_reference),
        ("not scored, alone in their context", pair.alone),
    ):
        _say_named(one_side, names)


def _say_named(what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        note(f"{len(names)} {what}: {', '.join(names[:8])}{more}")


def _as_text(scores: pd.DataFrame) -> str:
    return scores.to_string(index=False, float_format=lambda value: f"{value:.4f}", na_rep="-")


def _say_settings(given: argparse.Namespace, scored: ScoredPair) -> None:
    """What the user would otherwise find in the figures only."""
    if given.top_genes >= len(scored.pair.genes):
        note(f"deg_recall says nothing: all {len(scored.pair.genes)} genes are top genes. Lower --top-genes.")
    if len(scored.components.axes) < given.pcs:
        note(f"mmd_pca uses {len(scored.components.axes)} principal components; the reference has no more.")


def _show_bounds(bounded: pd.DataFrame, *, halved: bool) -> None:
    say("Mean over conditions. floor: control cells; wrong: another condition's prediction; ceiling: half against half")
    if halved:
        say("Without --split half of the controls are the floor, and effects are measured from the other half here.")
    mean = bounded.iloc[-1]
    columns = ["value", *(name for name in BOUNDS if f"{metric_names()[0]}_{name}" in mean)]
    say(f"{'':20}" + "".join(f"{column:>11}" for column in columns))
    for metric in all_metrics():
        name = metric.name
        figures = "".join(_number(mean[name if column == "value" else f"{name}_{column}"]) for column in columns)
        say(f"{name:20}{figures}   {metric.direction}")


def _show_calibration(found: Evaluation) -> None:
    """Every metric between typical perturbed cells and a repeat of the experiment, and what it can tell."""
    say()
    if not found.calibrations:
        say(UNCALIBRATED if found.without else "No calibrated score: it needs --split, which says what training saw.")
        return
    for line in CALIBRATED_IN_WORDS:
        say(line)
    heads = "".join(f"{column:>11}" for column in ("value", "baseline", "replicate", "calibrated"))
    say(f"{'':20}{heads}   {BRIEF}")
    for name, one in found.calibrations.items():
        figures = (one.value, one.baseline, one.replicate, np.nan if one.score is None else one.score)
        say(f"{name:20}{''.join(map(_number, figures))}   {one.brief}")
    if silent := [name for name, one in found.calibrations.items() if not one.can_tell]:
        say(
            f"Cannot tell a good prediction from a typical one here, so take no part in a summary: {', '.join(silent)}."
        )
    _say_named("with typical cells of other contexts, moved to their own control cells", found.moved)
    _say_named("without typical perturbed cells in training, so without a calibrated score", found.without)


def _number(value: float) -> str:
    return f"{value:11.4f}" if np.isfinite(value) else f"{'-':>11}"


def _show_baselines(baselines: BaselineTable) -> None:
    say()
    say("The baselines, mean over the conditions that each can predict:")
    if len(baselines.scores):
        by_baseline = baselines.scores.groupby(BASELINE, sort=False)
        means = by_baseline.tail(1).assign(conditions=(by_baseline.size() - 1).to_list())
        say(_as_text(means[[BASELINE, *metric_names(), "cells", "conditions"]]))
    else:
        say("none of them can predict a condition")
    refused: dict[str, list[tuple[str, str]]] = {}
    for name, condition, why in baselines.refused:
        refused.setdefault(name, []).append((condition.label, why))
    for name, conditions in refused.items():
        _say_named(f"conditions {name} cannot predict", [label for label, _ in conditions])
        note(f"  for instance: {conditions[0][1]}")
