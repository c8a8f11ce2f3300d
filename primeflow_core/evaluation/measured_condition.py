"""The truth that one prediction is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.principal_components import Components
from primeflow_core.evaluation.typical_cells import TypicalPopulation


@dataclass(frozen=True)
class MeasuredCondition:
    """The truth of one condition: measured cells (m, G), the controls they are compared with, and disjoint
    controls for the floor; the genes' names and the principal components for MMD PCA.

    ``predicted_controls`` (k, G): what effects of the predicted side are measured from, the floor's too, where cells
    were measured in another experiment than the one that predictions come from. None: the same ``controls``.
    ``wrong``: predicted cells (n, G) of other conditions of the context. ``typical``: typical perturbed cells of the
    condition; None where there are none.
    """

    cells: np.ndarray
    controls: np.ndarray
    floor_controls: np.ndarray
    genes: Sequence[str]
    components: Components
    predicted_controls: np.ndarray | None = None
    wrong: Sequence[np.ndarray] = ()
    typical: TypicalPopulation | None = None


def halved_controls(controls: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Controls (n, G) in two disjoint halves, for the reference and for the floor, drawn by ``seed``."""
    order = np.random.default_rng(seed).permutation(len(controls))
    return controls[order[: len(order) // 2]], controls[order[len(order) // 2 :]]
