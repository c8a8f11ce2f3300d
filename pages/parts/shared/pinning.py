"""Pinning the view on screen to the report, and the user's notebook, which the address names."""

from collections.abc import Callable

import streamlit as st

import pages
from pages.parts import address
from primeflow_core.errors import PrimeflowError
from primeflow_core.report.finding import Finding

PINS = "pins"
_FULL = "_notebook_full"


def notebook_token() -> str:
    """The token of the user's notebook, which every page's address names; empty before anything is pinned."""
    token = address.carried(PINS)
    return token if pages.notebooks().knows(token) else ""


def offer_pin(make: Callable[[], Finding], key: str) -> None:
    """A button that adds the finding of ``make`` to the report. Once it is there: a link to the report with its count.

    ``key`` names the view, so that another view can be added too. ``make`` runs only at the click.
    """
    token = notebook_token()
    if token and pages.notebooks().holds(token, key):
        count = len(pages.notebooks().findings(token))
        pages.link_to("report", f"In the report ({count})", ":material/check:")
    else:
        st.button("Add to report", key=f"pin-{key}", icon=":material/keep:", on_click=pin, args=(make, key))
    if refused := st.session_state.pop(f"{_FULL}-{key}", ""):
        st.warning(pages.plain(refused), icon=":material/inventory_2:")


def pin(make: Callable[[], Finding], key: str) -> None:
    """Add a finding to the notebook. The first finding starts the notebook."""
    token = notebook_token() or pages.notebooks().start()
    address.carry(PINS, token)
    try:
        pages.notebooks().add(token, make(), key)
    except PrimeflowError as error:
        st.session_state[f"{_FULL}-{key}"] = str(error)
