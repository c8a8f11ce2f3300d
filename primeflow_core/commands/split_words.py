"""The command `split` as a user would type it, for what can be held out of a file."""

import argparse
import shlex

from primeflow_core.commands.reading import reading_flags, reading_request
from primeflow_core.data.cells import Cells
from primeflow_core.data.data_file import DataFile
from primeflow_core.data.design import Task, tasks_of
from primeflow_core.data.h5ad.reading import examine
from primeflow_core.data.reading_request import reading_choice

TRANSFER = "transfer"


def typed_split(task: Task, given: argparse.Namespace) -> str:
    """The command for a task, with how the file is read as it was ``given``."""
    flags = reading_flags(argparse.Namespace(**{**vars(given), **_told_by(task)}))
    words = ["primeflow", "split", given.data, "--task", task.name, *task.options, *flags]
    return shlex.join([*words, "--out", "split.csv"])


def _told_by(task: Task) -> dict[str, None]:
    """Options that the task gives itself, so that those of the command are left out."""
    return {option.removeprefix("--"): None for option in task.options if option == "--covariates"}


def transfer_hint(file: DataFile, given: argparse.Namespace, cells: Cells) -> str:
    """Where the only perturbation was measured in several contexts, the split that tests that; else empty."""
    perturbed = {condition.label for condition in cells.conditions if not condition.is_control}
    if len(perturbed) != 1:
        return ""
    choice = reading_choice(file, reading_request(given), None, lambda _: None)
    possible = (task for task in tasks_of(examine(file.path, choice.wishes, choice.repair)) if task.possible)
    task = next((task for task in possible if task.name == TRANSFER), None)
    if task is None:
        return ""
    return (
        f"The only perturbation is {perturbed.pop()}. The task {task.name} is made for that ({task.text}). To use it, "
        f"run this and train with --split split.csv: {typed_split(task, given)}"
    )
