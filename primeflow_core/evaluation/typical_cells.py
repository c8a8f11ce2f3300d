"""Typical perturbed cells: what a prediction is worth that knows what perturbed cells are like, and nothing else.

They are the baseline of the calibrated score (calibration.py). Every perturbed training condition of the covariate
group has the same weight. In a group without any, the perturbed cells of the other groups are used, each moved by the
difference of the control means: their mean is the control mean of the group plus the mean shift elsewhere. Where
training saw other cells of the scored condition itself, those are omitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.evaluation.labelled import group_of, parts_of

Group = tuple[str, ...]


@dataclass(frozen=True)
class Moments:
    """Perturbed conditions added up, each with the same weight, as shifts from the control mean of its group.

    ``number``: of conditions. ``shift`` and ``square`` (G,): the sums of their mean shifts and of their mean squared
    shifts. ``per_cell``: the sum of 1 / number of cells.
    """

    number: int
    shift: np.ndarray
    square: np.ndarray
    per_cell: float

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.number + other.number, self.shift + other.shift, self.square + other.square,
            self.per_cell + other.per_cell,
        )  # fmt: skip

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(
            self.number - other.number, self.shift - other.shift, self.square - other.square,
            self.per_cell - other.per_cell,
        )  # fmt: skip


@dataclass(frozen=True)
class TypicalPopulation:
    """Typical perturbed cells of one covariate group. ``mean`` and ``variance`` (G,) are exact, at least 0.

    ``number``: the cells that the mean is worth: a mean over so many independent cells has the same error.
    ``elsewhere``: they are moved cells of other groups. ``sources``: for each condition the rows of its cells, and
    what is added to them.
    """

    mean: np.ndarray
    variance: np.ndarray
    number: int
    elsewhere: bool
    cells: Cells
    sources: Sequence[tuple[np.ndarray, np.ndarray]]

    def draw(self, count: int, seed: int) -> np.ndarray:
        """(count, G) float32, at least 0: as many cells of each condition as of the others, up to one. A cell is
        repeated only where its condition has too few."""
        generator = np.random.default_rng(seed)
        of = generator.permutation(np.arange(count) % len(self.sources))
        drawn = np.empty((count, len(self.mean)), dtype=np.float32)
        for i in np.unique(of).tolist():
            here = np.flatnonzero(of == i)
            rows, move = self.sources[i]
            chosen = generator.choice(rows, len(here), replace=len(here) > len(rows))
            drawn[here] = self.cells.dense(chosen) + move.astype(np.float32)
        return np.maximum(drawn, 0, out=drawn)


@dataclass(frozen=True)
class PerturbedTraining:
    """The perturbed training cells, for ``typical`` of any condition. ``training`` holds training cells only."""

    training: Cells
    _kept: dict[Group, Moments] = field(default_factory=dict, init=False, repr=False)

    def typical(self, parts: Sequence[str], group: Group) -> TypicalPopulation | None:
        """Of the condition with these perturbations (labels, sorted) in this group.

        None where the group has no other perturbed training cells, and none can be moved to it: no controls in the
        group, or no other group with perturbed cells and controls.
        """
        own = next(
            (i for i in self._perturbed.get(group, ()) if parts_of(self.training.conditions[i]) == tuple(parts)), None
        )
        here = [i for i in self._perturbed.get(group, ()) if i != own]
        if here:
            moments = self._moments(group)
            moments = moments if own is None else moments - self._moments_of(own)
            return self._population(moments, here, group, elsewhere=False)
        groups = [other for other in self._perturbed if other != group and other in self._controls]
        if not groups or group not in self._controls:
            return None
        together = self._moments(groups[0])
        for other in groups[1:]:
            together += self._moments(other)
        there = [i for other in groups for i in self._perturbed[other]]
        return self._population(together, there, group, elsewhere=True)

    def _population(
        self, moments: Moments, conditions: Sequence[int], group: Group, *, elsewhere: bool
    ) -> TypicalPopulation:
        shift = moments.shift / moments.number
        variance = np.maximum(moments.square / moments.number - shift**2, 0)
        mean = np.maximum(self._origin(group) + shift, 0)
        worth = max(round(moments.number**2 / moments.per_cell), 1)
        sources = [(self._rows[i], self._origin(group) - self._origin(self._group(i))) for i in conditions]
        return TypicalPopulation(mean, variance, worth, elsewhere, self.training, sources)

    def _moments(self, group: Group) -> Moments:
        if group not in self._kept:
            first, *others = self._perturbed[group]
            together = self._moments_of(first)
            for i in others:
                together += self._moments_of(i)
            self._kept[group] = together
        return self._kept[group]

    def _moments_of(self, i: int) -> Moments:
        shifts = self.training.dense(self._rows[i]) - self._origin(self._group(i))
        return Moments(1, shifts.mean(axis=0), np.square(shifts).mean(axis=0), 1 / len(shifts))

    def _origin(self, group: Group) -> np.ndarray:
        """(G,) the control mean of the group; 0 for a group without controls."""
        return self._controls.get(group, np.zeros(len(self.training.genes)))

    def _group(self, i: int) -> Group:
        return group_of(self.training.conditions[i])

    @cached_property
    def _rows(self) -> Mapping[int, np.ndarray]:
        order = np.argsort(self.training.condition_of, kind="stable")
        found, first = np.unique(self.training.condition_of[order], return_index=True)
        return dict(zip(found.tolist(), np.split(order, first[1:]), strict=True))

    @cached_property
    def _perturbed(self) -> Mapping[Group, Sequence[int]]:
        found: dict[Group, list[int]] = {}
        for i in self._rows:
            if not self.training.conditions[i].is_control:
                found.setdefault(self._group(i), []).append(i)
        return found

    @cached_property
    def _controls(self) -> Mapping[Group, np.ndarray]:
        return {
            self._group(i): self.training.dense(rows).mean(axis=0, dtype=np.float64)
            for i, rows in self._rows.items()
            if self.training.conditions[i].is_control
        }
