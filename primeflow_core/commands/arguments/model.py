"""Arguments of the commands that make and use models: train, generate, card."""

import math
from pathlib import Path

from primeflow_core.commands.arguments.reading import accept_reading_options, add_reading_options
from primeflow_core.commands.arguments.sampling import add_sampling_options
from primeflow_core.commands.terminal import (
    Subcommands,
    add_command,
)


def add_commands(commands: Subcommands) -> None:
    _add_train(commands)
    _add_generate(commands)
    _add_card(commands)


def _add_train(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "train",
        "Train a model on cells.",
        "primeflow train screen.h5ad --recipe unet-tiny --split split.csv --out runs/screen --minutes 20",
    )
    parser.add_argument("data", help=".h5ad file, or the name of a data set in the cache")
    parser.add_argument(
        "--recipe",
        default="unet-tiny",
        help="what to train, a name or a recipe file (default: %(default)s); `list` lists them",
    )
    parser.add_argument(
        "--split",
        type=Path,
        help="csv with columns cell, split (train, val, test); without it train chooses what to hold out, and says it",
    )
    parser.add_argument(
        "--unlisted", choices=("train", "leave-out"), help="cells that the split file does not list (default: an error)"
    )
    parser.add_argument("--out", type=Path, help="folder for the model")
    parser.add_argument("--steps", type=int, help="most updates of the weights (default: the recipe's)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="most minutes, earlier parts of a resumed run included"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="resume what --out holds; start anew if it holds nothing")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of the recipe; repeatable"
    )
    parser.add_argument("--seed", type=int, default=0, help="starts the random draws (default: %(default)s)")
    add_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.model:train_command")


def _add_generate(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "generate",
        "Predict cells of a condition.",
        "primeflow generate --model checkpoints/perturbench-devel --perturbation KLF1+MAP2K6 "
        "--covariate cell_type=k562 --cells 200 --out cells.h5ad",
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--perturbation", help="one perturbation or a combination, A+B; `control` for none")
    asked.add_argument(
        "--held-out", choices=("val", "test"), help="every condition that the model's training held out for val or test"
    )
    parser.add_argument("--covariate", action="append", default=[], metavar="NAME=VALUE", help="context of the cells")
    parser.add_argument("--cells", type=int, default=1000, help="cells of each condition (default: %(default)s)")
    add_sampling_options(parser)
    parser.add_argument("--seed", type=int, default=0, help="starts the random draws (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help=".h5ad to write")
    parser.set_defaults(run="primeflow_core.commands.model:generate_command")


def _add_card(commands: Subcommands) -> None:
    parser = add_command(
        commands,
        "card",
        "Evaluate a model on what it never saw and write its metrics, card and preview into its folder.",
        "primeflow card --model runs/screen --half",
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--data", help="file that it was trained on (default: found by its content)")
    parser.add_argument("--cells", type=int, default=500, help="cells of each condition (default: %(default)s)")
    parser.add_argument("--half", action="store_true", help="store the weights in half precision first")
    parser.add_argument("--seed", type=int, default=0, help="starts the random draws (default: %(default)s)")
    accept_reading_options(parser)
    parser.set_defaults(run="primeflow_core.commands.model:card_command")
