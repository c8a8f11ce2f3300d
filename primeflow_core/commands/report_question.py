"""What a report is about: the conditions, as the options name them or as training held them out."""

import argparse

from primeflow_core.commands.reading import covariate_lists
from primeflow_core.commands.terminal import note
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.screening.candidates import Asked, listed
from primeflow_core.screening.screen_question import contexts_named
from primeflow_core.wording import counted

MOST_UNASKED = 12
"""Conditions in a report for which none were named."""
PARTS = {"val": "validation", "test": "test"}


def names_nothing(given: argparse.Namespace) -> bool:
    """Whether the options leave to the command what to show."""
    return not (given.perturbation or given.held_out or given.screen)


def asked_conditions(given: argparse.Namespace, manifest: Manifest) -> tuple[Condition, ...]:
    """Each once, as ordered by the options. Raises PrimeflowError for what the model cannot predict."""
    if names_nothing(given):
        return _unasked(_within(given, manifest, manifest.tested_on), manifest)
    if given.covariate and not (given.perturbation or given.held_out):
        note("--covariate is not used: it belongs to --perturbation and --held-out.")
    named = _named(given, manifest) if given.perturbation else ()
    return tuple(dict.fromkeys((*named, *_within(given, manifest, _held_out(given.held_out, manifest)))))


def _named(given: argparse.Namespace, manifest: Manifest) -> tuple[Condition, ...]:
    contexts = contexts_named(covariate_lists(given.covariate), manifest, note)
    found = listed(manifest, map(Asked, given.perturbation), contexts)
    if found.refused:
        first = found.refused[0]
        raise ConditionError(f"{first.label}: {first.why}")
    return found.conditions


def _within(given: argparse.Namespace, manifest: Manifest, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Those of the contexts that --covariate names; all without it."""
    if not given.covariate or not conditions:
        return conditions
    contexts = contexts_named(covariate_lists(given.covariate), manifest, note)
    found = tuple(condition for condition in conditions if condition.covariates in contexts)
    if not found:
        raise SettingError(
            f"The training of {manifest.name} held out no condition of {' '.join(given.covariate)}. Name conditions "
            "with --perturbation."
        )
    return found


def _held_out(part: str | None, manifest: Manifest) -> tuple[Condition, ...]:
    if part is None:
        return ()
    conditions = manifest.tested_on if part == "test" else manifest.validated_on
    if not conditions:
        raise SettingError(
            f"The training of {manifest.name} held out no condition for {PARTS[part]}. Name conditions with "
            "--perturbation."
        )
    return conditions


def _unasked(tested: tuple[Condition, ...], manifest: Manifest) -> tuple[Condition, ...]:
    if len(tested) > MOST_UNASKED:
        note(
            f"The first {MOST_UNASKED} of {counted(len(tested), 'held-out test condition')}; --held-out test takes "
            "all, --perturbation those that you name."
        )
    if not tested and manifest.first_view is not None:
        note(
            f"The training of {manifest.name} held out no condition for test: the report shows "
            f"{manifest.first_view.label}. Name others with --perturbation."
        )
        return (manifest.first_view,)
    return tested[:MOST_UNASKED]
