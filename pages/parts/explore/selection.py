"""Cells selected on the map, and the genes in which they differ from all other cells or from another group."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

import pages
from pages.parts import address
from pages.parts.shared import answers, entries
from pages.parts.shared.answers import Answer
from pages.parts.shared.cell_map import HEIGHT
from pages.parts.shared.saving import offer_table
from pages.parts.shared.view import View
from primeflow_core.errors import PrimeflowError
from primeflow_core.evaluation.differential import FEWEST_CELLS
from primeflow_core.figures.interactive.maps import Outline, overlay
from primeflow_core.figures.style import Role, name_of
from primeflow_core.prediction.cell_groups import (
    FEWEST_CORNERS,
    CellGroup,
    Polygon,
    divided,
    polygon,
    polygon_of,
    polygon_text,
)
from primeflow_core.prediction.group_differences import Contrast, Difference, differences
from primeflow_core.report.cell_map import DrawnMap, alternative

KEYS = ("group_a", "group_b")
WARNING = (
    "You chose the cells by their place on the map, which depends on their genes. Use p to find genes worth a look; it "
    "is not evidence of two kinds of cells. Cells in both groups count on both sides."
)
NAMES = dict(zip(KEYS, ("A", "B"), strict=True))
COLUMNS = {
    "gene": "Gene", "log2_fold_change": "log2 change", "t": "t", "p": "p", "p_adjusted": "Adjusted p",
    "percent_expressing": "% expressing", "percent_expressing_other": "% in other cells",
}  # fmt: skip


def selectable_map(view: View, drawn: DrawnMap, selecting: bool) -> None:
    """The finished map. Cells inside a lasso or a box on it become group A or B."""
    kept = groups_in_address(view, drawn)
    event = st.plotly_chart(
        overlay(
            drawn.points, drawn.fitted.axes, simulated=view.simulated, height=HEIGHT,
            dragmode="lasso" if selecting else "pan",
            outlines=[Outline(NAMES[key], np.array(corners)) for key, corners in kept.items()],
        ),
        key="overlay", config=pages.FIGURE, alt=alternative(view, drawn),
        on_select="rerun" if selecting else "ignore", selection_mode=("lasso", "box"),
    )  # fmt: skip
    if broken := [key for key in KEYS if st.query_params.get(key) and key not in kept]:
        names = " and ".join(NAMES[key] for key in broken)
        st.caption(f"Group {names} of this link does not fit this map. Draw it again.")
    corners = drawn_corners(event) if selecting else None
    if corners is not None:
        offer_to_keep(view, drawn, corners)
    elif selecting and not kept:
        st.caption("Draw around cells with the lasso or the box (tools at the top right of the map).")


def drawn_corners(event: Any) -> Polygon | None:
    """The last shape drawn on the map, as a polygon."""
    selection: Mapping[str, Any] = (event or {}).get("selection", {})
    shapes = [(shape["x"], shape["y"]) for shape in selection.get("lasso", ())]
    for shape in selection.get("box", ()):
        (left, right), (low, high) = shape["x"], shape["y"]
        shapes.append(([left, right, right, left], [low, low, high, high]))
    for x, y in shapes:
        if len(set(zip(x, y, strict=True))) >= FEWEST_CORNERS:
            return polygon(x, y)
    return None


def offer_to_keep(view: View, drawn: DrawnMap, corners: Polygon) -> None:
    group, _ = divided(drawn.groups, corners)
    said = f"{view.mark_of(drawn.name)}:{polygon_text(corners)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{len(group.values):,} cells selected", width="content")
        for key in KEYS:
            st.button(
                f"Keep as {NAMES[key]}", key=f"keep-{key}", icon=":material/select_all:", on_click=keep,
                args=(key, said), disabled=len(group.values) < FEWEST_CELLS,
            )  # fmt: skip


def keep(key: str, said: str) -> None:
    address.write({key: said})


def forget() -> None:
    address.write(dict.fromkeys(KEYS, ""))


def groups_in_address(view: View, drawn: DrawnMap) -> dict[str, Polygon]:
    """The kept groups that were drawn on this map."""
    found = {}
    for key in KEYS:
        kind, _, said = st.query_params.get(key, "").partition(":")
        if kind == view.mark_of(drawn.name):
            with suppress(PrimeflowError):
                found[key] = polygon_of(said)
    return found


def show_selection(view: View, answer: Answer | None, drawn: DrawnMap) -> None:
    """Differential expression of group A, or of A against B. Draws nothing while no group is kept."""
    kept = groups_in_address(view, drawn)
    if not kept:
        return
    first, *others = kept
    group, rest = divided(drawn.groups, kept[first])
    against = divided(drawn.groups, kept[others[0]])[0] if others else rest
    words = f"group {NAMES[first]} against " + (f"group {NAMES[others[0]]}" if others else "all other cells of the map")
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(f"Selected cells: {words}", anchor=False, width="content")
            with st.container(horizontal=True, width="content"):
                offer_comparing(view)
                st.button("Clear the groups", key="forget-groups", icon=":material/close:", on_click=forget)
        st.caption(f"{counted(view, group)} against {counted(view, against)}. Welch's t test, Benjamini-Hochberg.")
        st.caption(WARNING)
        if min(len(group.values), len(against.values)) < FEWEST_CELLS:
            smaller = "smaller" if len(against.values) < FEWEST_CELLS else "larger"
            st.info(f"Each side needs at least {FEWEST_CELLS} cells. Draw a {smaller} group.")
            return
        contrast = Contrast(words, view.model.manifest.genes, group.values, against.values)
        said = (view.condition.label, answer.key if answer else "", *map(str, kept.items()))
        found = answers.result_of(
            ("difference", *view.place_key, *said), lambda: differences([contrast]), Difference,
            "genes are being compared",
        )  # fmt: skip
        if found is not None:
            show_difference(found)


def offer_comparing(view: View) -> None:
    """Buttons that add each kept group to Compare."""
    said = {NAMES[key]: st.query_params.get(key, "") for key in KEYS}
    for name, outline in said.items():
        if outline:
            entry = entries.Entry(view.model.key, view.question, outline)
            st.button(
                f"Add {name} to Compare", key=f"compare-{name}", icon=":material/compare_arrows:", on_click=entries.add,
                args=(entry,), disabled=entries.has(entry) or entries.count() >= entries.MOST,
            )  # fmt: skip


def counted(view: View, group: CellGroup) -> str:
    parts = [
        f"{count:,} {name_of(Role(role), simulated=view.simulated).lower()}" for role, count in group.counts.items()
    ]
    return f"{len(group.values):,} cells ({', '.join(parts) or 'none'})"


def show_difference(found: Difference) -> None:
    table: pd.DataFrame = found.table.drop(columns="contrast").rename(columns=COLUMNS)
    number, small = (st.column_config.NumberColumn(format=text) for text in ("%.2f", "%.2g"))
    st.dataframe(
        table, hide_index=True, height=330, key="difference",
        column_config={"log2 change": number, "t": number, "p": small, "Adjusted p": small,
                       "% expressing": st.column_config.NumberColumn(format="%.0f"),
                       "% in other cells": st.column_config.NumberColumn(format="%.0f")},
        alt="Genes in which the selected cells differ, most certain first",
    )  # fmt: skip
    offer_table("Selected cells: genes (csv)", lambda: found.table, "primeflow-selection", "difference-csv")
