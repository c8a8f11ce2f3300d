"""A target state from a file: its cells, in the genes and on the scale of a model."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.formats.local_file import as_h5ad
from primeflow_core.data.gene_matching import LEAST_SHARE, match_genes
from primeflow_core.data.h5ad import storage
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.scale import Scale, log_normalised, scale_of, value_problems
from primeflow_core.data.h5ad.survey import Survey, survey
from primeflow_core.data.reading_request import Report
from primeflow_core.errors import DataError
from primeflow_core.models.checkpoint import Manifest

FEWEST_CELLS = 10


@dataclass(frozen=True)
class TargetFile:
    """``modality``: the part of a .h5mu; ``metadata``: sha256 of the table of its cells, see ``noted_table``."""

    path: Path
    modality: str | None = None
    metadata: str | None = None


def read_target(file: TargetFile, manifest: Manifest, report: Report) -> np.ndarray:
    """All cells of a file, log-normalised, as float32 (m, G) in the order of the model's genes, 0 for missing genes.

    Counts are brought to the total at which the model's training read its own, over the genes of the model, which are
    those that total was taken over. Raises DataError for too few cells or genes, and for values on another scale.
    """
    local = as_h5ad(file.path, modality=file.modality, metadata=file.metadata)
    with local.named():
        surveyed = survey(local.h5ad)
        total = _total(file.path.name, surveyed, manifest, report)
        with storage.opened(local.h5ad) as opened_file:
            values = storage.read_values(opened_file, local.h5ad)
    for note in local.notes:
        report(f"{file.path.name}: {'WARNING: ' if note.severity is Severity.WARNING else ''}{note}")
    match = match_genes(list(surveyed.var.index), manifest.genes)
    if not match.enough or values.shape[0] < FEWEST_CELLS:
        raise DataError(
            f"{file.path.name} has {values.shape[0]:,} cells and {match.found} of {len(manifest.genes)} model genes; a "
            f"target state needs {FEWEST_CELLS} cells and {LEAST_SHARE:.0%} of the genes."
        )
    found = np.flatnonzero(match.columns >= 0)
    of_model = sp.csr_matrix(sp.csc_matrix(values)[:, match.columns[found]])
    if total is not None:
        of_model = log_normalised(of_model, total)
        report(
            f"{file.path.name} holds counts: read as the training of {manifest.name} read its own, log1p at a total of "
            f"{total:,.6g}, over the {match.found:,} of {len(manifest.genes):,} model genes that it has."
        )
    target = np.zeros((values.shape[0], len(manifest.genes)), dtype=np.float32)
    target[:, found] = of_model.toarray()
    return target


def _total(name: str, surveyed: Survey, manifest: Manifest, report: Report) -> float | None:
    """The total to which counts are brought, None where the values are log-normalised. Raises DataError for others."""
    scale, total = scale_of(surveyed.values), manifest.reading.repair.total
    counts = scale is Scale.COUNTS
    for problem in value_problems(surveyed.values, scale, None, counts, surveyed.obs.index, surveyed.var.index):
        if problem.severity is Severity.ERROR:
            raise DataError(
                f"{name}: {problem.text} A target state must be counts or log-normalised: scale the counts of each "
                "cell to the same total and take log1p."
            )
        if problem.severity is Severity.WARNING:
            report(f"{name}: WARNING: {problem.text}")
    if counts and total is None:
        raise DataError(
            f"{name} holds counts, and {manifest.name} was trained on values that were log-normalised already, so the "
            "total of its cells is not known. Scale the counts of each cell to the total that was used there and take "
            "log1p."
        )
    return total if counts else None
