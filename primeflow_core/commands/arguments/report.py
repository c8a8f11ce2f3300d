"""Arguments of the command report."""

import argparse
from pathlib import Path

from primeflow_core.commands.arguments.sampling import add_sampling_options
from primeflow_core.commands.terminal import Subcommands, add_command


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "report",
        "Put predictions, rankings and metrics of a model into one html file that works offline.",
        "primeflow report --model checkpoints/perturbench-devel --perturbation KLF1+MAP2K6 --out report.html",
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    _add_findings(parser)
    _add_cells(parser)
    parser.add_argument("--title", help="title of the report (default: What we found)")
    parser.add_argument("--data", help="file that the model was trained on (default: found by its content)")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help=".html, or .zip with all tables whole, methods and provenance too",
    )
    parser.set_defaults(run="primeflow_core.commands.report:report_command")


def _add_findings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "what it shows (default: the model's metrics and the conditions that its training held out for test)"
    )
    group.add_argument(
        "--perturbation", nargs="+", action="extend", default=[], metavar="A+B",
        help="perturbations or combinations to predict; repeatable",
    )  # fmt: skip
    group.add_argument(
        "--covariate", action="append", default=[], metavar="NAME=VALUE",
        help="context of the cells; repeatable, NAME=all for all (default: that of the model's first view)",
    )  # fmt: skip
    group.add_argument(
        "--held-out", choices=("val", "test"), help="every condition that the model's training held out for val or test"
    )
    group.add_argument(
        "--screen", nargs="+", action="extend", default=[], type=Path, metavar="HITS.parquet",
        help="tables that `screen` wrote with this model; repeatable",
    )  # fmt: skip
    group.add_argument(
        "--evaluation", nargs="+", action="extend", default=[], type=Path, metavar="METRICS.csv",
        help="tables that `evaluate --out` wrote; repeatable",
    )  # fmt: skip


def _add_cells(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("predicted cells")
    group.add_argument(
        "--cells", type=int, help="cells of each condition (default: as many as came with the model, or 200)"
    )
    add_sampling_options(group)
    group.add_argument("--seed", type=int, default=0, help="starts the random draws (default: %(default)s)")
    group.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
