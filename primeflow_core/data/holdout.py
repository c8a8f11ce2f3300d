"""What a training without a split file keeps aside, so that the model can be checked against cells it never saw.

Whole conditions, where the model can be asked for one that it never saw: each of its perturbations stays in training,
alone, in another combination, in another context or at a higher dose. Combinations go first, as in PerturBench, then
perturbations in one of several contexts. Otherwise a share of the cells of conditions that training does see.
"""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import LEFT_OUT, TEST, TRAIN, VAL
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError

FEWEST_CELLS = 8
"""Measured cells of a condition that is checked: its ceiling compares one half with the other."""
FEWEST_CONTROLS = 16
"""Controls of its context, for training, choosing and checking."""
SHARE_OF_CONDITIONS, SHARE_OF_CELLS = 0.3, 0.15
MOST_CONDITIONS = 12
CHOSEN = "a split that suits the cells"
"""The source of the split, for messages and provenance."""
MOST_VALUES = 100_000_000
MOST_CELLS: Mapping[str, int] = {TRAIN: 20_000, VAL: 400, TEST: 2_000}


class HoldoutKind(StrEnum):
    """The kind of conditions or cells that are held out."""

    CONDITIONS = "whole conditions"
    CELLS = "a share of the cells"


@dataclass(frozen=True)
class Holdout:
    """A split that holds out ``checked`` conditions, or cells of them; some of them also choose the best weights."""

    kind: HoldoutKind
    split: Split
    checked: tuple[Condition, ...]

    @property
    def sentence(self) -> str:
        """For instance ``Held out: 2 conditions that training never sees: A+B (k562), A+C (k562).``"""
        names = [f"{c.label} ({c.context})" if c.context else c.label for c in self.checked]
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        count = f"{len(names)} condition{'' if len(names) == 1 else 's'}"
        if self.kind is HoldoutKind.CONDITIONS:
            return f"Held out: {count} that training never sees: {listed}."
        return (
            f"Held out: a share of the cells of {count}: {listed}. Training sees the conditions themselves, so the "
            "check tells whether the model fits them, not whether it predicts new ones."
        )


def hold_out(cells: Cells, kind: HoldoutKind | None = None, seed: int = 0, *, every_cell: bool = False) -> Holdout:
    """Hold something out of ``cells``, drawn by ``seed``; ``kind`` None: conditions where that can be.

    Of large files only so many cells as a short training and its check can use take part, evenly over conditions;
    with ``every_cell`` all of them.
    Raises DataError where too few cells are left to check anything, or to hold out conditions as asked.
    """
    draw = np.random.default_rng(seed)
    perturbed, rows_of = _checkable(cells)
    held = _held_conditions(cells, perturbed, draw) if kind is not HoldoutKind.CELLS else []
    if not held and kind is HoldoutKind.CONDITIONS:
        raise DataError(
            f"{cells.source} has no condition that a model could be asked for without having seen it. Hold out a share "
            "of the cells instead."
        )
    chosen = HoldoutKind.CONDITIONS if held else HoldoutKind.CELLS
    checked = held or _largest(perturbed, rows_of)
    if not checked:
        raise DataError(
            f"{cells.source} has too few cells to check a model with: it takes {FEWEST_CONTROLS} control cells and "
            f"{3 * FEWEST_CELLS} cells of a perturbation in one context. Add cells, or name the control label."
        )
    parts = _parts(cells, rows_of, dict.fromkeys(checked[::2], TEST) | dict.fromkeys(checked[1::2], VAL), chosen, draw)
    kept = parts if every_cell else _thinned(cells, parts, draw)
    return Holdout(chosen, Split(cells.names, kept.astype(str)), tuple(checked))


def _checkable(cells: Cells) -> tuple[list[Condition], dict[Condition, np.ndarray]]:
    """Perturbed conditions with cells and controls enough to be scored, and the rows of every condition."""
    order = np.argsort(cells.condition_of, kind="stable")
    counts = np.bincount(cells.condition_of, minlength=len(cells.conditions))
    rows_of = dict(zip(cells.conditions, np.split(order, np.cumsum(counts)[:-1]), strict=True))
    perturbed = [
        condition
        for condition, rows in rows_of.items()
        if not condition.is_control
        and len(rows) >= FEWEST_CELLS
        and len(rows_of.get(condition.control(), ())) >= FEWEST_CONTROLS
    ]
    return perturbed, rows_of


