"""Recall of the genes that change most (PerturBench)."""

from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.evaluation.defaults import TOP_GENES
from primeflow_core.evaluation.genes import recalls
from primeflow_core.evaluation.metric import Compares, Metric

if TYPE_CHECKING:
    from primeflow_core.evaluation.replicate_input import ReplicateInput
    from primeflow_core.evaluation.score_input import ScoreInput


def _score(given: "ScoreInput") -> np.ndarray:
    return recalls(*given.top_genes)


def _replicates(given: "ReplicateInput") -> np.ndarray:
    return np.array([recalls(p[None], m[None])[0, 0] for p, m in zip(*given.top_genes, strict=True)])


DEG_RECALL = Metric(
    name="deg_recall",
    label="DEG recall",
    methods=f"recall of the {TOP_GENES} genes that change most",
    question=f"Share of the {TOP_GENES} genes that change most that the prediction finds.",
    larger_is_better=True,
    compares=Compares.PROFILES,
    limits=(0.0, 1.0),
    score=_score,
    replicates=_replicates,
)
