"""Arguments of the command tune."""

from pathlib import Path

from primeflow_core.commands.arguments.reading import add_reading_options
from primeflow_core.commands.terminal import Subcommands, add_command
from primeflow_core.evaluation.metrics.registry import metric_names

TRIALS, MOST_TRIALS = 60, 10_000
"""As many trials as in the paper, if no number is given."""


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "tune",
        "Search the settings of a recipe on the validation conditions of a split; the best row becomes a recipe file.",
        "primeflow tune screen.h5ad --split split.csv --recipe linear --trials 60 --out runs/tuned",
    )
    parser.add_argument("data", help=".h5ad file, or the name of a data set in the cache")
    parser.add_argument("--split", type=Path, required=True, help="csv with columns cell, split (train, val, test)")
    parser.add_argument(
        "--unlisted", choices=("train", "leave-out"), help="cells that the split file does not list (default: an error)"
    )
    parser.add_argument("--recipe", required=True, help="a recipe's name, or a recipe file; it is the first trial")
    parser.add_argument("--trials", type=int, default=TRIALS, help="how many in all (default: %(default)s)")
    parser.add_argument(
        "--metric",
        default="energy_distance",
        help=f"what is made best: {', '.join(metric_names())} (default: %(default)s)",
    )
    parser.add_argument("--cells", type=int, default=200, help="predicted cells a condition (default: %(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="fix a setting, which is not searched then"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the search and of every training")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the trials; run the same command again to resume"
    )
    add_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.tune:tune_command")
