"""The principal components in which MMD PCA is measured: of the whole reference, centred, not scaled."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from primeflow_core.errors import SettingError

MOST_DENSE = 20_000_000


@dataclass(frozen=True)
class Components:
    """``centre`` (G,) and ``axes`` (k, G), each axis with its largest loading positive."""

    centre: np.ndarray
    axes: np.ndarray

    def project(self, cells: np.ndarray) -> np.ndarray:
        """(n, G) to (n, k)."""
        return (cells - self.centre) @ self.axes.T


def components(cells: sp.csr_matrix | np.ndarray, k: int) -> Components:
    """Fit on cells (N, G); k is at most the rank that N cells and G genes allow. Raises SettingError for k below 1.

    Large sparse sets stay sparse: the same components to many digits, by Lanczos iteration from a fixed start.
    """
    from sklearn.decomposition import PCA

    if k < 1:
        raise SettingError(f"The number of principal components is {k}; it must be 1 or more.")
    n, genes = cells.shape
    kept = max(1, min(k, n - 1, genes))
    if sp.issparse(cells) and n * genes > MOST_DENSE and kept < min(n, genes):
        solver, values = "arpack", cells.astype(np.float64)
    else:
        solver = "covariance_eigh" if n > genes else "full"
        values = np.asarray(cells if isinstance(cells, np.ndarray) else cells.toarray(), dtype=np.float64)
    # Cells that do not vary have no share of variance to report; nobody reads it here.
    with np.errstate(invalid="ignore", divide="ignore"):
        fitted = PCA(kept, svd_solver=solver, random_state=0).fit(values)
    axes = fitted.components_
    largest = axes[np.arange(kept), np.abs(axes).argmax(axis=1)]
    return Components(fitted.mean_, axes * np.where(largest < 0, -1.0, 1.0)[:, None])
