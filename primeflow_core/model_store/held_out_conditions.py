"""The conditions to predict for a check: those that training held out, or of which it held cells out."""

from collections.abc import Callable

from primeflow_core.data.conditions import Condition
from primeflow_core.data.held_out_outlook import of_conditions
from primeflow_core.data.split_file import TEST
from primeflow_core.errors import ConditionError
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.wording import counted


def held_out_conditions(manifest: Manifest, part: str, report: Callable[[str], None]) -> tuple[Condition, ...]:
    """The held-out conditions of ``part`` (val or test) that the model can predict; ``report`` hears of the others.

    Where only cells were held out: the conditions that they belong to. Raises ConditionError where there is nothing.
    """
    held = manifest.tested_on if part == TEST else manifest.validated_on
    if not held:
        return _of_held_out_cells(manifest, part, report)
    found = of_conditions(held, manifest.trained_on)
    if found.refusal:
        raise ConditionError(found.refusal)
    if found.unpredictable:
        report(found.unpredicted)
    return found.predictable


def _of_held_out_cells(manifest: Manifest, part: str, report: Callable[[str], None]) -> tuple[Condition, ...]:
    seen = manifest.with_held_out_cells(part)
    if not seen:
        raise ConditionError(
            f"The training of {manifest.name} held nothing out for {part}. Name what to predict with --perturbation."
        )
    report(
        f"For {part}, training held out cells of {counted(len(seen), 'condition')}, no whole condition: it saw other "
        "cells of each of them."
    )
    return seen
