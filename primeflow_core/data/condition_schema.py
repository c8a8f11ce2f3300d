"""A condition as JSON files hold it: ``{"perturbations": [[name, dose]], "covariates": [[column, value]]}``."""

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.runtime.file_schema import FileSchema


class ConditionEntry(FileSchema):
    """One condition; a dose is null where the data have no doses."""

    perturbations: tuple[tuple[str, float | None], ...]
    covariates: tuple[tuple[str, str], ...]

    def condition(self) -> Condition:
        return Condition(tuple(Perturbation(name, dose) for name, dose in self.perturbations), self.covariates)
