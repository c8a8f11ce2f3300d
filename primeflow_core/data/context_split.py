"""Splits for small designs: one perturbation in several contexts, and a share of the cells of every condition.

PerturBench's rules (splits.py) need many held-out conditions, half for validation and half for test. One drug in five
donors, or single perturbations in one cell line, have too few.
"""

import random
from collections.abc import Sequence

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TEST, TRAIN, VAL
from primeflow_core.data.splits import Split, TooFewConditionsError, transfer_split
from primeflow_core.errors import DataError

CONTEXTS_FOR_VALIDATION = 4
"""From so many contexts on, one more is held out to choose the weights by."""
TEST_SHARE, VAL_SHARE = 0.2, 0.1
FEWEST_CELLS = 8
"""Cells that a part must get of a condition; a smaller condition stays in training."""


def transfer(cells: Cells, seed: int, fraction: float, context: str | None = None) -> Split:
    """PerturBench's covariate transfer; where the cells have too few conditions for it, or ``context`` names one,
    what was perturbed in one context is held out there and learned from the others.

    Raises DataError where no perturbation was measured in two contexts that have control cells.
    """
    if context is not None:
        return _held_out_in(cells, _named_context(cells, context), seed)
    try:
        return transfer_split(cells, seed, fraction)
    except TooFewConditionsError:
        contexts = transferable_contexts(cells.conditions)
        if not contexts:
            raise DataError(
                f"{cells.source} has no perturbation in two contexts with control cells: nothing can be transferred. "
                "--covariates names the columns that tell contexts apart; `primeflow check` lists the other tasks."
            ) from None
        return _held_out_in(cells, random.Random(seed).choice(contexts), seed)


def transferable_contexts(conditions: Sequence[Condition]) -> tuple[str, ...]:
    """Contexts with control cells in which something was perturbed that another such context has too."""
    controlled = {condition.context for condition in conditions if condition.is_control}
    perturbed = [c for c in conditions if not c.is_control and c.context in controlled]
    contexts = dict.fromkeys(condition.context for condition in perturbed)
    return tuple(one for one in contexts if _shared(perturbed, one))


def _shared(perturbed: Sequence[Condition], context: str) -> list[Condition]:
    """Conditions of a context whose perturbations were measured in another one too."""
    elsewhere = {condition.perturbations for condition in perturbed if condition.context != context}
    return [c for c in perturbed if c.context == context and c.perturbations in elsewhere]


def _named_context(cells: Cells, name: str) -> str:
    contexts = transferable_contexts(cells.conditions)
    if name not in contexts:
        listed = ", ".join(contexts) or "none"
        raise DataError(f"Nothing can be held out in the context {name!r} of {cells.source}. It can in: {listed}.")
    return name


def _held_out_in(cells: Cells, context: str, seed: int) -> Split:
    """Test in one context. Validation in the next one where there are enough, else on a share of training cells."""
    contexts = transferable_contexts(cells.conditions)
    perturbed = [condition for condition in cells.conditions if not condition.is_control]
    part_of = dict.fromkeys(_shared(perturbed, context), TEST)
    left = [condition for condition in perturbed if condition not in part_of]
    if len(contexts) >= CONTEXTS_FOR_VALIDATION:
        following = contexts[(contexts.index(context) + 1) % len(contexts)]
        part_of |= dict.fromkeys(_shared(left, following), VAL)
    return _divided(cells, part_of, seed, of_cells={} if VAL in part_of.values() else {VAL: VAL_SHARE})


def cells_split(cells: Cells, seed: int = 42, fraction: float = TEST_SHARE) -> Split:
    """Hold out ``fraction`` of the cells of every condition for test and half as many for validation.

    Training sees every condition: a model is then checked on how well it fits them, not on predicting new ones.
    Raises DataError where no condition has cells enough.
    """
    shares = {TEST: fraction, VAL: fraction / 2}
    counts = np.bincount(cells.condition_of, minlength=len(cells.conditions)).tolist()
    perturbed = [n for condition, n in zip(cells.conditions, counts, strict=True) if not condition.is_control]
    if not any(_enough(count, shares) for count in perturbed):
        raise DataError(
            f"{cells.source} has no condition with cells enough: each part takes {FEWEST_CELLS}. Add cells, or raise "
            "--fraction."
        )
    return _divided(cells, {}, seed, of_cells=shares)


def _enough(count: int, shares: dict[str, float]) -> bool:
    """Whether each share, and what is left for training, has the fewest cells."""
    return all(share * count >= FEWEST_CELLS for share in (*shares.values(), 1 - sum(shares.values())))


def _divided(cells: Cells, part_of: dict[Condition, str], seed: int, of_cells: dict[str, float]) -> Split:
    """Whole conditions by ``part_of``, shares of the cells of the others, and the controls of each context: half to
    training, a quarter each to validation and test."""
    draw = np.random.default_rng(seed)
    parts = np.full(len(cells), TRAIN, dtype=object)
    for i, condition in enumerate(cells.conditions):
        rows = draw.permutation(np.flatnonzero(cells.condition_of == i))
        if condition.is_control:
            _give(parts, rows, {VAL: 0.25, TEST: 0.25})
        elif condition in part_of:
            parts[rows] = part_of[condition]
        elif of_cells and _enough(len(rows), of_cells):
            _give(parts, rows, of_cells)
    return Split(cells.names, parts.astype(str))


def _give(parts: np.ndarray, rows: np.ndarray, shares: dict[str, float]) -> None:
    start = 0
    for part, share in shares.items():
        count = int(share * len(rows))
        parts[rows[start : start + count]] = part
        start += count
