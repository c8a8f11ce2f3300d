"""The command that scores predicted cells against measured ones."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from primeflow_core import hdf5
from primeflow_core.anndata_file import inspect
from primeflow_core.cells import Layout
from primeflow_core.commands.reading import covariate_columns, data_file
from primeflow_core.commands.terminal import Subcommands, add_command, note, say
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.pair import LabelledCells, Pair, paired, read_labelled
from primeflow_core.evaluation.table import LARGER_IS_BETTER, MEAN, PCS, TOP_GENES, evaluate
from primeflow_core.files import check_can_write, write_text
from primeflow_core.splits import listed_parts

SHOWN = ("mmd_gex", "mmd_pca", "deg_recall", "cosine_logfc", "energy_distance")


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "evaluate",
        "Score predicted cells against measured ones with PerturBench's metrics.",
        "primeflow evaluate --prediction cells.h5ad --truth perturbench-devel --out metrics.csv",
    )
    parser.add_argument("--prediction", type=Path, required=True, help=".h5ad with predicted cells")
    parser.add_argument("--truth", required=True, help=".h5ad with measured cells, controls among them, or a data set")
    parser.add_argument("--out", type=Path, required=True, help="csv to write, one row a condition and their mean")
    parser.add_argument("--bounds", type=Path, help="csv to write with the floor and ceiling of every figure")
    parser.add_argument("--condition-column", help="obs column of both files (default: that of the truth)")
    parser.add_argument("--covariates", metavar="COLUMN[,COLUMN]", help="obs columns of both files with the context")
    parser.add_argument("--control", help="label of control cells in the truth (default: found)")
    parser.add_argument("--split", type=Path, help="split file: score against one part of the truth only")
    parser.add_argument(
        "--part", choices=("train", "val", "test"), default="test", help="the part (default: %(default)s)"
    )
    parser.add_argument("--pcs", type=int, default=PCS, help="principal components of mmd_pca (default: %(default)s)")
    parser.add_argument("--top-genes", type=int, default=TOP_GENES, help="genes of deg_recall (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws the halves of floor and ceiling")
    parser.set_defaults(run=evaluate_command)


def evaluate_command(given: argparse.Namespace) -> None:
    if given.pcs < 1 or given.top_genes < 1:
        raise SettingError("--pcs and --top-genes must be 1 or more.")
    for out in filter(None, (given.out, given.bounds)):
        check_can_write(out)
    truth_path = data_file(given.truth).path
    layout = _layout(given, truth_path)
    prediction = read_labelled(given.prediction, layout.condition, layout.covariates)
    truth = read_labelled(truth_path, layout.condition, layout.covariates)
    reference, floor = _parts(truth, given, layout.control)
    pair = paired(prediction, reference, layout.covariates, layout.control, layout.separator)
    table = evaluate(pair, pcs=given.pcs, top_genes=given.top_genes)
    bounded = bounds(pair, floor, pcs=given.pcs, top_genes=given.top_genes, seed=given.seed)
    write_text(given.out, table.to_csv(index=False))
    if given.bounds is not None:
        write_text(given.bounds, bounded.to_csv(index=False))
    _show(table, bounded, pair)


def _layout(given: argparse.Namespace, truth: Path) -> Layout:
    """What the user said, completed by what the truth looks like and by the columns that the prediction has."""
    wished = covariate_columns(given.covariates)
    if given.condition_column and given.control and wished is not None:
        return Layout(given.condition_column, wished, given.control)
    found = inspect(truth, condition=given.condition_column, covariates=wished, control=given.control)
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


def _show(table: pd.DataFrame, bounded: pd.DataFrame, pair: Pair) -> None:
    for one_side, names in (
        ("measured but not predicted", pair.missing_from_prediction),
        ("predicted but not measured", pair.missing_from_reference),
        ("not scored, alone in their context", pair.alone),
    ):
        if names:
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            note(f"{len(names)} {one_side}: {', '.join(names[:8])}{more}")
    say(table.to_string(index=False, float_format=lambda value: f"{value:.4f}", na_rep="-"))
    say()
    say("mean over conditions       value     floor   ceiling   (floor: control cells; ceiling: half against half)")
    mean = bounded[bounded["condition"] == MEAN].iloc[0]
    for name in SHOWN:
        arrow = "larger is better" if LARGER_IS_BETTER.get(name, False) else "smaller is better"
        figures = " ".join(_number(mean[name + bound]) for bound in ("", "_floor", "_ceiling"))
        say(f"{name:20} {figures}   {arrow}")


def _number(value: float) -> str:
    return f"{value:11.4f}" if np.isfinite(value) else f"{'-':>11}"
