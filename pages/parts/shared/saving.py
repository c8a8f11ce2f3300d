"""What can be saved from any view: figures as SVG and PNG, tables as csv, the link."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from pages.parts import address
from primeflow_core.figures.paper.paper import png, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRINT_FORMATS = {"svg": "image/svg+xml", "png": "image/png"}


def offer_figure(name: str, make: Callable[[], "Figure"], key: str) -> None:
    """Buttons that save the figure that ``make`` draws, under ``name``, as a vector graphic or as pixels."""
    with st.popover("Save figure", icon=":material/image:", key=f"save-{key}"):
        for ending, kind in PRINT_FORMATS.items():
            st.download_button(
                f"Figure ({ending.upper()})", partial(drawn, make, ending), f"{name}.{ending}", kind,
                key=f"save-{key}-{ending}", icon=":material/download:", on_click="ignore", width="stretch",
            )  # fmt: skip


def drawn(make: Callable[[], "Figure"], ending: str) -> str | bytes:
    """The figure as the text of an SVG or the bytes of a PNG."""
    return svg(make()) if ending == "svg" else png(make())


def offer_table(label: str, table: Callable[[], pd.DataFrame], name: str, key: str) -> None:
    st.download_button(
        label, lambda: str(table().to_csv(index=False)), f"{name}.csv", "text/csv", key=key,
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def offer_link() -> None:
    """The address of exactly this view, with a button that copies it."""
    with st.popover("Copy link", icon=":material/link:", key="copy-link"):
        st.caption("A link to exactly this view. The button at its end copies it.")
        if address.carried("own"):
            st.caption("The link does not share your own cells: whoever opens it sees the model's cells.")
        st.code(here(), language=None, wrap_lines=True)


def here() -> str:
    """The address of the page with everything that the view depends on, without what belongs only to this session."""
    return f"{(st.context.url or '').split('?')[0]}?{query_of()}"


def query_of() -> str:
    """The part of the address that the view depends on."""
    passing = {"job", *address.PASSING, *address.CARRIED}
    if address.here() == "Compare":
        passing -= {"entries"}
    return urlencode({key: st.query_params[key] for key in st.query_params if key not in passing})
