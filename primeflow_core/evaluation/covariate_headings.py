"""What covariates are called in tables of scores, whose other columns have names of their own."""

from collections.abc import Sequence

from primeflow_core.evaluation.metrics.registry import metric_names

RESERVED = ("condition", "baseline", "side", "cells", "gene", "model", "seed")


def covariate_headings(covariates: Sequence[str]) -> tuple[str, ...]:
    """The column of each covariate: its name, with what it is where another column has that name."""
    taken = (*RESERVED, *metric_names())
    return tuple(f"{name} (covariate)" if name in taken else name for name in covariates)
