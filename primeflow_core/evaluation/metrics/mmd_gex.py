"""Maximum mean discrepancy between cells over all genes (PerturBench)."""

from primeflow_core.evaluation.metric import Compares, Metric

MMD_GEX = Metric(
    name="mmd_gex",
    label="MMD GEX",
    page_label="MMD, genes",
    methods="maximum mean discrepancy (MMD) between cells over all genes",
    question="How far apart are the clouds of cells, over all genes?",
    larger_is_better=False,
    compares=Compares.CELLS,
    needs_controls=False,
    score=lambda given: given.gene_distances.mmd,
    replicates=lambda given: given.gene_distances.mmd,
)
