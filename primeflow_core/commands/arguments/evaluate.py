"""Arguments of the command evaluate."""

import argparse
from pathlib import Path

from primeflow_core.commands.arguments.reading import add_guide_option, add_value_options
from primeflow_core.commands.terminal import Subcommands, add_command
from primeflow_core.evaluation.defaults import PCS, RESAMPLES, TOP_GENES
from primeflow_core.evaluation.metrics.registry import all_metrics

PERTURBENCH, VIRTUAL_CELL = "perturbench", "vcc"
SUITES = (PERTURBENCH, VIRTUAL_CELL)


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "evaluate",
        "Score predicted cells against measured ones: PerturBench's metrics, or the Virtual Cell Challenge's.",
        "primeflow evaluate --prediction cells.h5ad --truth perturbench-devel --out metrics.csv",
    )
    parser.add_argument("--prediction", type=Path, required=True, help=".h5ad with predicted cells")
    parser.add_argument("--truth", required=True, help=".h5ad with measured cells, controls among them, or a data set")
    parser.add_argument("--out", type=Path, required=True, help="csv to write, one row per condition, and their mean")
    parser.add_argument("--suite", choices=SUITES, default=PERTURBENCH, help="the metrics (default: %(default)s)")
    parser.add_argument(
        "--bounds",
        type=Path,
        help="csv to write with floor, ceiling, wrong condition and interval of every figure, with --split also "
        "baseline, replicate and calibrated score",
    )
    parser.add_argument(
        "--baselines", type=Path, help="csv to write with the scores of simple baselines (needs --split)"
    )
    # The name of this option in the first versions.
    parser.add_argument("--rivals", type=Path, dest="baselines", help=argparse.SUPPRESS)
    parser.add_argument("--genes", type=Path, help="csv to write with the differential expression of each condition")
    parser.add_argument("--condition-column", help="obs column of both files (default: that of the truth)")
    parser.add_argument("--covariates", metavar="COLUMN[,COLUMN]", help="obs columns of both files with the context")
    parser.add_argument(
        "--control",
        action="append",
        metavar="LABEL",
        help="label of control cells in the truth, or a pattern; repeatable (default: found)",
    )
    add_guide_option(parser)
    parser.add_argument("--separator", metavar="TEXT", help="joins the parts of a combination, `none` for none")
    parser.add_argument("--dose", metavar="COLUMN", help="obs column with the dose, `none` for none (default: found)")
    add_value_options(parser.add_argument_group("how the values of the truth are read (default: as found)"))
    parser.add_argument("--split", type=Path, help="split file: score against one part of the truth only")
    parser.add_argument("--part", choices=("train", "val", "test"), help="the part of the split (default: test)")
    parser.add_argument("--pcs", type=int, default=PCS, help="principal components of mmd_pca (default: %(default)s)")
    parser.add_argument("--top-genes", type=int, default=TOP_GENES, help="genes of deg_recall (default: %(default)s)")
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, help="bootstrap samples, 0: no interval (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws halves, bootstrap samples and the baselines' cells")
    parser.epilog = f"{_metrics_in_words()}\n\n{parser.epilog}"
    parser.set_defaults(run="primeflow_core.commands.evaluate:evaluate_command")


def _metrics_in_words() -> str:
    lines = [f"  {metric.name:17}{metric.explanation}" for metric in all_metrics()]
    return "\n".join([f"metrics of --suite {PERTURBENCH}:", *lines])
