"""The strength of perturbations of a training set in combinations, as a share of their strength alone (scaling.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.models.composed_cells.scaling import MeasuredEffects, scalings
from primeflow_core.models.composed_cells.single import FEWEST_CELLS, shift_and_error


@dataclass(frozen=True)
class Factors:
    """``by`` (P, P): by how much one perturbation scales what another does, less 1; ``place``: where each stands."""

    place: Mapping[str, int]
    by: np.ndarray

    @staticmethod
    def of(training: Cells) -> "Factors":
        measured = [c for c in training.conditions if len(c.perturbations) in (1, 2) and _has_cells(training, c)]
        names = sorted({part.name for c in measured for part in c.perturbations})
        place = {name: i for i, name in enumerate(names)}
        return Factors(place, scalings(_effects(training, measured, place)))

    @staticmethod
    def none() -> "Factors":
        """No scaling: all perturbations add up."""
        return Factors({}, np.zeros((0, 0)))

    def of_parts(self, one: Condition, other: Condition) -> tuple[float, float]:
        """The effect of each of two singles in combination, as a share of its effect alone; at least 0."""
        if not self.place:
            return 1.0, 1.0
        a, b = (self.place[single.perturbations[0].name] for single in (one, other))
        return max(0.0, 1.0 + float(self.by[a, b])), max(0.0, 1.0 + float(self.by[b, a]))


def _has_cells(training: Cells, condition: Condition) -> bool:
    both = (condition, condition.control())
    return all(c in training.conditions and len(training.where(c)) >= FEWEST_CELLS for c in both)


def _effects(training: Cells, measured: Sequence[Condition], place: Mapping[str, int]) -> MeasuredEffects:
    contexts = list(dict.fromkeys(c.control() for c in measured))
    controls = {context: training.dense(training.where(context)) for context in contexts}
    strength = np.zeros((len(measured), len(place)))
    shifts, noise, control_noise = np.zeros((len(measured), len(training.genes))), [], []
    for row, condition in enumerate(measured):
        for part in condition.perturbations:
            strength[row, place[part.name]] = 1.0 if part.dose is None else part.dose
        beside = controls[condition.control()]
        shifts[row], error = shift_and_error(training.dense(training.where(condition)), beside)
        control_noise.append(beside.var(axis=0, ddof=1, dtype=np.float64).sum() / len(beside))
        noise.append(error.sum() - control_noise[-1])
    context = np.array([contexts.index(c.control()) for c in measured], dtype=int)
    return MeasuredEffects(strength, context, shifts, np.array(noise), np.array(control_noise))
