"""Maximum mean discrepancy between cells over principal components (PerturBench)."""

from primeflow_core.evaluation.defaults import PCS
from primeflow_core.evaluation.metric import Compares, Metric

MMD_PCA = Metric(
    name="mmd_pca",
    label="MMD PCA",
    page_label="MMD, components",
    methods=f"MMD over {PCS} principal components",
    question=f"The same over {PCS} principal components.",
    larger_is_better=False,
    compares=Compares.CELLS,
    needs_controls=False,
    score=lambda given: given.component_distances.mmd,
    replicates=lambda given: given.component_distances.mmd,
)
