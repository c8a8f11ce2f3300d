"""Scores the baselines on one condition with the same metrics and the same measured cells as the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.agreement import values
from primeflow_core.evaluation.defaults import TOP_GENES
from primeflow_core.evaluation.measured_condition import MeasuredCondition
from primeflow_core.models.baselines.additive import SUM_OF_SINGLES, SumOfSingles
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline
from primeflow_core.models.baselines.fit import FittedBaselines
from primeflow_core.models.baselines.registry import baselines_beside_model


@dataclass(frozen=True)
class BaselineAgreement:
    """``agreement``: each metric of evaluation.agreement by name, NaN where it has none; empty for a baseline that
    cannot predict the condition, and ``why`` says the reason."""

    name: str
    label: str
    agreement: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


def baselines_beside(
    fitted: FittedBaselines, condition: Condition, truth: MeasuredCondition, cells: int, seed: int, top: int = TOP_GENES
) -> tuple[BaselineAgreement, ...]:
    """Scores the baselines that are shown with a model, ``fitted`` to training cells, on the condition of ``truth``.

    Each makes ``cells`` cells, fewer where it would have to repeat one. Raises SettingError for fewer than one cell.
    """
    return tuple(
        _beside(baseline, fitted[baseline.name], condition, truth, cells, seed, top)
        for baseline in baselines_beside_model()
    )


def _beside(
    record: Baseline,
    fitted: FittedBaseline,
    condition: Condition,
    truth: MeasuredCondition,
    cells: int,
    seed: int,
    top: int,
) -> BaselineAgreement:
    try:
        made = fitted.predict(condition, min(cells, fitted.distinct(condition)), seed)
    except (ConditionError, DataError) as refusal:
        return BaselineAgreement(record.name, record.label, why=str(refusal))
    return BaselineAgreement(record.name, record.label, values(made, truth, top=top))


def sum_mean(fitted: FittedBaselines, condition: Condition) -> np.ndarray:
    """(G,) the mean that the sum of single effects expects, log-normalised.

    The mean, since its cells are clipped at 0 one by one and lie above it where a gene is rare. Raises ConditionError
    for a part never measured alone, DataError if training has no control cells of the context.
    """
    return fitted[SUM_OF_SINGLES.name].predict_mean(condition)


def sum_error(fitted: FittedBaselines, condition: Condition) -> np.ndarray:
    """(G,) standard error of ``sum_mean``, log-normalised: singles and controls are measured on few cells. Raises as
    ``sum_mean``."""
    return cast(SumOfSingles, fitted[SUM_OF_SINGLES.name]).standard_error(condition)
