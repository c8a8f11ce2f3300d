"""Ridge regression of mean shifts on the parts of a condition, in closed form.

Columns: one for each part, weighing sqrt(1 - r), shared by all contexts, and one for each part in each context,
weighing sqrt(r); no intercept, so a combination is the sum of its parts. A part at another dose is another part: no
shape of the dose response is assumed. With X these columns, w the number of cells and Y the mean shifts (n, G), the
coefficients minimise sum_i w_i |y_i - x_i B|^2 + penalty |B|^2, solved in the dual by the kernel

    X X' = (parts in common) * (1 - r + r [same context])

so neither the columns nor B are ever built. The penalty (in cells: a single with so many cells and no relative is
shrunk by half) and the context share r are those with the smallest error of leave-one-condition-out, which has a closed
form too: with A = (sqrt(w) X X' sqrt(w) + penalty)^-1, the residual of a condition left out is (A sqrt(w) Y)_i / A_ii.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.errors import ConditionError

PENALTIES = (1e-6, 1e-3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4)
CONTEXT_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
TIE = 1e-9
"""Errors that differ by less than this share of the error of predicting no shift at all are equal."""


@dataclass(frozen=True)
class RidgeFit:
    """``conditions`` (n,) that were fitted, their ``dual`` coefficients (n, G), and what was chosen."""

    conditions: tuple[Condition, ...]
    dual: np.ndarray
    penalty: float
    context_share: float

    def shift(self, condition: Condition) -> np.ndarray:
        """(G,) predicted mean shift; 0 for control. Raises ConditionError for a part that was never measured."""
        known = {part for fitted in self.conditions for part in fitted.perturbations}
        for part in condition.perturbations:
            if part not in known:
                raise ConditionError(_unknown(part, known))
        return _kernel((condition,), self.conditions, self.context_share)[0] @ self.dual


@dataclass(frozen=True)
class _Solved:
    """sqrt(w) X X' sqrt(w) = U diag(s) U', for one context share."""

    context_share: float
    U: np.ndarray
    s: np.ndarray

    def left_out_error(self, Y: np.ndarray, penalty: float) -> float:
        """Weighted sum of squares of the residuals of conditions left out one by one; ``Y`` weighted (n, k)."""
        inverse = 1 / (self.s + penalty)
        residual = (self.U * inverse) @ (self.U.T @ Y)
        return float(np.sum((residual / (self.U**2 @ inverse)[:, None]) ** 2))


def fit_ridge(conditions: Sequence[Condition], shifts: np.ndarray, counts: np.ndarray) -> RidgeFit:
    """Fit to the mean ``shifts`` (n, G) of perturbed conditions (n,) with ``counts`` (n,) of cells."""
    if not conditions:
        return RidgeFit((), shifts, PENALTIES[0], CONTEXT_SHARES[0])
    root = np.sqrt(counts)[:, None]
    Y = root * shifts
    # Turning the genes leaves sums of squares as they are, and n of the turned genes hold everything.
    turned = np.linalg.qr(Y.T)[1].T
    tried = [_solved(conditions, root, share) for share in CONTEXT_SHARES]
    errors = np.array([[solved.left_out_error(turned, penalty) for penalty in PENALTIES] for solved in tried])
    # Among equals: effects shared by all contexts, and no more shrinking than the data ask for.
    row, column = np.argwhere(errors <= errors.min() + TIE * np.sum(Y**2))[0]
    best, penalty = tried[row], PENALTIES[column]
    dual = root * ((best.U / (best.s + penalty)) @ (best.U.T @ Y))
    return RidgeFit(tuple(conditions), dual, penalty, best.context_share)


def _solved(conditions: Sequence[Condition], root: np.ndarray, context_share: float) -> _Solved:
    s, U = np.linalg.eigh(root * _kernel(conditions, conditions, context_share) * root.T)
    return _Solved(context_share, U, np.maximum(s, 0))


def _kernel(a: Sequence[Condition], b: Sequence[Condition], context_share: float) -> np.ndarray:
    """X X' (len(a), len(b))."""
    parts = sorted({part.label for c in (*a, *b) for part in c.perturbations})
    common = _one_hot([[p.label for p in c.perturbations] for c in a], parts) @ (
        _one_hot([[p.label for p in c.perturbations] for c in b], parts).T
    )
    contexts = list(dict.fromkeys(c.covariates for c in (*a, *b)))
    same = np.equal.outer([contexts.index(c.covariates) for c in a], [contexts.index(c.covariates) for c in b])
    return common * (1 - context_share + context_share * same)


def _one_hot(chosen: Sequence[Sequence[str]], names: Sequence[str]) -> np.ndarray:
    """(len(chosen), len(names)): 1 where a name is among those chosen."""
    column = {name: i for i, name in enumerate(names)}
    rows = np.zeros((len(chosen), len(names)))
    for row, some in zip(rows, chosen, strict=True):
        row[[column[name] for name in some]] = 1
    return rows


def _unknown(part: Perturbation, known: set[Perturbation]) -> str:
    doses = sorted(other.label for other in known if other.name == part.name)
    measured = f" Measured: {', '.join(doses)}; another dose counts as another perturbation." if doses else ""
    return (
        f"{part.label} is in none of the training conditions whose context has control cells, so ridge knows nothing "
        f"of it.{measured} Put cells with it, alone or in a combination, into training."
    )
