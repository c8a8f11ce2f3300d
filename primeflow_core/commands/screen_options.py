"""The options of `screen`, as what the user asks for."""

import argparse
from typing import TYPE_CHECKING

from primeflow_core.commands.reading import covariate_lists, note_unused
from primeflow_core.commands.sampling_options import plan_of
from primeflow_core.data.data_file import data_file
from primeflow_core.models.checkpoint import Manifest

if TYPE_CHECKING:
    from primeflow_core.screening.screen_question import ScreenWishes


def screen_wishes(given: argparse.Namespace, manifest: Manifest) -> "ScreenWishes":
    """Raises SettingError for a --covariate that is not NAME=VALUE, DataError for a --data that is not there."""
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
        given.target_data,
        given.raised,
        given.lowered,
        given.gene,
        given.cells,
        given.noise_seeds,
        given.seed,
        None if given.data is None else data_file(given.data).path,
    )
