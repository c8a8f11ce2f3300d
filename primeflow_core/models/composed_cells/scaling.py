"""How much one perturbation scales what another does, carried over to pairs that were never measured from similar ones.

A measured pair with effect d and singles s_a, s_b has coefficients c (Norman et al. 2019), least squares of
d = c_a s_a + c_b s_b shrunk towards 1, the more the noisier the singles are. With K the cosine of two single effects,
freed of noise and at least 0, to the power p, a pair (a, b) takes those of all measured pairs (x, y):

    q_ab = sum of w (c_x - 1) / (lambda + sum of w)        w = K_ax K_by, over both ways to match the parts

and a is expected to do 1 + q_ab of its single effect where b is present. p and lambda, or none of it, are chosen by
leaving measured pairs out one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

FEWEST_PAIRS = 4
POWERS = (2.0, 4.0, 8.0)
PENALTIES = (0.03, 0.1, 0.3, 1.0)
MOST = 1.0
"""The effect of a part is at most doubled. A larger factor comes from a small and noisy single."""


@dataclass(frozen=True)
class MeasuredEffects:
    """Mean effects of perturbed conditions: ``shift`` (n, G) against the controls of their context.

    ``strength`` (n, P): of P perturbations in each, 0 for none, and growing with the dose; ``context`` (n,) numbers
    its context. ``noise`` (n,): the variance of its mean, ``control_noise`` (n,) that of its controls, both summed over
    genes.
    """

    strength: np.ndarray
    context: np.ndarray
    shift: np.ndarray
    noise: np.ndarray
    control_noise: np.ndarray


@dataclass(frozen=True)
class _Context:
    """``first``, ``second`` (m,): the parts of its measured pairs, with ``coefficients`` (m, 2).

    ``cosine`` (P, P): of single effects, 0 where one has none that is clear of noise, 1 of each with itself.
    ``shift`` (m, G) of the pairs, and of their ``parts`` (m, 2, G) alone.
    """

    first: np.ndarray
    second: np.ndarray
    coefficients: np.ndarray
    cosine: np.ndarray
    shift: np.ndarray
    parts: np.ndarray


def scalings(measured: MeasuredEffects) -> np.ndarray:
    """(P, P): q_ab; 0 on the diagonal, and where held-out pairs are not predicted better with it than without it.

    Better means by one standard error of the difference, over 4 pairs or more.
    """
    contexts = [_context(measured, number) for number in np.unique(measured.context)]
    nothing = np.zeros((measured.strength.shape[1],) * 2)
    if sum(len(context.first) for context in contexts) < FEWEST_PAIRS:
        return nothing
    tried = {choice: _left_out(contexts, *choice) for choice in product(POWERS, PENALTIES)}
    best = min(tried, key=lambda choice: tried[choice].sum())
    as_sums = np.concatenate([_errors(context, np.ones_like(context.coefficients)) for context in contexts])
    gain = as_sums - tried[best]
    if gain.mean() <= gain.std(ddof=1) / np.sqrt(len(gain)):
        return nothing
    total, weights = _carried_over(contexts, best[0])
    found: np.ndarray = np.clip(total / (weights + best[1]), -1.0, MOST)
    np.fill_diagonal(found, 0.0)
    return found


def _context(measured: MeasuredEffects, number: int) -> _Context:
    present = measured.strength > 0
    here, count = measured.context == number, present.sum(axis=1)
    singles = np.flatnonzero(here & (count == 1))
    by_strength = {
        (int(a), measured.strength[row, a]): int(row) for row in singles for a in np.flatnonzero(present[row])
    }
    found = []
    for row in np.flatnonzero(here & (count == 2)):
        a, b = np.flatnonzero(present[row]).tolist()
        alone = [by_strength.get((part, float(measured.strength[row, part]))) for part in (a, b)]
        if None not in alone:
            found.append((int(row), a, b, *alone))
    rows, first, second, *parts = np.array(found, dtype=int).reshape(-1, 5).T
    of_parts = np.stack(parts, axis=1)
    coefficients = [_coefficients(measured, row, own) for row, own in zip(rows, of_parts, strict=True)]
    return _Context(
        first,
        second,
        np.array(coefficients).reshape(-1, 2),
        _cosines(measured, {a: row for (a, _), row in sorted(by_strength.items())}),
        measured.shift[rows],
        measured.shift[of_parts],
    )


def _coefficients(measured: MeasuredEffects, pair: int, parts: np.ndarray) -> np.ndarray:
    """(2,) The noise that the singles' products hold is left in their squares: what shrinks towards 1."""
    singles, whole = measured.shift[parts], measured.shift[pair]
    shared = measured.control_noise[pair]
    among = singles @ singles.T - shared
    unexplained = singles @ (whole - singles.sum(axis=0)) + shared + measured.noise[parts]
    found: np.ndarray = 1 + np.linalg.lstsq(among, unexplained, rcond=None)[0]
    return found


def _cosines(measured: MeasuredEffects, alone: Mapping[int, int]) -> np.ndarray:
    """``alone``: of each perturbation the row of its strongest single."""
    size = measured.strength.shape[1]
    found = np.eye(size)
    if not alone:
        return found
    parts, rows = np.array(list(alone)), np.array(list(alone.values()))
    products = measured.shift[rows] @ measured.shift[rows].T - measured.control_noise[rows]
    squares = np.diag(products) - measured.noise[rows]
    lengths = np.sqrt(np.where(squares > measured.noise[rows] + measured.control_noise[rows], squares, np.inf))
    cosines = np.clip(products / np.outer(lengths, lengths), 0.0, 1.0)
    np.fill_diagonal(cosines, 1.0)
    found[np.ix_(parts, parts)] = cosines
    return found


def _carried_over(contexts: Sequence[_Context], power: float) -> tuple[np.ndarray, np.ndarray]:
    """(P, P) sums of w (c_x - 1), and of w."""
    total, weights = np.zeros_like(contexts[0].cosine), np.zeros_like(contexts[0].cosine)
    for context in contexts:
        near = context.cosine**power
        one, other = near[:, context.first], near[:, context.second]
        change = context.coefficients - 1
        total += (one * change[:, 0]) @ other.T + (other * change[:, 1]) @ one.T
        weights += one @ other.T + other @ one.T
    return total, weights


def _left_out(contexts: Sequence[_Context], power: float, penalty: float) -> np.ndarray:
    """The squared error (pairs,) of each measured pair, predicted from all other pairs: its own share is subtracted."""
    total, weights = _carried_over(contexts, power)
    errors = []
    for context in contexts:
        a, b = context.first, context.second
        crossed = context.cosine[a, b][:, None] ** (2 * power)
        change = context.coefficients - 1
        sums = np.stack([total[a, b], total[b, a]], axis=1) - change - crossed * change[:, ::-1]
        among = np.stack([weights[a, b], weights[b, a]], axis=1) - 1 - crossed
        errors.append(_errors(context, 1 + sums / (penalty + np.maximum(among, 0.0))))
    return np.concatenate(errors)


def _errors(context: _Context, factors: np.ndarray) -> np.ndarray:
    """(m,) squared distance of each measured pair from the sum of its parts times ``factors`` (m, 2)."""
    foreseen = np.einsum("mp,mpg->mg", factors, context.parts)
    errors: np.ndarray = np.square(context.shift - foreseen).sum(axis=1)
    return errors
