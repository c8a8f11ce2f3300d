"""The last row of a table of scores: the mean over its conditions."""

from collections.abc import Sequence

import pandas as pd

MEAN = "mean"


def with_mean(rows: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """``rows`` and a last one with the mean of every number, NaN skipped."""
    numbers = rows.drop(columns=["condition", *covariates]).mean(skipna=True)
    mean: dict[str, object] = {"condition": MEAN}
    mean |= dict.fromkeys(covariates, "")
    mean |= {str(name): value for name, value in numbers.items()}
    return pd.concat([rows, pd.DataFrame([mean])], ignore_index=True)
