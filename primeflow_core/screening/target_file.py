"""A target state from a file: its cells, in the genes of a model."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.formats.local_file import as_h5ad
from primeflow_core.data.gene_matching import LEAST_SHARE, match_genes
from primeflow_core.data.h5ad import storage
from primeflow_core.data.h5ad.scale import HIGHEST_LOG
from primeflow_core.data.h5ad.survey import survey
from primeflow_core.errors import DataError

FEWEST_CELLS = 10


def read_target(path: Path, genes: tuple[str, ...]) -> np.ndarray:
    """All cells of a file, log-normalised, as float32 (m, G) in the order of ``genes``, 0 for missing genes.

    Raises DataError for too few cells or genes, and for values on another scale.
    """
    local = as_h5ad(path)
    with local.named():
        surveyed = survey(local.h5ad)
        names, scale = list(surveyed.var.index), surveyed.values
        with storage.opened(local.h5ad) as file:
            values = storage.read_values(file, local.h5ad)
    if scale.bad is not None or scale.lowest < 0 or scale.highest > HIGHEST_LOG or scale.whole:
        raise DataError(
            f"{path.name}: its values go from {scale.lowest:g} to {scale.highest:g}, and a target state must be "
            "log-normalised. Scale the counts of each cell to the same total and take log1p."
        )
    match = match_genes(names, genes)
    if not match.enough or values.shape[0] < FEWEST_CELLS:
        raise DataError(
            f"{path.name} has {values.shape[0]:,} cells and {match.found} of {len(genes)} model genes; a target state "
            f"needs {FEWEST_CELLS} cells and {LEAST_SHARE:.0%} of the genes."
        )
    found = np.flatnonzero(match.columns >= 0)
    target = np.zeros((values.shape[0], len(genes)), dtype=np.float32)
    target[:, found] = sp.csc_matrix(values)[:, match.columns[found]].toarray()
    return target
