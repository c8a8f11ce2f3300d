"""The target state of a screen: its measured cells, and how near or how alike a candidate comes."""

import numpy as np

from primeflow_core.errors import DataError
from primeflow_core.evaluation.bootstrap import mean_between, mean_within
from primeflow_core.evaluation.distances import centre, cloud
from primeflow_core.evaluation.interaction import FEWEST_CELLS
from primeflow_core.screening.bootstrap_draws import (
    CANDIDATE,
    TARGET,
    TARGET_CONTROLS,
    change,
    drawn,
    shares,
    with_seeds,
)
from primeflow_core.screening.reference_cells import Reference
from primeflow_core.screening.subject import Subject


class TargetState:
    """Measured cells of the target, and their change against their own controls."""

    def __init__(self, reference: Reference, resamples: int) -> None:
        if min(len(reference.target), len(reference.target_controls)) < FEWEST_CELLS:
            raise DataError(
                f"There are {len(reference.target)} cells of the target state and {len(reference.target_controls)} "
                f"controls beside it; scores need {FEWEST_CELLS} of each. Choose a target that was measured."
            )
        self._origin = centre(reference.target)
        self._cloud = cloud(reference.target, self._origin)
        self._shares = shares((len(reference.target),), TARGET, resamples).of_cells[: 1 + resamples]
        self._within = mean_within(self._cloud, self._shares)
        target = drawn([reference.target], TARGET, resamples)
        against = drawn([reference.target_controls], TARGET_CONTROLS, resamples)
        self._change = target.log_means - against.log_means

    def distances(self, subject: Subject) -> np.ndarray:
        """(1 + B + S,) unbiased energy distances."""
        seen = cloud(np.concatenate(subject.by_seed), self._origin)
        rows = shares(tuple(map(len, subject.by_seed)), CANDIDATE, subject.replicates).of_cells
        between = mean_between(seen, self._cloud, rows, _beside(self._shares, subject))
        return 2 * between - mean_within(seen, rows) - _beside(self._within, subject)

    def cosines(self, subject: Subject) -> np.ndarray:
        """(1 + B + S,)"""
        changes, wanted = change(subject.cells, subject.controls), _beside(self._change, subject)
        norms = np.linalg.norm(changes, axis=1) * np.linalg.norm(wanted, axis=1)
        along = np.einsum("ij,ij->i", changes, wanted)
        return np.divide(along, norms, out=np.full(len(norms), np.nan), where=norms > 0)


def _beside(rows: np.ndarray, subject: Subject) -> np.ndarray:
    """Repeats values of the target, (1 + B, ...), for each seed: (1 + B + S, ...)."""
    return with_seeds(rows[: 1 + subject.replicates], subject.seeds)
