"""Cells of a single in a context where it was never measured, from the contexts where it was.

Half of the cells were perturbed in another context and keep their ranks: in every gene such a cell takes the value that
a control cell of this context has at that rank. The other half are control cells of this context. To either is added
what the perturbation does elsewhere at the cell's rank, the difference between perturbed and control cells there,
averaged over those contexts. The former have the correlations of the response, the latter those of the context.

The contexts are weighed as in the synthetic control method (Abadie, Diamond & Hainmueller 2010): at least 0, adding up
to 1, and so that the means of their control cells, weighed, come nearest to the mean of this context's: a lymphocyte
says more of another lymphocyte than of a monocyte. Other weights did worse for singles left out of training
(docs/experiments.md). Genes move with the probability that single.py gives the averaged shift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.models.composed_cells.single import FEWEST_CELLS, Single, moving, shift_and_error, unmoved

MADE = 200
"""The number of cells made for each single and context, once."""
TOGETHER = 1e3
"""The precision with which weights add up to 1, in units of expression."""


@dataclass(frozen=True)
class Elsewhere:
    """A context in which the single was measured, with the controls of that context."""

    cells: Single
    controls: Single
    weight: float


def transferred_singles(training: Cells, control: Condition, seed: int) -> Mapping[Condition, Single]:
    """The singles of other contexts, transferred to the context of ``control``, by measured cells. Singles that the
    context has are omitted."""
    here = training.dense(training.where(control))
    if len(here) < FEWEST_CELLS:
        return {}
    measured_here = {c.perturbations for c in training.conditions if c.control() == control}
    missing: dict[tuple[Perturbation, ...], list[Condition]] = {}
    for condition in training.conditions:
        if len(condition.perturbations) == 1 and condition.perturbations not in measured_here:
            missing.setdefault(condition.perturbations, []).append(condition)
    made = {}
    for number, (perturbations, measured) in enumerate(missing.items()):
        if found := elsewhere(training, here, measured):
            draw = np.random.default_rng([seed, number])
            made[Condition(perturbations, control.covariates)] = transferred(unmoved(here), found, draw)
    return made


def elsewhere(training: Cells, here: np.ndarray, measured: Sequence[Condition]) -> list[Elsewhere]:
    """The conditions ``measured`` that have enough cells and controls; ``here`` (n, G) are this context's controls."""
    found = []
    for condition in measured:
        cells = training.dense(training.where(condition))
        controls = training.dense(training.where(condition.control()))
        if min(len(cells), len(controls)) >= FEWEST_CELLS:
            found.append((unmoved(cells), unmoved(controls)))
    if not found:
        return []
    weights = synthetic(np.stack([controls.cells.mean(axis=0) for _, controls in found]), here.mean(axis=0))
    return [Elsewhere(cells, controls, w) for (cells, controls), w in zip(found, weights.tolist(), strict=True)]


def synthetic(means: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(k,) weights of control means (k, G), at least 0 and adding up to 1, that come nearest to ``target`` (G,)."""
    from scipy.optimize import nnls

    columns = np.vstack([means.T, np.full(len(means), TOGETHER)]).astype(np.float64)
    weights, _ = nnls(columns, np.append(target, TOGETHER).astype(np.float64))
    together: np.ndarray = weights / weights.sum()
    return together


def transferred(here: Single, found: Sequence[Elsewhere], draw: np.random.Generator) -> Single:
    """The single in the context whose controls are ``here``."""
    shifts, errors = zip(*(shift_and_error(one.cells.cells, one.controls.cells) for one in found), strict=True)
    weights = np.array([one.weight for one in found])
    shift, error = weights @ np.stack(shifts), weights**2 @ np.stack(errors)
    moves = moving(shift, error)
    cells = np.stack([_cell(here, found, weights, moves, draw) for _ in range(MADE)])
    return Single(cells, moves, shift.astype(np.float32))


def _cell(
    here: Single, found: Sequence[Elsewhere], weights: np.ndarray, moves: np.ndarray, draw: np.random.Generator
) -> np.ndarray:
    genes = np.arange(len(moves))
    if draw.random() < 0.5:
        source = found[draw.choice(len(found), p=weights)].cells
        ranks = source.ranks(source.drawn(draw), genes, draw)
        unperturbed = here.at(ranks, genes)
    else:
        unperturbed = here.drawn(draw)
        ranks = here.ranks(unperturbed, genes, draw)
    change = sum(
        weight * (one.cells.at(ranks, genes) - one.controls.at(ranks, genes))
        for weight, one in zip(weights, found, strict=True)
    )
    moved = draw.random(len(genes)) < moves
    return np.where(moved, np.maximum(unperturbed + change, 0), unperturbed).astype(np.float32)
