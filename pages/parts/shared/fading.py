"""Rows and columns of metrics that cannot tell a good prediction from a typical one, shown pale in st.table.

By Streamlit's own markup: the styles of pandas would load Matplotlib.
"""

from collections.abc import Sequence

import pandas as pd

from primeflow_core.figures.style import QUIET

PALE = QUIET


def faded(table: pd.DataFrame, silent: Sequence[bool]) -> pd.DataFrame:
    """``table`` of texts; ``silent``: for each row whether it is pale."""
    return table.apply(lambda column: [pale(text) if dim else text for text, dim in zip(column, silent, strict=True)])


def faded_columns(table: pd.DataFrame, silent: Sequence[str]) -> pd.DataFrame:
    """``table`` of texts; ``silent``: the columns that are pale."""
    return table.apply(lambda column: column.map(pale) if column.name in silent else column)


def pale(text: str) -> str:
    return f":gray[{text}]"
