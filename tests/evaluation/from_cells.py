"""Scores of one set of cells or one profile, by the functions that score many at once."""

import numpy as np

from primeflow_core.evaluation.genes import t_of_profiles
from primeflow_core.evaluation.profiles import profile, rmses


def t_scores(perturbed: np.ndarray, control: np.ndarray) -> np.ndarray:
    """(G,) t of cells (n, G) against control cells (k, G)."""
    one = profile(perturbed)
    return t_of_profiles(one.mean, one.variance, len(perturbed), profile(control))


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    """Of two mean profiles (G,)."""
    return float(rmses(a[None], b[None])[0, 0])
