"""The condition that a user names by a label and covariates, in the words of a model."""

from collections.abc import Mapping

from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.design import predictable
from primeflow_core.data.split_file import TEST
from primeflow_core.errors import ConditionError
from primeflow_core.models.checkpoint import Manifest


def asked_condition(manifest: Manifest, label: str, covariates: Mapping[str, str]) -> Condition:
    """Raises ConditionError where the covariates are not those of the model, or the label cannot be read."""
    expected = [column for column, _ in manifest.vocabulary.covariates]
    if sorted(expected) != sorted(covariates):
        wanted = " ".join(f"--covariate {column}={values[0]}" for column, values in manifest.vocabulary.covariates)
        raise ConditionError(f"{manifest.name} needs {wanted or 'no --covariate'}.")
    pairs = tuple((column, covariates[column]) for column in expected)
    separator, control = manifest.layout.separator, manifest.layout.control_labels
    condition = Condition(parse_perturbations(label, separator=separator, control=control), pairs)
    _check_not_held_out(manifest, condition)
    return condition


def _check_not_held_out(manifest: Manifest, condition: Condition) -> None:
    held_out = {part.name for one in manifest.held_out for part in one.perturbations}
    for part in condition.perturbations:
        if part.name not in manifest.vocabulary.perturbations and part.name in held_out:
            raise ConditionError(
                f"{part.name} was held out from the training of {manifest.name}: no training cell has it, so the model "
                f"cannot predict it. It knows {len(manifest.vocabulary.perturbations)} perturbations. To predict "
                f"{part.name}, train with a split that keeps it in training, in another context or combination."
            )


def held_out_conditions(manifest: Manifest, part: str) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
    """The conditions of ``val`` or ``test`` that the model can predict, and those that it cannot.

    Raises ConditionError where there is none to predict.
    """
    held_out = manifest.tested_on if part == TEST else manifest.validated_on
    found = predictable(held_out, manifest.trained_on)
    if not found.yes:
        why = found.sentence if held_out else f"Its training held no condition out for {part}."
        raise ConditionError(f"{manifest.name} has no held-out condition of {part} to predict. {why}")
    return found.yes, found.no
