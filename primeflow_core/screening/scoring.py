"""The score of a candidate by a goal, with its bootstrap replicates and its value for each noise seed.

Lengths, and shares of lengths, are free of noise (evaluation.effect_products); where noise would make a square negative
a length is 0. Distances are unbiased energy distances. The cosine of the log2 changes is plain, as evaluation.profiles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.data.gene_names import current_symbol
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.bootstrap import mean_between, mean_within
from primeflow_core.evaluation.distances import centre, cloud
from primeflow_core.evaluation.interaction import FEWEST_CELLS
from primeflow_core.screening.bootstrap_draws import (
    CANDIDATE,
    CONTROLS,
    TARGET,
    TARGET_CONTROLS,
    BootstrapDraws,
    change,
    drawn,
    shares,
    with_seeds,
)
from primeflow_core.screening.effect_products import AgainstParts, sizes
from primeflow_core.screening.goal import OF_COMBINATIONS, TOWARDS, Goal, GoalKind
from primeflow_core.screening.reference_cells import Reference

MOST_CONTROLS = 32
Alone = Callable[[Condition], Sequence[np.ndarray]]
"""Cells (n, G) of each noise seed of one perturbation alone, or of none, as the model predicts them."""


@dataclass(frozen=True)
class GoalScore:
    """``replicates`` (resamples,) float32; all NaN where there is no score."""

    score: float
    replicates: np.ndarray
    by_seed: tuple[float, ...]


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
        """``predicted_alone`` gives cells of parts and controls; without it a combination with a part that was not
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
        self._target = _Target(reference, resamples) if goal.kind in TOWARDS else None
        self._kept: dict[tuple[str, Condition], BootstrapDraws | None] = {}
        self._controls: dict[int, tuple[np.ndarray, BootstrapDraws]] = {}

    def score(self, condition: Condition, by_seed: Sequence[np.ndarray], controls: np.ndarray) -> GoalScore:
        """Cells (n, G) of each noise seed, measured cells as one entry, with effects measured from ``controls`` (k, G).

        Raises DataError for no cells, or another number of genes.
        """
        return self.scored(self.subject(condition, by_seed, controls))

    def subject(self, condition: Condition, by_seed: Sequence[np.ndarray], controls: np.ndarray) -> Subject:
        """Drawn once for all that is asked of it. Raises as ``score``."""
        for cells in (*by_seed, controls):
            if cells.ndim != 2 or cells.shape[1] != len(self._genes) or not len(cells):
                raise DataError(
                    f"The cells of {condition.label} have shape {cells.shape}; expected {len(self._genes)} genes."
                )
        return Subject(
            condition, tuple(by_seed), drawn(by_seed, CANDIDATE, self.resamples), self._drawn_controls(controls)
        )

    def scored(self, subject: Subject) -> GoalScore:
        rows = self._rows(subject)
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

        What the model adds to any cell would stand once in the combination, and in the sum as often as it has parts.
        """
        return _against(subject, self._predicted_part, self._predicted_part(subject.condition.control()))

    def _rows(self, subject: Subject) -> np.ndarray:
        """(1 + B + S,) scores."""
        if self.goal.kind in OF_COMBINATIONS:
            return self._magnitudes(subject)
        if self.goal.kind is GoalKind.EFFECT:
            return sizes(subject.cells, subject.controls)
        if self._target is not None:
            towards = self._target.distances if self.goal.kind is GoalKind.TARGET else self._target.cosines
            return towards(subject)
        return self._change_of_wanted(subject)

    def _magnitudes(self, subject: Subject) -> np.ndarray:
        found = self.against_measured(subject) or self.against_predicted(subject)
        return subject.unscored if found is None else found.magnitudes

    def _change_of_wanted(self, subject: Subject) -> np.ndarray:
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
        """Kept with the array itself, so that no other can have its id."""
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


class _Target:
    """Measured cells to come near to, and their change against their own controls."""

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


def _against(
    subject: Subject, drawn_part: Callable[[Condition], BootstrapDraws | None], controls: BootstrapDraws | None
) -> AgainstParts | None:
    parts = subject.condition.parts
    if len(parts) < 2 or controls is None:
        return None
    found = [drawn_part(part) for part in parts]
    known = [part for part in found if part is not None]
    return AgainstParts([p.label for p in parts], subject.cells, known, controls) if len(known) == len(found) else None


def _beside(rows: np.ndarray, subject: Subject) -> np.ndarray:
    """(1 + B, ...) of the target to (1 + B + S, ...): all of it beside each seed."""
    return with_seeds(rows[: 1 + subject.replicates], subject.seeds)


def _symbol(name: str) -> str:
    """One name for a gene, however a perturbation or a table of genes writes it."""
    return (current_symbol(name) or name).casefold()
