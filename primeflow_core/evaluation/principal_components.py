"""The principal components in which MMD PCA is measured: of the whole reference, centred, not scaled."""

from dataclasses import dataclass

import numpy as np

from primeflow_core.errors import SettingError


@dataclass(frozen=True)
class Components:
    """``centre`` (G,) and ``axes`` (k, G), each axis with its largest loading positive."""

    centre: np.ndarray
    axes: np.ndarray

    def project(self, cells: np.ndarray) -> np.ndarray:
        """(n, G) to (n, k)."""
        return (cells - self.centre) @ self.axes.T


def components(cells: np.ndarray, k: int) -> Components:
    """Fit on cells (N, G); k is at most the rank that N cells and G genes allow."""
    from sklearn.decomposition import PCA

    if k < 1:
        raise SettingError(f"The number of principal components is {k}; it must be 1 or more.")
    kept = max(1, min(k, len(cells) - 1, cells.shape[1]))
    fitted = PCA(kept, svd_solver="covariance_eigh" if len(cells) > cells.shape[1] else "full")
    axes = fitted.fit(cells.astype(np.float64)).components_
    largest = axes[np.arange(kept), np.abs(axes).argmax(axis=1)]
    return Components(fitted.mean_, axes * np.where(largest < 0, -1.0, 1.0)[:, None])
