"""Maps of cells in two dimensions: fitted on measured cells of one context, then predicted cells are placed on them.

A map is fitted per context: over all contexts the cell lines fill it and the perturbation is invisible.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from primeflow_core.errors import DataError

DIMENSIONS = 30
MOST_CELLS, MOST_IN_UMAP = 5_000, 2_500
FEWEST_CELLS, FEWEST_GENES = 5, 2


class Map(ABC):
    """Places cells (n, G) at (n, 2) float32.

    ``axes`` are the titles of both axes, ``extent`` their ranges that hold most of what the map was fitted on.
    """

    axes: tuple[str, str]
    extent: tuple[tuple[float, float], tuple[float, float]]

    @abstractmethod
    def place(self, values: np.ndarray) -> np.ndarray:
        """(n, G) log-normalised values of the map's genes to (n, 2)."""


class PCAMap(Map):
    """The first two principal components; ``explained`` is each one's share of the variance.

    Fitted on (N, G) cells, at most MOST_CELLS of them, drawn by ``seed``. The same cells and seed give the same
    map: every component points to where its largest loading is positive.
    """

    def __init__(self, values: np.ndarray, seed: int = 0) -> None:
        from sklearn.decomposition import PCA

        _check(values)
        drawn = _drawn(values, seed).astype(np.float64)
        with np.errstate(invalid="ignore"):  # cells without any variance have no shares of it
            fitted = PCA(n_components=min(DIMENSIONS, *drawn.shape), random_state=seed).fit(drawn)
        largest = np.abs(fitted.components_).argmax(axis=1)
        signs = np.sign(fitted.components_[np.arange(len(largest)), largest])
        self.centre = fitted.mean_
        self.components = fitted.components_ * np.where(signs == 0, 1.0, signs)[:, None]
        self.explained: tuple[float, float] = (_share(fitted, 0), _share(fitted, 1))
        self.axes = (f"PC 1 ({self.explained[0]:.0%} of variance)", f"PC 2 ({self.explained[1]:.0%} of variance)")
        self.extent = _extent(self.place(drawn))

    def scores(self, values: np.ndarray) -> np.ndarray:
        """(n, G) to (n, k), all components that were fitted."""
        return (values - self.centre) @ self.components.T

    def place(self, values: np.ndarray) -> np.ndarray:
        scores = (values - self.centre) @ self.components[:2].T
        return scores.astype(np.float32)


class UMAPMap(Map):
    """UMAP of the principal components of measured cells; slow to fit, and to place cells on."""

    def __init__(self, values: np.ndarray, seed: int = 0) -> None:
        from umap import UMAP

        self._pca = PCAMap(values, seed)
        scores = self._pca.scores(_drawn(values, seed, MOST_IN_UMAP))
        neighbours = min(15, len(scores) - 1)
        self._umap: Any = UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit(scores)
        self.axes = ("UMAP 1 (no unit)", "UMAP 2 (no unit)")
        self.extent = _extent(self._umap.embedding_)
        self.place(values[:2])  # the first time compiles for seconds: better here, in a job, than before a page

    @property
    def nbytes(self) -> int:
        """About what it holds in memory: the cells it was fitted on, and their neighbours."""
        return int(4 * self._umap.embedding_.nbytes + 4 * self._umap._raw_data.nbytes)

    def place(self, values: np.ndarray) -> np.ndarray:
        if not len(values):
            return np.zeros((0, 2), dtype=np.float32)
        return np.asarray(self._umap.transform(self._pca.scores(values)), dtype=np.float32)


def enough_for_a_map(values: np.ndarray) -> bool:
    """Whether a map can be fitted on cells (N, G)."""
    cells, genes = values.shape
    return cells >= FEWEST_CELLS and genes >= FEWEST_GENES


def _check(values: np.ndarray) -> None:
    if not enough_for_a_map(values):
        cells, genes = values.shape
        raise DataError(
            f"A map needs {FEWEST_CELLS} cells and {FEWEST_GENES} genes at least; there are {cells} and {genes}."
        )
    if not np.isfinite(values).all():
        raise DataError("A map needs finite values; some are missing (NaN) or infinite.")


def _drawn(values: np.ndarray, seed: int, most: int = MOST_CELLS) -> np.ndarray:
    if len(values) <= most:
        return values
    chosen = np.random.default_rng(seed).choice(len(values), most, replace=False)
    return values[np.sort(chosen)]


def _share(fitted: Any, component: int) -> float:
    shares = np.nan_to_num(fitted.explained_variance_ratio_)
    return float(shares[component]) if component < len(shares) else 0.0


def _extent(placed: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """The range of both axes that holds 98 % of the cells along each."""
    (left, bottom), (right, top) = np.quantile(placed, [0.01, 0.99], axis=0).tolist()
    return (left, right), (bottom, top)
