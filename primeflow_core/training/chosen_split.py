"""The split of a training that is given none: drawn from the cells, or the one that its folder already has."""

from pathlib import Path
from typing import NamedTuple

from primeflow_core.data.cells import Cells
from primeflow_core.data.holdout import hold_out
from primeflow_core.data.splits import Split, read_split
from primeflow_core.models import checkpoint


class ChosenSplit(NamedTuple):
    """``sentence`` says what is held out, and how that was chosen."""

    split: Split
    sentence: str


def chosen_split(cells: Cells, folder: Path, seed: int, *, resume: bool) -> ChosenSplit:
    """By the rule of data/holdout.py, drawn by ``seed``. A training that is resumed in ``folder`` keeps its split.

    Raises DataError where too few cells are left to check a model with.
    """
    stored = folder / checkpoint.SPLIT
    if resume and stored.is_file():
        return ChosenSplit(read_split(stored, cells, unlisted="leave-out"), f"The split is that of {folder}.")
    found = hold_out(cells, seed=seed, every_cell=True)
    return ChosenSplit(found.split, f"No split given: chosen by train, seed {seed}. {found.sentence}")
