"""Arguments of the command benchmark."""

from pathlib import Path

from primeflow_core.commands.arguments.reading import add_reading_options
from primeflow_core.commands.terminal import Subcommands, add_command

EVERY = "every-small"


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "benchmark",
        "Train, predict and score models with several seeds, and set them beside each other.",
        "primeflow benchmark simulated-screen --split split.csv --recipes linear,unet-tiny --seeds 5 --out runs/bench",
    )
    parser.add_argument("data", nargs="?", help=".h5ad file, or the name of a data set in the cache")
    parser.add_argument("--list", action="store_true", help="name every recipe, one a line")
    parser.add_argument("--split", type=Path, help="csv with columns cell, split (train, val, test)")
    parser.add_argument(
        "--unlisted", choices=("train", "leave-out"), help="cells that the split file does not list (default: an error)"
    )
    parser.add_argument(
        "--recipes",
        default=EVERY,
        metavar="A,B|" + EVERY,
        help="what to train, names or recipe files (default: every small recipe)",
    )
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of the seeds (default: %(default)s)")
    parser.add_argument(
        "--guidance", default="1", metavar="W,W", help="guidance weights of flows, a row each (default: %(default)s)"
    )
    parser.add_argument(
        "--cells", type=int, default=1000, help="most predicted cells a condition (default: %(default)s)"
    )
    parser.add_argument("--part", choices=("val", "test"), default="test", help="what is scored (default: %(default)s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of all recipes; a setting of training changes only those that train in steps",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="so many processes of one core (default: all in one)")
    parser.add_argument("--title", help="of the table (default: the name of the data)")
    parser.add_argument("--held-out", metavar="TEXT", help="what the split holds out, in words, for readers")
    parser.add_argument("--out", type=Path, help="folder of models, scores and tables")
    add_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.benchmark:benchmark_command")
