"""The score of a candidate by a goal, with its bootstrap replicates and its value for each noise seed.

Sizes, and shares of sizes, are corrected for noise (evaluation.effect_products); where noise would make a square
negative the size is 0. Distances are unbiased energy distances. The cosine of the log2 changes is not
corrected, as in evaluation.profiles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.data.gene_names import current_symbol
from primeflow_core.errors import DataError, SettingError
from primeflow_core.screening.bootstrap_draws import CANDIDATE, CONTROLS, BootstrapDraws, change, drawn
from primeflow_core.screening.effect_products import AgainstParts
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.goals.record import Need
from primeflow_core.screening.reference_cells import Reference
from primeflow_core.screening.subject import Subject
from primeflow_core.screening.target_state import TargetState

MOST_CONTROLS = 32
Alone = Callable[[Condition], Sequence[np.ndarray]]
"""Cells (n, G) of each noise seed of one perturbation alone, or of none, as the model predicts them."""


@dataclass(frozen=True)
class GoalScore:
    """``replicates`` (resamples,) float32; all NaN where there is no score."""

    score: float
    replicates: np.ndarray
    by_seed: tuple[float, ...]


class Scorer:
    """Scores cells of conditions by one goal; keeps what controls, parts and the target have in common."""

    def __init__(
        self,
        genes: Sequence[str],
        goal: Goal,
        reference: Reference,
        resamples: int,
        predicted_alone: Alone | None = None,
    ) -> None:
        """``predicted_alone`` gives cells of parts and controls; without it, a combination with a part that was not
        measured alone has no magnitude.

        Raises SettingError for genes that are not among ``genes``, DataError for a target without cells.
        """
        self.goal = goal
        self.reference = reference
        self.resamples = resamples
        self._predicted_alone = predicted_alone
        self._genes = tuple(genes)
        self._symbols = tuple(map(_symbol, genes))
        self._wanted = [
            (self._place(name), sign) for sign, names in ((1, goal.raised), (-1, goal.lowered)) for name in names
        ]
        self._target = TargetState(reference, resamples) if goal.record.need is Need.TARGET else None
        self._kept: dict[tuple[str, Condition], BootstrapDraws | None] = {}
        self._controls: dict[int, tuple[np.ndarray, BootstrapDraws]] = {}

    @property
    def target(self) -> TargetState:
        """Raises SettingError for a goal without a target."""
        if self._target is None:
            raise SettingError(f"The goal {self.goal.kind} has no target state.")
        return self._target

    def score(self, condition: Condition, by_seed: Sequence[np.ndarray], controls: np.ndarray) -> GoalScore:
        """Cells (n, G) of each noise seed, measured cells as one entry, with effects measured from ``controls`` (k, G).

        Raises DataError for no cells, or another number of genes.
        """
        return self.scored(self.subject(condition, by_seed, controls))

    def subject(self, condition: Condition, by_seed: Sequence[np.ndarray], controls: np.ndarray) -> Subject:
        """A condition resampled once for all measures. Raises as ``score``."""
        for cells in (*by_seed, controls):
            if cells.ndim != 2 or cells.shape[1] != len(self._genes) or not len(cells):
                raise DataError(
                    f"The cells of {condition.label} have shape {cells.shape}; expected {len(self._genes)} genes."
                )
        return Subject(
            condition, tuple(by_seed), drawn(by_seed, CANDIDATE, self.resamples), self._drawn_controls(controls)
        )

    def scored(self, subject: Subject) -> GoalScore:
        rows = self.goal.record.score(self, subject)
        if not np.isfinite(rows[0]):
            rows = subject.unscored
        end = 1 + subject.replicates
        return GoalScore(float(rows[0]), rows[1:end].astype(np.float32), tuple(rows[end:].tolist()))

    def value(self, condition: Condition, cells: np.ndarray, controls: np.ndarray) -> float:
        """The score of cells (n, G), without replicates; for goals that no parts are needed for."""
        controls_alone = self._drawn_controls(controls).undrawn
        return self.scored(Subject(condition, (cells,), drawn([cells], CANDIDATE, 0), controls_alone)).score

    def against_measured(self, subject: Subject) -> AgainstParts | None:
        """Against the parts measured alone; None for a single, and where a part was not."""
        return _against(subject, self._measured_part, subject.controls)

    def against_predicted(self, subject: Subject) -> AgainstParts | None:
        """Against the parts as predicted, all measured from controls as predicted; None for a single, and without a
        model.

        An error that the model adds to every cell would count once in the combination, and once per part in the sum.
        """
        return _against(subject, self._predicted_part, self._predicted_part(subject.condition.control()))

    def magnitudes(self, subject: Subject) -> np.ndarray:
        """(1 + B + S,) size of a combination's change as a share of the sum of its parts'; parts as measured, else as
        predicted."""
        found = self.against_measured(subject) or self.against_predicted(subject)
        return subject.unscored if found is None else found.magnitudes

    def change_of_wanted(self, subject: Subject) -> np.ndarray:
        """(1 + B + S,) mean log2 change of the goal's genes, those to lower counted negative; genes that the candidate
        targets do not count."""
        targeted = {_symbol(part.name) for part in subject.condition.perturbations}
        used = [(place, sign) for place, sign in self._wanted if self._symbols[place] not in targeted]
        if not used:
            return subject.unscored
        places, signs = (np.array(each) for each in zip(*used, strict=True))
        changes = change(subject.cells, subject.controls)[:, places].astype(np.float64)
        mean: np.ndarray = (changes * signs).mean(axis=1)
        return mean

    def _measured_part(self, part: Condition) -> BootstrapDraws | None:
        key = ("measured", part)
        if key not in self._kept:
            cells = self.reference.single(part)
            self._kept[key] = None if cells is None else self._drawn_part(key, [cells])
        return self._kept[key]

    def _predicted_part(self, part: Condition) -> BootstrapDraws | None:
        key = ("predicted", part)
        if key not in self._kept and self._predicted_alone is not None:
            self._kept[key] = self._drawn_part(key, self._predicted_alone(part))
        return self._kept.get(key)

    def _drawn_part(self, key: tuple[str, Condition], by_seed: Sequence[np.ndarray]) -> BootstrapDraws:
        origin, part = key
        return drawn(by_seed, f"{origin} {part.label}", self.resamples)

    def _drawn_controls(self, controls: np.ndarray) -> BootstrapDraws:
        """The array is kept too, so that no other array can get its id."""
        if id(controls) not in self._controls:
            if len(self._controls) >= MOST_CONTROLS:
                self._controls.clear()
            self._controls[id(controls)] = controls, drawn([controls], CONTROLS, self.resamples)
        return self._controls[id(controls)][1]

    def _place(self, name: str) -> int:
        wanted = _symbol(name)
        if name in self._genes:
            return self._genes.index(name)
        if wanted not in self._symbols:
            raise SettingError(f"{name} is not among the {len(self._genes)} genes of this model. Leave it out.")
        return self._symbols.index(wanted)


def _against(
    subject: Subject, drawn_part: Callable[[Condition], BootstrapDraws | None], controls: BootstrapDraws | None
) -> AgainstParts | None:
    parts = subject.condition.parts
    if len(parts) < 2 or controls is None:
        return None
    found = [drawn_part(part) for part in parts]
    known = [part for part in found if part is not None]
    return AgainstParts([p.label for p in parts], subject.cells, known, controls) if len(known) == len(found) else None


def _symbol(name: str) -> str:
    """The current symbol of a gene, however a perturbation or a table of genes writes it."""
    return (current_symbol(name) or name).casefold()
