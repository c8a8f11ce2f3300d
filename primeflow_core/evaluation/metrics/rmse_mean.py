"""Root mean squared error of the mean profile (PerturBench)."""

from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.evaluation.metric import Compares, Metric, Place
from primeflow_core.evaluation.profiles import rmses

if TYPE_CHECKING:
    from primeflow_core.evaluation.replicate_input import ReplicateInput
    from primeflow_core.evaluation.score_input import ScoreInput


def _score(given: "ScoreInput") -> np.ndarray:
    return rmses(given.predicted.means, given.measured.means)


def _replicates(given: "ReplicateInput") -> np.ndarray:
    predicted, measured = given.means
    error: np.ndarray = np.sqrt(np.mean((predicted - measured) ** 2, axis=1))
    return error


RMSE_MEAN = Metric(
    name="rmse_mean",
    label="RMSE of the means",
    word="RMSE",
    methods="root mean squared error of the mean profiles",
    question="How far is the mean of each gene, in log-normalised expression?",
    larger_is_better=False,
    compares=Compares.PROFILES,
    limits=(0.0, np.inf),
    needs_controls=False,
    left_out_of=frozenset({Place.CARD, Place.EXPLORE}),
    score=_score,
    replicates=_replicates,
)
