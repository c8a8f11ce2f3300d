"""ridge: a regression over all training conditions predicts the shift of control cells, or of random residuals."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.models.baselines.baseline import Baseline, MovedControls
from primeflow_core.models.baselines.measured import TrainingMeans, evenly, from_each
from primeflow_core.models.baselines.ridge_fit import RidgeFit


@dataclass(frozen=True)
class Ridge(MovedControls):
    """control cell + the shift that ridge regression predicts (design in ridge_fit.py)."""

    fit: RidgeFit

    def shift(self, condition: Condition) -> np.ndarray:
        return self.fit.shift(condition)


@dataclass(frozen=True)
class RidgeCells(Ridge):
    """predicted mean + (cell - mean of its condition), cells of the conditions nearest to the requested one."""

    def _draw(self, condition: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        drawn = from_each(self.nearest(condition), cells, rng, lambda c, n: self._residuals(c, n, rng))
        drawn += self.predict_mean(condition)
        return drawn

    def distinct(self, condition: Condition) -> int:
        self.fit.shift(condition)
        return evenly([self.measured.number(source) for source in self.nearest(condition)])

    def nearest(self, condition: Condition) -> tuple[Condition, ...]:
        """Training conditions of this context that share most: of all parts of both, the largest share in common.

        For a pair that was held out these are its singles; the controls where no condition has a part in common.
        """
        asked = set(condition.perturbations)
        share = {
            c: len(asked & set(c.perturbations)) / len(asked | set(c.perturbations))
            for c in self.measured.with_shift()
            if c.covariates == condition.covariates
        }
        most = max(share.values(), default=0.0)
        return tuple(c for c in share if share[c] == most) if most > 0 else (self.measured.control(condition),)

    def _residuals(self, source: Condition, cells: int, rng: np.random.Generator) -> np.ndarray:
        drawn = self.measured.draw(source, cells, rng)
        drawn -= self.measured.mean(source)
        return drawn


def _fitted(measured: TrainingMeans) -> Ridge:
    return Ridge(measured, measured.ridge)


def _fitted_cells(measured: TrainingMeans) -> RidgeCells:
    return RidgeCells(measured, measured.ridge)


RIDGE = Baseline(
    name="ridge",
    label="Ridge",
    describe="Control cells, moved by the shift that a ridge regression learnt from all training conditions.",
    fit=_fitted,
    recipe="ridge",
)
RIDGE_CELLS = Baseline(
    name="ridge-cells",
    label="Ridge, cell by cell",
    describe="The mean that ridge predicts, around it the spread of training cells of the most similar conditions.",
    fit=_fitted_cells,
    beside_model=False,
)
