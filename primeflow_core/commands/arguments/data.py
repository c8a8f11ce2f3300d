"""Arguments of the commands about data: datasets, fetch, simulate, check, split."""

from pathlib import Path

from primeflow_core.commands.arguments.reading import add_reading_options
from primeflow_core.commands.terminal import Subcommands, add_command


def add_commands(commands: Subcommands) -> None:
    parser = add_command(commands, "datasets", "List the named data sets.", "primeflow datasets")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run="primeflow_core.commands.data:datasets_command")
    parser = add_command(
        commands, "fetch", "Download a named data set into the cache.", "primeflow fetch perturbench-devel"
    )
    parser.add_argument("name", help="a name that `primeflow datasets` lists")
    parser.set_defaults(run="primeflow_core.commands.data:fetch_command")
    _add_simulate(commands)
    _add_check(commands)
    _add_split(commands)


def _add_simulate(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "simulate",
        "Write the simulated screen, whose truth is known.",
        "primeflow simulate screen.h5ad --seed 1",
    )
    parser.add_argument("out", type=Path, help=".h5ad to write")
    parser.add_argument("--cells", type=int, help="about how many cells (default: that of the bundled screen)")
    parser.add_argument("--genes", type=int, help="how many genes (default: that of the bundled screen)")
    parser.add_argument("--seed", type=int, default=0, help="starts the random draws (default: %(default)s)")
    parser.set_defaults(run="primeflow_core.commands.data:simulate_command")


def _add_check(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "check",
        "Describe a file, and say what must be changed before it can be used.",
        "primeflow check screen.h5ad",
    )
    parser.add_argument("data", help="data file (.h5ad or another format), or the name of a data set")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.data:check_command")


def _add_split(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "split",
        "Hold conditions out as PerturBench does, or those that you name.",
        "primeflow split screen.h5ad --task combo --seed 42 --out split.csv",
    )
    parser.add_argument("data", help=".h5ad file, or the name of a data set in the cache")
    parser.add_argument(
        "--task",
        choices=("combo", "transfer", "named", "cells", "simulated"),
        required=True,
        help="unseen combinations, unseen contexts, the conditions that --hold-out names (all for test), a share of "
        "the cells of every condition, or the split that belongs to the simulated-screen data set",
    )
    parser.add_argument(
        "--hold-out", action="append", default=[], metavar="LABEL", help="for --task named: A, A+B, ...; repeatable"
    )
    parser.add_argument(
        "--covariate", action="append", default=[], metavar="NAME=VALUE",
        help="for --task named: only in these contexts (default: in all)",
    )  # fmt: skip
    parser.add_argument(
        "--context",
        help="for --task transfer: hold out in this one (default: by PerturBench's rule, else one is drawn)",
    )
    parser.add_argument(
        "--fraction", type=float, help="share held out (default: 0.7 for combo, 0.3 for transfer, 0.2 for cells)"
    )
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, required=True, help="csv to write; .csv.gz packs it")
    add_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.data:split_command")
