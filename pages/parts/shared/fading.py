"""Rows and columns of metrics that cannot tell a good prediction from a typical one, shown pale."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from primeflow_core.figures.style import QUIET

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

PALE = QUIET


def faded(table: pd.DataFrame, silent: Sequence[bool]) -> "Styler":
    """``silent``: for each row whether it is pale."""
    looks = [f"color: {PALE}" if pale else "" for pale in silent]
    return table.style.apply(lambda column: looks, axis=0)


def faded_columns(table: pd.DataFrame, silent: Sequence[str]) -> "Styler":
    """``silent``: the columns that are pale."""
    return table.style.set_properties(subset=[name for name in table if name in silent], color=PALE)
