"""Arguments of the command distill."""

from pathlib import Path

from primeflow_core.commands.arguments.reading import accept_reading_options
from primeflow_core.commands.terminal import Subcommands, add_command


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "distill",
        "Teach a student of a model: it makes cells with one evaluation of the network.",
        "primeflow distill --model runs/screen",
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--data", help="file that it was trained on (default: found by its content)")
    parser.add_argument("--steps", type=int, help="updates of the student's weights (default: 1200)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of it; repeatable"
    )
    parser.add_argument("--seed", type=int, default=0, help="starts the random draws (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    accept_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.distill:distill_command")
