"""Badges that say what is predicted, measured and simulated, in words, shape and colour."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from pages import plain
from primeflow_core.report.finding import LabelRole, mark_of

Colour = Literal["orange", "blue", "violet", "gray"]
LOOKS: dict[LabelRole, tuple[Colour, str | None]] = {
    LabelRole.PREDICTED: ("orange", ":material/diamond:"),
    LabelRole.TRUTH: ("blue", ":material/circle:"),
    LabelRole.SIMULATED: ("violet", ":material/science:"),
    LabelRole.OTHER: ("gray", None),
}


def show_labels(labels: Sequence[str]) -> None:
    """A row of badges. Each label begins with its word (PREDICTED, MEASURED, SIMULATED) or is plain text."""
    with st.container(horizontal=True, gap="xsmall"):
        for label in labels:
            colour, icon = LOOKS[mark_of(label)]
            st.badge(plain(label), icon=icon, color=colour)
