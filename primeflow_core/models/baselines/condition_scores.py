"""The cheap rivals beside the model on one condition, by the same metrics against the same measured cells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.agreement import values
from primeflow_core.evaluation.defaults import TOP_GENES
from primeflow_core.evaluation.measured_condition import MeasuredCondition
from primeflow_core.models.baselines.additive import SumOfSingles
from primeflow_core.models.baselines.no_change import NoChange
from primeflow_core.models.baselines.ridge import Ridge
from primeflow_core.models.baselines.rival import Rival

FittedRivals = Mapping[str, Rival]
LABELS: dict[str, str] = {
    NoChange.name: "No change",
    SumOfSingles.name: "Sum of single effects",
    Ridge.name: "Ridge",
}


@dataclass(frozen=True)
class RivalAgreement:
    """``agreement``: each metric of evaluation.agreement by name, NaN where it has none; empty for a rival that cannot
    predict the condition, and ``why`` says the reason."""

    name: str
    label: str
    agreement: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


def rivals_beside(
    fitted: FittedRivals, condition: Condition, truth: MeasuredCondition, cells: int, seed: int, top: int = TOP_GENES
) -> tuple[RivalAgreement, ...]:
    """The rivals of ``LABELS``, among those ``fitted`` to training cells, on the condition that ``truth`` measured.

    Each makes ``cells`` cells, fewer where it would have to repeat one. Raises SettingError for fewer than one cell.
    """
    return tuple(_beside(fitted[name], label, condition, truth, cells, seed, top) for name, label in LABELS.items())


def _beside(
    rival: Rival, label: str, condition: Condition, truth: MeasuredCondition, cells: int, seed: int, top: int
) -> RivalAgreement:
    try:
        made = rival.predict(condition, min(cells, rival.distinct(condition)), seed)
    except (ConditionError, DataError) as refusal:
        return RivalAgreement(rival.name, label, why=str(refusal))
    return RivalAgreement(rival.name, label, values(made, truth, top=top))


def sum_mean(fitted: FittedRivals, condition: Condition) -> np.ndarray:
    """(G,) the mean that the sum of single effects expects, log-normalised.

    The mean, since its cells are clipped at 0 one by one and lie above it where a gene is rare. Raises ConditionError
    for a part never measured alone, DataError where training lacks control cells of the context.
    """
    return fitted[SumOfSingles.name].predict_mean(condition)


def sum_error(fitted: FittedRivals, condition: Condition) -> np.ndarray:
    """(G,) standard error of ``sum_mean``, log-normalised: singles and controls are measured on few cells. Raises as
    ``sum_mean``."""
    return cast(SumOfSingles, fitted[SumOfSingles.name]).standard_error(condition)
