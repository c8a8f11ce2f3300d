"""The condition that a user names by a label and covariates, in the words of a model."""

from collections.abc import Mapping

from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.held_out_outlook import missing_parts
from primeflow_core.errors import ConditionError
from primeflow_core.model_store.available_conditions import held_out_refusal
from primeflow_core.models.checkpoint import Manifest


def asked_condition(manifest: Manifest, label: str, covariates: Mapping[str, str]) -> Condition:
    """Raises ConditionError where the covariates are not those of the model, the label cannot be read, or a part was
    held out of training altogether."""
    expected = [column for column, _ in manifest.vocabulary.covariates]
    if sorted(expected) != sorted(covariates):
        wanted = " ".join(f"--covariate {column}={values[0]}" for column, values in manifest.vocabulary.covariates)
        raise ConditionError(f"{manifest.name} needs {wanted or 'no --covariate'}.")
    pairs = tuple((column, covariates[column]) for column in expected)
    separator, control = manifest.layout.separator, manifest.layout.control_labels
    asked = Condition(parse_perturbations(label, separator=separator, control=control), pairs)
    _check_not_held_out(asked, manifest)
    return asked


def _check_not_held_out(asked: Condition, manifest: Manifest) -> None:
    """A part or context that training held out altogether is no unknown name."""
    held_out = {name for condition in manifest.held_out for name in missing_parts(condition, manifest.vocabulary)}
    for name in missing_parts(asked, manifest.vocabulary):
        if name in held_out:
            raise ConditionError(held_out_refusal(name))
