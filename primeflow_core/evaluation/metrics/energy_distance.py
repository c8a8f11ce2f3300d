"""Unbiased energy distance between cells over all genes."""

from primeflow_core.evaluation.metric import Compares, Metric, Place

ENERGY_DISTANCE = Metric(
    name="energy_distance",
    label="Energy distance, unbiased",
    word="energy distance",
    page_label="Energy distance",
    methods="unbiased energy distance between cells over all genes",
    question="As MMD GEX, without its bias for few cells; can be below 0.",
    larger_is_better=False,
    compares=Compares.CELLS,
    needs_controls=False,
    ranked=False,
    left_out_of=frozenset({Place.EXPLORE}),
    score=lambda given: given.gene_distances.energy,
    replicates=lambda given: given.gene_distances.energy,
)
