"""Cosine of log fold changes (PerturBench)."""

from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.evaluation.metric import Compares, Metric
from primeflow_core.evaluation.profiles import cosines

if TYPE_CHECKING:
    from primeflow_core.evaluation.replicate_input import ReplicateInput
    from primeflow_core.evaluation.score_input import ScoreInput


def _score(given: "ScoreInput") -> np.ndarray:
    return cosines(*given.log_fold_changes)


def _replicates(given: "ReplicateInput") -> np.ndarray:
    a, b = given.log_fold_changes
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(axis=1), norms, out=np.full(len(a), np.nan), where=norms > 0)


COSINE_LOGFC = Metric(
    name="cosine_logfc",
    label="Cosine of log fold changes",
    word="cosine",
    page_label="Cosine of changes",
    methods="cosine of the log2 changes",
    question="Do the same genes go up and down, whatever the size?",
    larger_is_better=True,
    compares=Compares.PROFILES,
    limits=(-1.0, 1.0),
    score=_score,
    replicates=_replicates,
)
