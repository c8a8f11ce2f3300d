"""Arguments of the command screen."""

import argparse
from pathlib import Path

from primeflow_core.commands.arguments.reading import accept_reading_options, add_part_options
from primeflow_core.commands.arguments.sampling import add_sampling_options
from primeflow_core.commands.terminal import Subcommands, add_command
from primeflow_core.screening.goals.record import Need
from primeflow_core.screening.goals.registry import goal_records, names_needing


def add_commands(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "screen",
        "Rank combinations by what they do, and say how far to trust the ranking.",
        "primeflow screen --model checkpoints/simulated-screen --candidates all-pairs --goal effect --out hits.parquet",
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    _add_candidates(parser)
    _add_goal(parser)
    _add_cells(parser)
    _add_results(parser)
    _add_running(parser)
    parser.add_argument("--data", help="file that the model was trained on (default: found by its content)")
    accept_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.screen:screen_command")


def _add_candidates(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("candidates")
    group.add_argument(
        "--candidates", required=True, metavar="WHICH",
        help="all-singles, all-pairs, all-triples, a csv with the column perturbation, or a table that screen wrote",
    )  # fmt: skip
    group.add_argument("--parts", metavar="NAMES|FILE", help="combine these only: A,B,C or a file with one a line")
    group.add_argument(
        "--covariate", action="append", default=[], metavar="NAME=VALUE",
        help="context of the cells; repeatable, NAME=all for all (default: that of the model's first view)",
    )  # fmt: skip
    group.add_argument("--doses", default="highest", help="highest, all, or 0.1,1,10 (default: %(default)s)")


def _add_goal(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to rank by")
    goals = goal_records()
    described = "; ".join(f"{' or '.join((goal.name, *goal.aliases))}: {goal.summary}" for goal in goals)
    group.add_argument(
        "--goal", default="effect", help=f"{described} (default: %(default)s)",
        choices=(*(goal.name for goal in goals), *(alias for goal in goals for alias in goal.aliases)),
    )  # fmt: skip
    target, lists, gene = map(names_needing, (Need.TARGET, Need.GENE_LISTS, Need.ONE_GENE))
    group.add_argument("--target", metavar="LABEL", help=f"for {target}: a measured condition, in the context")
    group.add_argument(
        "--target-data", type=Path, metavar="FILE",
        help="or a file with cells of the target state, log-normalised or counts",
    )  # fmt: skip
    group.add_argument("--raise", dest="raised", metavar="GENES|FILE", help=f"for {lists}: those that should go up")
    group.add_argument("--lower", dest="lowered", metavar="GENES|FILE", help=f"for {lists}: those that should go down")
    group.add_argument("--gene", help=f"for {gene}: the gene")
    add_part_options(parser.add_argument_group("how the file of --target-data is read"))


def _add_cells(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("predicted cells")
    group.add_argument("--cells", type=int, default=200, help="of a candidate, for each seed (default: %(default)s)")
    group.add_argument(
        "--noise-seeds", type=int, default=2, help="how many, 2 to 64, shared by all candidates (default: %(default)s)"
    )
    group.add_argument("--seed", type=int, default=0, help="the first of them (default: %(default)s)")
    add_sampling_options(group)


def _add_results(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what comes out")
    group.add_argument("--out", type=Path, required=True, help=".parquet to write; .csv writes both")
    group.add_argument("--next", type=int, default=8, metavar="K", help="experiments to suggest (default: %(default)s)")
    group.add_argument("--changes", action="store_true", help="keep the change of every gene in the table")
    group.add_argument(
        "--keep-cells", type=Path, metavar="FOLDER",
        help="write all predicted cells too, an .h5ad a shard and seed; makes them once more",
    )  # fmt: skip


def _add_running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs (default: in this process, on one core)")
    group.add_argument("--workers", type=int, metavar="N", help="so many processes of this machine")
    group.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler, such as tcp://host:8786")
