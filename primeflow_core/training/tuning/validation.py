"""Scores a model by generated cells of the validation conditions, which are held out of training; never of test ones.

Validation losses of other weights of a penalty, or another share of dropped conditions, cannot be compared; cells can.
"""

from dataclasses import replace

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.data.held_out_outlook import of_conditions
from primeflow_core.data.split_file import TRAIN, VAL
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.held_out_reference import check_controls, truth
from primeflow_core.evaluation.scores import score
from primeflow_core.models.predictor import Predictor
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.training.run import Source


class DivergedError(Exception):
    """Raised if the model's cells are not numbers."""


class TrialValidation:
    """The validation ``conditions`` of ``source`` whose parts training knows, and the ``metric`` that models are scored
    by; ``unknown`` are the others, which no model can predict.

    Raises DataError where the split holds no condition out for validation, or none that can be predicted.
    """

    def __init__(self, source: Source, metric: str) -> None:
        self.metric = metric
        seen, held = (source.split.conditions(source.cells, part) for part in (TRAIN, VAL))
        held_out = [condition for condition in held if condition not in seen and not condition.is_control]
        if not held_out:
            raise DataError(
                f"The split {source.split.source} of {source.cells.source} has no validation conditions that training "
                "does not know, and test conditions are not for choosing settings. Make a split whose part `val` holds "
                "conditions out: `primeflow check` lists the tasks that the file allows."
            )
        found = of_conditions(held_out, seen)
        self.conditions, self.unknown = found.predictable, found.unpredictable
        if found.refusal:
            raise DataError(
                f"{found.refusal} These are all validation conditions of {source.split.source}. Make a split whose "
                "part `val` holds out combinations of parts seen alone."
            )
        check_controls(source.cells, source.split, VAL, self.conditions)
        self._truth = truth(source.cells, source.split, VAL)

    def score(self, predictor: Predictor, cells: int, plan: SamplingPlan) -> float:
        """Mean of the metric over the conditions that the model can predict, NaN skipped; NaN where it has no value.

        Raises DivergedError for cells that are not finite, DataError where no condition can be predicted or scored.
        """
        made = self._made(predictor, cells, plan)
        if not all(np.isfinite(values).all() for values in made.values()):
            raise DivergedError
        scored = score(self._truth.pair(made, "the cells of a trial"))
        found = np.concatenate([np.diagonal(group.matrices[self.metric]) for group in scored.groups])
        known = found[~np.isnan(found)]
        return float(known.mean()) if len(known) else float("nan")

    def _made(self, predictor: Predictor, cells: int, plan: SamplingPlan) -> dict[Condition, np.ndarray]:
        made: dict[Condition, np.ndarray] = {}
        refused = ""
        for condition in self.conditions:
            try:
                distinct = predictor.distinct_cells(condition, cells)
                made[condition] = predictor.predict(condition, distinct, replace(plan, guidance=1.0))
            except ConditionError as error:
                refused = str(error)
        if not made:
            raise DataError(f"No validation condition can be predicted: {refused}")
        return made
