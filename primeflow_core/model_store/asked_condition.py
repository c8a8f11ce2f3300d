"""The condition that a user names by a label and covariates, in the words of a model."""

from collections.abc import Mapping

from primeflow_core.data.conditions import Condition, parse_perturbations
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
    return Condition(parse_perturbations(label, separator=separator, control=control), pairs)
