"""Features of a 10x matrix: genes, and antibodies, guides or peaks beside them, which are set aside."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.errors import DataError

GENES = "Gene Expression"
SHOWN = 2


@dataclass(frozen=True)
class Features:
    """(F,) names and ids, and the type of each; None where there is only one type, genes."""

    names: np.ndarray
    ids: np.ndarray
    types: np.ndarray | None

    def table(self) -> pd.DataFrame:
        """A var table, by names that are made distinct as Scanpy does."""
        from anndata.utils import make_index_unique  # slow to import

        return pd.DataFrame({"gene_ids": self.ids}, index=make_index_unique(pd.Index(self.names.astype(str))))


def kept_features(features: Features, source: str) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """The positions of the genes, and what is said of the rest. Raises DataError where there are no genes."""
    kept = np.arange(len(features.names))
    notes = []
    if features.types is not None:
        kept = np.flatnonzero(features.types == GENES)
        others = Counter(features.types[features.types != GENES].tolist())
        counts = ", ".join(f"{count:,} {kind}" for kind, count in others.items())
        if not len(kept):
            raise DataError(f"{source} holds no genes, only: {counts or 'no features'}. Bring the matrix of genes.")
        if others:
            text = f"{len(kept):,} genes are read. Set aside, since they are not genes: {counts}."
            notes.append(Problem(Severity.NOTE, "not-genes", text))
    names = pd.Index(features.names[kept])
    if len(repeated := names[names.duplicated()].unique()):
        some = ", ".join(map(str, repeated[:SHOWN]))
        text = f"{len(repeated):,} gene names stand for several ids (for instance {some}); they are numbered."
        notes.append(Problem(Severity.NOTE, "numbered-genes", text))
    return kept, tuple(notes)