def _held_conditions(cells: Cells, perturbed: Sequence[Condition], draw: np.random.Generator) -> list[Condition]:
    """Conditions to hold out; none of fewer than three, which training needs itself."""
    combined = [condition for condition in perturbed if len(condition.perturbations) > 1]
    met = _Met(condition for condition in cells.conditions if not condition.is_control)
    pool = [condition for condition in combined or perturbed if met.can_spare([condition])]
    if len(perturbed) < 3 or not pool:
        return []
    known = set(cells.conditions)
    shuffled = [pool[i] for i in draw.permutation(len(pool))]
    shuffled.sort(key=lambda condition: not all(part in known for part in condition.parts))
    held: list[Condition] = []
    wanted = min(MOST_CONDITIONS, max(1, round(SHARE_OF_CONDITIONS * len(pool))))
    for condition in shuffled:
        if len(held) < wanted and met.can_spare([*held, condition]):
            held.append(condition)
    return held


class _Met:
    """How many conditions contain each perturbation, at each dose."""

    def __init__(self, conditions: Iterator[Condition]) -> None:
        self._doses: dict[str, Counter[float]] = defaultdict(Counter)
        for name, dose in _named(conditions):
            self._doses[name][dose] += 1

    def can_spare(self, conditions: Sequence[Condition]) -> bool:
        """Whether the others still name each perturbation of ``conditions``, at its dose or a higher one."""
        spared = Counter(_named(conditions))
        return all(
            any(count > spared[name, at] for at, count in self._doses[name].items() if at >= dose)
            for name, dose in spared
        )


def _named(conditions: Iterator[Condition] | Sequence[Condition]) -> Iterator[tuple[str, float]]:
    return ((part.name, part.dose or 0.0) for condition in conditions for part in condition.perturbations)


def _largest(perturbed: Sequence[Condition], rows_of: Mapping[Condition, np.ndarray]) -> list[Condition]:
    """Conditions that can give cells away, those with most cells first."""
    ample = [condition for condition in perturbed if len(rows_of[condition]) >= 3 * FEWEST_CELLS]
    return sorted(ample, key=lambda condition: -len(rows_of[condition]))[:MOST_CONDITIONS]


def _parts(
    cells: Cells,
    rows_of: Mapping[Condition, np.ndarray],
    part_of: Mapping[Condition, str],
    kind: HoldoutKind,
    draw: np.random.Generator,
) -> np.ndarray:
    """(N,) the part of each cell. Controls are divided in each context: half to training, a quarter to either check."""
    parts = np.full(len(cells), TRAIN, dtype=object)
    for condition, rows in rows_of.items():
        shuffled = draw.permutation(rows)
        if condition.is_control:
            _give(parts, shuffled, len(rows) // 4)
        elif condition in part_of and kind is HoldoutKind.CONDITIONS:
            parts[rows] = part_of[condition]
        elif condition in part_of:
            _give(parts, shuffled, max(FEWEST_CELLS, round(SHARE_OF_CELLS * len(rows))))
    return parts


def _give(parts: np.ndarray, rows: np.ndarray, count: int) -> None:
    """The first ``count`` of ``rows`` to validation, as many to test."""
    parts[rows[:count]], parts[rows[count : 2 * count]] = VAL, TEST


def _thinned(cells: Cells, parts: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Leave out what is beyond the most cells of each part, from the conditions that have most of them."""
    thinned = parts.copy()
    for part, most in MOST_CELLS.items():
        rows = draw.permutation(np.flatnonzero(parts == part))
        counts = np.bincount(cells.condition_of[rows], minlength=len(cells.conditions))
        share = _even_share(counts, min(most, MOST_VALUES // len(cells.genes)))
        for i in np.flatnonzero(counts > share):
            thinned[rows[cells.condition_of[rows] == i][share:]] = LEFT_OUT
    return thinned


def _even_share(counts: np.ndarray, most: int) -> int:
    """How many of each may stay so that at most ``most`` stay in all, or one of each."""
    return max(1, bisect.bisect_right(range(1, int(counts.max()) + 1), most, key=lambda k: np.minimum(counts, k).sum()))
