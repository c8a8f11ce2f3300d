"""The columns of a shard: one row for each screened condition, with what ranking and showing it need."""

from collections.abc import Sequence

import pyarrow as pa

NUMBERS = (
    "score", "sum_score", "size", "size_low", "size_high", "share", "magnitude", "magnitude_low", "magnitude_high",
    "direction", "dominance", "explained", "predicted_magnitude", "predicted_magnitude_low",
    "predicted_magnitude_high",
)  # fmt: skip
TEXTS = ("perturbation", "interaction", "dominant")
COUNTS = ("position", "genes_up", "genes_down")
LISTS = ("replicates", "by_seed", "change", "change_error")


def schema(covariates: Sequence[str]) -> pa.Schema:
    """The columns of a shard for a model with these covariate columns.

    position: in ``ScreenOrder.everything``. perturbation: the condition's label. score: that of the goal, over all
    seeds; replicates: (resamples,) of it over cells and seeds, drawn alike for all conditions, so that differences of
    two rows are paired; by_seed: it for every noise seed alone. sum_score: that of the sum of single effects. size:
    size of the log2 change, corrected for noise. genes_up, genes_down: as Explore counts them. interaction (a Kind,
    empty for a single), share, magnitude, direction, dominance, explained, dominant: as in evaluation.interaction,
    against the parts measured alone; predicted_magnitude: against the parts as predicted, measured from controls as
    predicted. change and change_error: (G,) log2 change and its standard error. Numbers are NaN, and texts empty, where
    there is none.
    """
    return pa.schema(
        [
            *((name, pa.int32()) for name in COUNTS),
            *((name, pa.string()) for name in (*TEXTS, *covariates)),
            *((name, pa.float64()) for name in NUMBERS),
            *((name, pa.list_(pa.float32())) for name in LISTS),
        ]
    )
