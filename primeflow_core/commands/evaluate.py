"""The command that scores predicted cells against measured ones."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core import hdf5
from primeflow_core.anndata_file import inspect, read_cells_as
from primeflow_core.cells import Cells, Layout
from primeflow_core.commands.reading import covariate_columns, data_file
from primeflow_core.commands.terminal import Subcommands, add_command, note, say
from primeflow_core.conditions import SEPARATOR
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.agreement import RESAMPLES, bounds
from primeflow_core.evaluation.differential import differential_tables, too_few_cells
from primeflow_core.evaluation.pair import LabelledCells, Pair, paired, read_labelled
from primeflow_core.evaluation.scores import LARGER_IS_BETTER, PCS, TOP_GENES, score
from primeflow_core.evaluation.table import MEAN, table
from primeflow_core.evaluation.virtual_cell import virtual_cell_table
from primeflow_core.files import check_can_write, write_text
from primeflow_core.rivalry import RIVAL, RivalTable, rival_table
from primeflow_core.splits import Split, listed_parts, read_split
from primeflow_core.truth import training_profiles

PERTURBENCH, VIRTUAL_CELL = SUITES = ("perturbench", "vcc")
SHOWN = ("mmd_gex", "mmd_pca", "deg_recall", "cosine_logfc", "rmse_mean", "energy_distance")
BOUNDS = ("low", "high", "floor", "wrong", "ceiling")


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "evaluate",
        "Score predicted cells against measured ones: PerturBench's metrics, or the Virtual Cell Challenge's.",
        "primeflow evaluate --prediction cells.h5ad --truth perturbench-devel --out metrics.csv",
    )
    parser.add_argument("--prediction", type=Path, required=True, help=".h5ad with predicted cells")
    parser.add_argument("--truth", required=True, help=".h5ad with measured cells, controls among them, or a data set")
    parser.add_argument("--out", type=Path, required=True, help="csv to write, one row a condition and their mean")
    parser.add_argument("--suite", choices=SUITES, default=PERTURBENCH, help="the metrics (default: %(default)s)")
    parser.add_argument(
        "--bounds", type=Path, help="csv to write with floor, ceiling, wrong condition and interval of every figure"
    )
    parser.add_argument("--rivals", type=Path, help="csv to write with the scores of cheap rivals (needs --split)")
    parser.add_argument("--genes", type=Path, help="csv to write with the differential expression of each condition")
    parser.add_argument("--condition-column", help="obs column of both files (default: that of the truth)")
    parser.add_argument("--covariates", metavar="COLUMN[,COLUMN]", help="obs columns of both files with the context")
    parser.add_argument("--control", help="label of control cells in the truth (default: found)")
    parser.add_argument("--dose", metavar="COLUMN", help="obs column with the dose, `none` for none (default: found)")
    parser.add_argument("--split", type=Path, help="split file: score against one part of the truth only")
    parser.add_argument(
        "--part", choices=("train", "val", "test"), default="test", help="the part (default: %(default)s)"
    )
    parser.add_argument("--pcs", type=int, default=PCS, help="principal components of mmd_pca (default: %(default)s)")
    parser.add_argument("--top-genes", type=int, default=TOP_GENES, help="genes of deg_recall (default: %(default)s)")
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, help="bootstrap samples, 0: no interval (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws halves, bootstrap samples and the rivals' cells")
    parser.set_defaults(run=evaluate_command)


def evaluate_command(given: argparse.Namespace) -> None:
    _check(given)
    question = _question(given)
    if given.genes is not None:
        write_text(given.genes, differential_tables(question.pair).to_csv(index=False))
        _say_named("without differential expression, fewer than 2 cells", too_few_cells(question.pair))
    if given.suite == VIRTUAL_CELL:
        _virtual_cell(given, question)
    else:
        _perturbench(given, question)


def _check(given: argparse.Namespace) -> None:
    if given.pcs < 1 or given.top_genes < 1:
        raise SettingError("--pcs and --top-genes must be 1 or more.")
    if given.resamples < 0:
        raise SettingError("--resamples must be 0 or more.")
    if given.rivals is not None and given.split is None:
        raise SettingError("--rivals needs --split: the rivals are made from the training cells.")
    if given.suite == VIRTUAL_CELL and (given.rivals is not None or given.bounds is not None):
        raise SettingError(f"--rivals and --bounds go with --suite {PERTURBENCH}; call evaluate once for each suite.")
    for out in filter(None, (given.out, given.bounds, given.rivals, given.genes)):
        check_can_write(out)


@dataclass(frozen=True)
class _Question:
    """What is scored, where the truth stands, and controls outside the reference where a split names them."""

    pair: Pair
    truth_path: Path
    layout: Layout
    floor: dict[tuple[str, ...], np.ndarray] | None


def _question(given: argparse.Namespace) -> _Question:
    truth_path = data_file(given.truth).path
    layout = _layout(given, truth_path)
    prediction = read_labelled(given.prediction, layout.condition, layout.covariates, layout.dose)
    truth = read_labelled(truth_path, layout.condition, layout.covariates, layout.dose)
    reference, floor = _parts(truth, given, layout.control)
    pair = paired(prediction, reference, layout.covariates, layout.control, layout.separator)
    return _Question(pair, truth_path, layout, floor)


def _perturbench(given: argparse.Namespace, question: _Question) -> None:
    scored = score(question.pair, pcs=given.pcs, top_genes=given.top_genes)
    scores = table(scored)
    bounded = bounds(scored, question.floor, seed=given.seed, resamples=given.resamples)
    rivals = _rivals(given, question)
    write_text(given.out, scores.to_csv(index=False))
    if given.bounds is not None:
        write_text(given.bounds, bounded.to_csv(index=False))
    if rivals is not None:
        write_text(given.rivals, rivals.scores.to_csv(index=False))
    _say_one_sided(question.pair)
    say(_as_text(scores))
    say()
    _show_bounds(bounded)
    if rivals is not None:
        _show_rivals(rivals)


def _virtual_cell(given: argparse.Namespace, question: _Question) -> None:
    baseline = None if given.split is None else training_profiles(*_training(given, question))
    separator = question.layout.separator or SEPARATOR
    scores = virtual_cell_table(question.pair, baseline, separator=separator)
    write_text(given.out, scores.to_csv(index=False))
    _say_one_sided(question.pair)
    say(_as_text(scores))


def _rivals(given: argparse.Namespace, question: _Question) -> RivalTable | None:
    """The rivals predict the scored conditions, as many cells of each as the prediction has in the middle."""
    if given.rivals is None:
        return None
    cells, split = _training(given, question)
    scored = {(condition.label, condition.group) for condition in question.pair.scored}
    labels = cells.labels or tuple(condition.label for condition in cells.conditions)
    conditions = [
        condition
        for condition, label in zip(cells.conditions, labels, strict=True)
        if scored & {(text, tuple(value for _, value in condition.covariates)) for text in (label, condition.label)}
    ]
    count = int(np.median([condition.predicted.shape[0] for condition in question.pair.scored]))
    return rival_table(
        cells, split, given.part, conditions, count, seed=given.seed, pcs=given.pcs, top_genes=given.top_genes
    )


def _training(given: argparse.Namespace, question: _Question) -> tuple[Cells, Split]:
    cells = read_cells_as(question.truth_path, question.layout)
    return cells, read_split(given.split, cells, unlisted="leave-out")


def _layout(given: argparse.Namespace, truth: Path) -> Layout:
    """What the user said, completed by what the truth looks like and by the columns that the prediction has."""
    wished = covariate_columns(given.covariates)
    if given.condition_column and given.control and wished is not None:
        return Layout(given.condition_column, wished, given.control)
    found = inspect(truth, condition=given.condition_column, covariates=wished, control=given.control, dose=given.dose)
    if found.layout is None:
        raise DataError(f"{found.source}: {found.problems[0]} (--condition-column, --covariates, --control say it)")
    if wished is not None:
        return found.layout
    with_prediction = _obs_columns(given.prediction)
    shared = tuple(column for column in found.layout.covariates if column in with_prediction)
    return replace(found.layout, covariates=shared)


def _obs_columns(path: Path) -> Sequence[str]:
    with hdf5.opened(path) as file:
        return [str(column) for column in hdf5.read_table(file, "obs", path).columns]


def _parts(
    truth: LabelledCells, given: argparse.Namespace, control: str
) -> tuple[LabelledCells, dict[tuple[str, ...], np.ndarray] | None]:
    """The reference, and control cells outside it for the floor; without a split the whole truth and None."""
    if given.split is None:
        return truth, None
    part_of = listed_parts(given.split)
    parts = np.array([part_of.get(name, "") for name in truth.names.tolist()])
    rows = np.flatnonzero(parts == given.part)
    if not len(rows):
        raise DataError(
            f"{given.split.name} puts no cell of {truth.source} into {given.part}. Use the split of this file."
        )
    outside = np.flatnonzero((truth.labels == control) & (parts != given.part) & (parts != ""))
    floor = {
        group: truth.values[[i for i in outside if truth.groups[i] == group]].toarray() for group in set(truth.groups)
    }
    return truth.subset(rows), floor


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


def _show_bounds(bounded: pd.DataFrame) -> None:
    say("Mean over conditions. floor: control cells; wrong: another condition's prediction; ceiling: half against half")
    mean = bounded[bounded["condition"] == MEAN].iloc[0]
    columns = ["value", *(name for name in BOUNDS if f"mmd_gex_{name}" in mean)]
    say(f"{'':20}" + "".join(f"{column:>11}" for column in columns))
    for name in SHOWN:
        arrow = "larger is better" if LARGER_IS_BETTER[name] else "smaller is better"
        figures = "".join(_number(mean[name if column == "value" else f"{name}_{column}"]) for column in columns)
        say(f"{name:20}{figures}   {arrow}")


def _number(value: float) -> str:
    return f"{value:11.4f}" if np.isfinite(value) else f"{'-':>11}"


def _show_rivals(rivals: RivalTable) -> None:
    say()
    say("The cheap rivals, mean over the conditions that each can predict:")
    means = rivals.scores[rivals.scores["condition"] == MEAN] if len(rivals.scores) else rivals.scores
    say(_as_text(means[[RIVAL, *SHOWN, "cells"]]) if len(means) else "none of them can predict a condition")
    for name, condition, why in rivals.refused:
        note(f"{name} cannot predict {condition.label}: {why}")
