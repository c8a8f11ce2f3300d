"""Cells of a pair that was never measured, composed from its singles.

Adding mean shifts to a cell would turn its exact zeros, most of its genes, into small numbers; so a cell keeps its
ranks instead. A cell of a control or any single of the context has a rank among its fellows in every gene, ties broken
at random. A gene that A moves takes the value with that rank among the cells of A; one that both move takes that of A,
plus the mean shift by B, at least 0; one that only the cell's own single moved takes that of the controls; any other
gene stays. Starting from all singles, and not from the few controls, keeps the error of the controls' mean out of
every pair.

Where measured pairs show that one scales what the other does (scaling.py), what a part does is taken so many times, up
to the highest value that any of these cells has.
"""

from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.models.composed_cells.single import Single


@dataclass(frozen=True)
class Sum:
    """The sum of ``parts``, singles of one context, each ``factors`` times what it does alone, as cells that start from
    the context's ``control`` or any of its singles."""

    condition: Condition
    parts: tuple[Single, ...]
    control: Single
    starts: tuple[Single, ...]
    factors: tuple[float, ...] = (1.0, 1.0)

    def drawn(self, draw: np.random.Generator) -> np.ndarray:
        """(G,) one composed cell."""
        start = self.starts[draw.integers(len(self.starts))]
        cell = start.drawn(draw).copy()
        moved = [draw.random(len(cell)) < one.moves for one in (*self.parts, start)]
        genes = np.flatnonzero(np.logical_or.reduce(moved))
        ranks = start.ranks(cell[genes], genes, draw)
        base = self.control.at(ranks, genes)
        values, taken = base, np.zeros(len(genes), dtype=bool)
        for i in draw.permutation(len(self.parts)):
            part, factor, here = self.parts[i], self.factors[i], moved[i][genes]
            alone = self._scaled(part.at(ranks, genes), base, factor, genes)
            values = np.where(here, np.where(taken, values + factor * part.shift[genes], alone), values)
            taken |= here
        cell[genes] = np.maximum(values, 0)
        return cell

    def _scaled(self, moved: np.ndarray, base: np.ndarray, factor: float, genes: np.ndarray) -> np.ndarray:
        # What is not scaled stays exactly as it was measured, its zeros too.
        if factor == 1.0:
            return moved
        highest = np.max([start.ordered[-1, genes] for start in self.starts], axis=0)
        return np.minimum(base + np.float32(factor) * (moved - base), highest)


def pair_of(one: Condition, other: Condition) -> Condition | None:
    """Both singles together; None for one perturbation at two doses."""
    (a,), (b,) = one.perturbations, other.perturbations
    if a.name == b.name:
        return None
    return Condition(tuple(sorted((a, b), key=lambda part: part.name)), one.covariates)
