"""Products of effects of perturbations, less what noise adds to them: sizes, cosines and coefficients without its bias.

An effect is the log2 change of means as in profiles.log_fold_change. Noise lengthens every norm, most where cells are
few and genes rare. With a, b effects of two sets of cells, V_a the variance of a log2 mean (delta method), V_c that of
the controls both are compared with, and m the mean expression of a gene over all sets,

    <a, b> = sum over genes of (m + 0.1) (a b - V_c - [a is b] V_a)              |a|^2 = <a, a>

The weight, since the mean of counts is the surer the larger it is: its log has a variance that falls as 1 / m.

and with d the effect of a combination, s_i those of its parts

    magnitude = |d| / |sum s_i|          direction = <d, sum s_i> / (|d| |sum s_i|)
    coefficients: least squares of d = sum c_i s_i (Norman et al. 2019) in these products
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.evaluation.bootstrap import resampled
from primeflow_core.evaluation.profiles import PSEUDO, Profile, log_fold_change, profile


@dataclass(frozen=True)
class Measures:
    """Measures from products (..., 1 + parts, 1 + parts), each of shape (...); ``coefficients`` and ``sizes`` have a
    last axis of parts.

    A figure is NaN where the effect it is relative to is no larger than its noise. ``size`` is that of the
    combination, ``sum_square`` the squared size of the sum, ``least_cosine`` the smallest between two parts,
    ``explained`` the share of the combination's squared effect that the coefficients account for, 0 to 1.
    """

    size: np.ndarray
    sizes: np.ndarray
    sum_square: np.ndarray
    magnitude: np.ndarray
    direction: np.ndarray
    coefficients: np.ndarray
    explained: np.ndarray
    least_cosine: np.ndarray


def unbiased_products(sets: Sequence[np.ndarray], controls: np.ndarray) -> np.ndarray:
    """Sets of cells (n, G), the combination first, and controls (k, G), to (sets, sets)."""
    profiles, control = [profile(cells) for cells in sets], profile(controls)
    effects = np.stack([log_fold_change(one.mean, control.mean) for one in profiles])
    weight = gene_weight(profiles, control)
    return (weight * effects) @ effects.T - _noise(profiles, control, weight)


def drawn_products(
    sets: Sequence[np.ndarray], controls: np.ndarray, resamples: int, draw: np.random.Generator
) -> np.ndarray:
    """(resamples, sets, sets) over bootstrap samples of cells, the controls drawn once for all sets.

    They hold the noise twice, of the experiment and of the drawing, so it is taken off twice.
    """
    profiles, control = [profile(cells) for cells in sets], profile(controls)
    drawn_control = _drawn_means(controls, resamples, draw)
    drawn = [log_fold_change(_drawn_means(cells, resamples, draw), drawn_control) for cells in sets]
    effects, weight = np.stack(drawn, axis=1), gene_weight(profiles, control)
    products: np.ndarray = (weight * effects) @ effects.transpose(0, 2, 1)
    return products - 2 * _noise(profiles, control, weight)


def measures(products: np.ndarray) -> Measures:
    """(..., 1 + parts, 1 + parts), the combination first."""
    whole, with_parts, among = products[..., 0, 0], products[..., 0, 1:], products[..., 1:, 1:]
    sum_square = among.sum(axis=(-2, -1))
    size, sum_size = np.sqrt(np.maximum(whole, 0.0)), _root(sum_square)
    sizes = _root(np.diagonal(among, axis1=-2, axis2=-1))
    coefficients = _coefficients(among, with_parts, np.isfinite(sizes))
    cosines = among / (sizes[..., :, None] * sizes[..., None, :])
    return Measures(
        size,
        sizes,
        sum_square,
        size / sum_size,
        np.clip(_over(with_parts.sum(axis=-1), size * sum_size), -1.0, 1.0),
        np.where(np.isfinite(sizes), coefficients, np.nan),
        np.clip(np.nan_to_num(_over((coefficients * with_parts).sum(axis=-1), whole)), 0.0, 1.0),
        cosines.min(axis=(-2, -1)),
    )


def gene_weight(profiles: Sequence[Profile], control: Profile) -> np.ndarray:
    """(G,) what a gene counts in the products of these sets."""
    weight: np.ndarray = np.mean([one.mean for one in (*profiles, control)], axis=0) + PSEUDO
    return weight


def log_variance(one: Profile) -> np.ndarray:
    """(G,) variance of log2(mean + 0.1)."""
    variance: np.ndarray = one.variance / one.cells / ((one.mean + PSEUDO) * np.log(2)) ** 2
    return variance


def _coefficients(among: np.ndarray, with_parts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(..., parts), 0 for a part that is not ``known`` to have an effect."""
    both = known[..., :, None] & known[..., None, :]
    inverse = np.linalg.pinv(np.where(both, among, 0.0), hermitian=True)
    solved: np.ndarray = (inverse @ np.where(known, with_parts, 0.0)[..., None])[..., 0]
    return solved


def _drawn_means(cells: np.ndarray, resamples: int, draw: np.random.Generator) -> np.ndarray:
    """(resamples, G)."""
    drawn = resampled(cells, resamples, draw)
    means: np.ndarray = drawn.times.astype(cells.dtype) @ cells / len(cells)
    return means


def _noise(profiles: Sequence[Profile], control: Profile, weight: np.ndarray) -> np.ndarray:
    """(sets, sets): what noise adds to the products on average."""
    own = [log_variance(one) @ weight for one in profiles]
    noise: np.ndarray = np.diag(own) + log_variance(control) @ weight
    return noise


def _root(squares: np.ndarray) -> np.ndarray:
    root: np.ndarray = np.sqrt(np.where(squares > 0, squares, np.nan))
    return root


def _over(value: np.ndarray, by: np.ndarray) -> np.ndarray:
    quotient: np.ndarray = value / np.where(by > 0, by, np.nan)
    return quotient
