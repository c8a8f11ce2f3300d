"""A combination against the sum of its parts' single effects: how much of it, in which direction, of what kind.

Magnitude, direction and the coefficients of Norman et al. (2019) are free of the bias of noise (effect_products.py):
plain norms put the additive pairs of the simulated screen at 0.86 of their sum, these put them at 1.01.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from primeflow_core.errors import DataError
from primeflow_core.evaluation.bootstrap import COVERAGE
from primeflow_core.evaluation.effect_products import Measures, drawn_products, measures, unbiased_products

RESAMPLES = 200
FEWEST_CELLS = 4
COUNTED = {2: "two", 3: "three"}
SUPPRESSIVE_BELOW, SYNERGISTIC_ABOVE = 0.85, 1.15
LEAST_DIRECTION = 0.5
ALIKE = 0.9
AS_THE_STRONGEST = (0.75, 1.25)
AS_ALONE = (0.5, 1.5)
HIDING = 3.0
OF_NOTE = 0.3
LEAST_SHARE = 2 / 3


class InteractionKind(StrEnum):
    """What a combination does; the first rule that holds.

    epistatic: one part hides the others. Its coefficient is 0.5 to 1.5 and at least 3 times that of each other part,
    though each has an effect of its own, 0.3 of the hiding part's or more; and the parts are not alike (cosine 0.9).
    different: direction below 0.5, the sum does not describe it.
    redundant: the parts are alike, and together do 0.75 to 1.25 times what the strongest does, while the magnitude is
    below 0.85.
    suppressive, additive, synergistic: magnitude below 0.85, from there to 1.15, above.
    unclear: the sum is no larger than its noise, or fewer than two thirds of the resamples fall under the same
    rule.
    """

    ADDITIVE = "additive"
    SYNERGISTIC = "synergistic"
    SUPPRESSIVE = "suppressive"
    EPISTATIC = "epistatic"
    REDUNDANT = "redundant"
    DIFFERENT = "different"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval over cells; NaN where effects are no larger than their noise."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Interaction:
    """``magnitude``, ``direction`` and ``coefficients`` have no unit; the last belong to ``parts``, NaN where a part
    does nothing alone.

    ``share``: of the resamples, how many fall under the same rule. ``explained``: the share of the combination's
    squared effect that the coefficients account for, 0 to 1. ``dominant``: the part of the largest coefficient.
    """

    parts: tuple[str, ...]
    kind: InteractionKind
    share: float
    magnitude: Estimate
    direction: Estimate
    coefficients: tuple[float, ...]
    explained: float
    dominant: str

    @property
    def dominance(self) -> float:
        """|log10| of the ratio of the two largest coefficients: 0 for equal parts, 1 for ten to one."""
        first, second = sorted(np.nan_to_num(np.abs(self.coefficients)), reverse=True)[:2]
        return float(np.log10(first / second)) if second > 0 else float("inf")

    @property
    def sentence(self) -> str:
        number = COUNTED[len(self.parts)]
        if not np.isfinite(self.magnitude.value):
            return f"What the {number} do alone adds up to no more than the noise of these cells: unclear."
        return f"The {number} together do {self.magnitude} of what their single effects add up to: {self._verdict}."

    @property
    def _verdict(self) -> str:
        others = " and ".join(part for part in self.parts if part != self.dominant)
        said = {
            InteractionKind.EPISTATIC: f"epistatic, {self.dominant} hides {others}",
            InteractionKind.REDUNDANT: "redundant, each does the same alone",
            InteractionKind.DIFFERENT: f"different, genes change in other proportions (cosine {self.direction})",
            InteractionKind.UNCLEAR: "unclear, other cells could say otherwise",
        }
        return said.get(self.kind, str(self.kind))

    def summary(self) -> dict[str, str | float]:
        """The values of one combination as a row of a table."""
        return {
            "interaction": str(self.kind),
            "share": self.share,
            "magnitude": self.magnitude.value,
            "magnitude_low": self.magnitude.low,
            "magnitude_high": self.magnitude.high,
            "direction": self.direction.value,
            "direction_low": self.direction.low,
            "direction_high": self.direction.high,
            "dominance": self.dominance,
            "explained": self.explained,
        }


def interaction(
    parts: Sequence[str],
    combination: np.ndarray,
    singles: Sequence[np.ndarray],
    controls: np.ndarray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interaction:
    """Log-normalised cells of the combination (n, G), of each of its 2 or 3 ``parts`` alone (m, G), and the control
    cells (k, G) that all of them are compared with.

    Intervals are percentiles over bootstrap samples of cells. The noise of the sets must be their own: cells predicted
    from the same seed share it, so give each set a seed. Raises DataError for fewer than 4 cells of a set, for
    other numbers of genes, or where singles and parts are not as many.
    """
    _check(parts, combination, singles, controls)
    sets = (combination, *singles)
    found = measures(unbiased_products(sets, controls))
    drawn = measures(drawn_products(sets, controls, resamples, np.random.default_rng(seed)))
    return judged(parts, found, drawn)


def judged(parts: Sequence[str], found: Measures, drawn: Measures) -> Interaction:
    """The interaction of a combination of ``parts``, from its measures, (), and those of its resamples, (B,)."""
    share = float(np.mean(_kinds(drawn) == _kinds(found)))
    clear = bool(found.sum_square > 0 and np.quantile(drawn.sum_square, (1 - COVERAGE) / 2) > 0)
    return Interaction(
        tuple(parts),
        InteractionKind(str(_kinds(found))) if clear and share >= LEAST_SHARE else InteractionKind.UNCLEAR,
        share,
        _estimate(found.magnitude, drawn.magnitude, clear),
        _estimate(found.direction, drawn.direction, clear),
        tuple(found.coefficients.tolist()),
        float(found.explained),
        parts[int(np.argmax(np.nan_to_num(np.abs(found.coefficients))))],
    )


def _check(parts: Sequence[str], combination: np.ndarray, singles: Sequence[np.ndarray], controls: np.ndarray) -> None:
    if len(parts) not in COUNTED or len(singles) != len(parts):
        raise DataError(
            f"There are {len(parts)} parts, and cells of {len(singles)} alone. A combination has 2 or 3 parts; give "
            "cells of each part alone."
        )
    names = ("the combination", *(f"{part} alone" for part in parts), "the controls")
    for name, cells in zip(names, (combination, *singles, controls), strict=True):
        if cells.ndim != 2 or cells.shape[1:] != combination.shape[1:]:
            raise DataError(f"The cells of {name} have shape {cells.shape}; expected the genes of the combination.")
        if len(cells) < FEWEST_CELLS:
            raise DataError(f"There are {len(cells)} cells of {name}; an interaction needs {FEWEST_CELLS} at least.")


def _kinds(found: Measures) -> np.ndarray:
    """(...) names of Kind."""
    alike = found.least_cosine >= ALIKE
    as_one = _within(found.size / found.sizes.max(axis=-1), AS_THE_STRONGEST)
    rules = {
        InteractionKind.EPISTATIC: ~alike & _one_hides(found.coefficients, found.sizes),
        InteractionKind.DIFFERENT: found.direction < LEAST_DIRECTION,
        InteractionKind.REDUNDANT: alike & as_one & (found.magnitude < SUPPRESSIVE_BELOW),
        InteractionKind.SUPPRESSIVE: found.magnitude < SUPPRESSIVE_BELOW,
        InteractionKind.SYNERGISTIC: found.magnitude > SYNERGISTIC_ABOVE,
        InteractionKind.ADDITIVE: np.isfinite(found.magnitude),
    }
    return np.select(list(rules.values()), [str(kind) for kind in rules], str(InteractionKind.UNCLEAR))


def _one_hides(coefficients: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(..., parts) coefficients and sizes of the single effects to (...)."""
    order = np.argsort(-np.abs(coefficients), axis=-1)
    weight, size = (np.take_along_axis(each, order, axis=-1) for each in (coefficients, sizes))
    hides = _within(weight[..., 0], AS_ALONE) & (weight[..., 0] >= HIDING * np.abs(weight[..., 1]))
    with_effect: np.ndarray = size[..., 1:].min(axis=-1) >= OF_NOTE * size[..., 0]
    return hides & with_effect


def _within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (values >= limits[0]) & (values <= limits[1])


def _estimate(value: np.ndarray, drawn: np.ndarray, clear: bool) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    if not clear or not np.isfinite(value) or not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Estimate(float(value), float(low), float(high))
