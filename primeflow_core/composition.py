"""Training cells for pairs that were never measured: measured cells, moved gene by gene to where both singles put them.

A sum of single effects is hard to beat on an unseen pair, and a network does not add by itself. So a share of each
batch shows it such sums, with the condition A+B. Adding mean shifts to a cell would turn its exact zeros, most of its
genes, into small numbers; so a cell keeps its ranks instead. A cell of a control or any single of the context has a
rank among its fellows in every gene, ties broken at random. A gene that A moves takes the value with that rank among
the cells of A; one that both move takes that of A, plus the mean shift by B, at least 0; one that only the cell's own
single moved takes that of the controls; any other gene stays. Starting from all singles, and not from the few controls,
keeps the error of the controls' mean out of every pair.

Whether a single moves a gene is uncertain, since a shift measured on few cells is mostly noise, and noise adds up. It
is taken to move the gene with probability max(0, 1 - (k / t)^2), t being Welch's: in the mean the shift is shrunk by
that factor, the non-negative garrote (Breiman 1995). k = 1 and the cells to start from were chosen by how well singles
are composed for cells left out of training (docs/experiments.md). Pairs that training holds are never composed: their
cells say what really happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from primeflow_core.cells import Cells
from primeflow_core.conditions import Condition

THRESHOLD = 1.0
FEWEST_CELLS = 4


@dataclass(frozen=True)
class Measured:
    """``cells`` (n, G) of one condition, and ``moves`` (G,): how probably it moves each gene by its ``shift`` (G,)."""

    cells: np.ndarray
    moves: np.ndarray
    shift: np.ndarray

    @cached_property
    def ordered(self) -> np.ndarray:
        return np.sort(self.cells, axis=0)

    def ranks(self, values: np.ndarray, genes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """In [0, 1), of one cell's ``values`` (g,) in ``genes`` (g,) among these cells; ties at random."""
        among = self.cells[:, genes]
        below, equal = (among < values).sum(axis=0), (among == values).sum(axis=0)
        return np.minimum((below + draw.random(len(genes)) * equal) / len(among), np.nextafter(1, 0))

    def at(self, ranks: np.ndarray, genes: np.ndarray) -> np.ndarray:
        """Values (g,) with ``ranks`` (g,) in ``genes`` (g,)."""
        return self.ordered[(ranks * len(self.cells)).astype(int), genes]


@dataclass(frozen=True)
class Sum:
    """The sum of ``parts``, singles of one context, as cells that start from its ``control`` or any of its singles."""

    condition: Condition
    parts: tuple[Measured, ...]
    control: Measured
    starts: tuple[Measured, ...]

    def cell(self, draw: np.random.Generator) -> np.ndarray:
        """(G,) one composed cell."""
        start = self.starts[draw.integers(len(self.starts))]
        cell: np.ndarray = start.cells[draw.integers(len(start.cells))].copy()
        moved = [draw.random(len(cell)) < one.moves for one in (*self.parts, start)]
        genes = np.flatnonzero(np.logical_or.reduce(moved))
        ranks = start.ranks(cell[genes], genes, draw)
        values, taken = self.control.at(ranks, genes), np.zeros(len(genes), dtype=bool)
        for i in draw.permutation(len(self.parts)):
            part, here = self.parts[i], moved[i][genes]
            values = np.where(here, np.where(taken, values + part.shift[genes], part.at(ranks, genes)), values)
            taken |= here
        cell[genes] = np.maximum(values, 0)
        return cell


@dataclass(frozen=True)
class Composer:
    """All ``pairs`` that can be composed."""

    pairs: tuple[Sum, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    def draw(self, count: int, draw: np.random.Generator) -> tuple[np.ndarray, list[Condition]]:
        """(count, G) float32 composed cells, at least 0, and the condition of each."""
        chosen = [self.pairs[i] for i in draw.integers(len(self.pairs), size=count)]
        return np.stack([pair.cell(draw) for pair in chosen]), [pair.condition for pair in chosen]


def composer(training: Cells) -> Composer:
    """All pairs of singles of one context that ``training`` does not hold; needs controls of the context.

    Singles with fewer than 4 cells are left out, and pairs of one perturbation with itself at another dose.
    """
    known = set(training.conditions)
    pairs = []
    for control in (condition for condition in training.conditions if condition.is_control):
        singles = measured_singles(training, control)
        controls = unmoved(training.dense(training.where(control)))
        starts = (controls, *singles.values())
        for (a, one), (b, other) in combinations(singles.items(), 2):
            pair = _pair(a, b)
            if pair is not None and pair not in known:
                pairs.append(Sum(pair, (one, other), controls, starts))
    return Composer(tuple(pairs))


def measured_singles(training: Cells, control: Condition) -> Mapping[Condition, Measured]:
    """Single perturbations in the context of ``control`` with enough cells."""
    controls = training.dense(training.where(control))
    singles = [c for c in training.conditions if len(c.perturbations) == 1 and c.control() == control]
    cells = {single: training.dense(training.where(single)) for single in singles}
    return {
        single: measured(own, controls) for single, own in cells.items() if min(len(own), len(controls)) >= FEWEST_CELLS
    }


def unmoved(controls: np.ndarray) -> Measured:
    """Control cells (k, G): they move no gene."""
    nothing = np.zeros(controls.shape[1], dtype=np.float32)
    return Measured(controls, nothing, nothing)


def measured(cells: np.ndarray, controls: np.ndarray) -> Measured:
    """What ``cells`` (n, G) show of their condition beside ``controls`` (k, G)."""
    shift = cells.mean(axis=0, dtype=np.float64) - controls.mean(axis=0, dtype=np.float64)
    error = cells.var(axis=0, ddof=1, dtype=np.float64) / len(cells)
    error += controls.var(axis=0, ddof=1, dtype=np.float64) / len(controls)
    noise, size = THRESHOLD**2 * error, shift**2
    moves = np.divide(size - noise, size, out=np.zeros_like(size), where=size > noise)
    return Measured(cells, moves, shift.astype(np.float32))


def _pair(one: Condition, other: Condition) -> Condition | None:
    """Both singles together; None for one perturbation at two doses."""
    (a,), (b,) = one.perturbations, other.perturbations
    if a.name == b.name:
        return None
    return Condition(tuple(sorted((a, b), key=lambda part: part.name)), one.covariates)
