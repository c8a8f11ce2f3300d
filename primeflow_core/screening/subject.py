"""The input of a goal's score: the cells of one condition, resampled once for all scores."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.screening.bootstrap_draws import BootstrapDraws


@dataclass(frozen=True)
class Subject:
    """A condition with its cells (n, G) of each noise seed, and the controls (k, G) that it is measured from."""

    condition: Condition
    by_seed: tuple[np.ndarray, ...]
    cells: BootstrapDraws
    controls: BootstrapDraws

    @property
    def seeds(self) -> int:
        return len(self.by_seed)

    @property
    def replicates(self) -> int:
        return len(self.cells.log_means) - 1

    @property
    def unscored(self) -> np.ndarray:
        """(1 + B + S,) NaN."""
        return np.full(1 + self.replicates + self.seeds, np.nan)
