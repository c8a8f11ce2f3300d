"""The options of `screen`, as what the user asks for."""

import argparse
from typing import TYPE_CHECKING

from primeflow_core.commands.reading import covariate_lists, note_unused, table_of_cells
from primeflow_core.commands.sampling_options import plan_of
from primeflow_core.data.data_file import data_file
from primeflow_core.errors import SettingError
from primeflow_core.models.checkpoint import Manifest

if TYPE_CHECKING:
    from primeflow_core.screening.screen_question import ScreenWishes
    from primeflow_core.screening.target_file import TargetFile


def screen_wishes(given: argparse.Namespace, manifest: Manifest) -> "ScreenWishes":
    """Raises SettingError for a --covariate that is not NAME=VALUE, or an option about a file that is not named;
    DataError for a --data that is not there."""
    from primeflow_core.screening.screen_question import ScreenWishes

    note_unused(given, manifest)
    return ScreenWishes(
        given.model,
        plan_of(given, manifest.sampling),
        given.candidates,
        given.parts,
        covariate_lists(given.covariate),
        given.doses,
        given.goal,
        given.target,
        _target_file(given),
        given.raised,
        given.lowered,
        given.gene,
        given.cells,
        given.noise_seeds,
        given.seed,
        None if given.data is None else data_file(given.data).path,
    )


def _target_file(given: argparse.Namespace) -> "TargetFile | None":
    from primeflow_core.screening.target_file import TargetFile

    if given.target_data is not None:
        return TargetFile(given.target_data, given.modality, table_of_cells(given.metadata))
    for name in ("modality", "metadata"):
        if getattr(given, name) is not None:
            raise SettingError(f"--{name} says how the file of --target-data is read. Name that file too.")
    return None
