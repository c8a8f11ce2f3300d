"""Entries side by side: on the same maps, by the same metrics, gene by gene."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts.compare.entry_data import MOST_GENES, Joint, SharedMap
from pages.parts.explore.selection import COLUMNS
from pages.parts.shared import answers
from pages.parts.shared.saving import offer_figure, offer_table
from primeflow_core.data.gene_search import found_genes
from primeflow_core.figures.interactive.agreement import BoundedMeasure, agreement_of_entries
from primeflow_core.figures.interactive.expression import dot_plot
from primeflow_core.figures.interactive.maps import many_maps
from primeflow_core.figures.paper import agreement as print_agreement
from primeflow_core.figures.paper import expression as print_expression
from primeflow_core.figures.paper import maps as print_maps
from primeflow_core.prediction.group_differences import Difference, differences

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_maps(joint: Joint) -> None:
    st.subheader("Where the cells lie", anchor=False)
    found = joint.maps()
    if len(found) > 1:
        st.caption("Entries with other cells or models have their own maps. Do not compare places on two maps.")
    for place, shared in enumerate(found):
        with st.container(border=True):
            draw_map(joint, shared, place)
            offer_figure("primeflow-compared-maps", partial(printed_map, joint, shared), f"maps-{place}")


def draw_map(joint: Joint, shared: SharedMap, place: int) -> None:
    st.plotly_chart(
        many_maps(shared.entries, shared.axes, shared.numbers, simulated=joint.simulated), key=f"maps-{place}",
        config=pages.FIGURE, alt=f"Maps on the same axes: {shared.told}",
    )  # fmt: skip


def printed_map(joint: Joint, shared: SharedMap) -> "Figure":
    return print_maps.many_maps(shared.entries, shared.axes, shared.numbers, simulated=joint.simulated)


def show_agreement(joint: Joint) -> None:
    st.subheader("How far to trust them", anchor=False)
    if not joint.trusts:
        truth = "simulated" if joint.simulated else "measured"
        st.caption(f"None of these is a response with enough {truth} cells, so there is nothing to compare with.")
        return
    with st.container(border=True):
        draw_agreement(joint)
        with st.container(horizontal=True):
            offer_figure(
                "primeflow-compared-agreement", partial(print_agreement.agreement_of_entries, *ranges(joint)), "trusts"
            )
            offer_table("Metrics (csv)", partial(measures, joint), "primeflow-compared-measures", "measures-csv")
    with st.expander("The numbers"):
        st.dataframe(
            measures(joint),
            hide_index=True,
            alt="Each entry's metrics with floor, ceiling and baselines",
            column_config={"Measure": "Metric"},
        )


def draw_agreement(joint: Joint) -> None:
    told = "; ".join(f"{name}: {trust.told}" for name, trust in joint.trusts.items())
    st.plotly_chart(
        agreement_of_entries(*ranges(joint)), key="agreement-of-entries", config={"displayModeBar": False}, alt=told
    )


def ranges(joint: Joint) -> tuple[list[tuple[str, Sequence[BoundedMeasure]]], list[int]]:
    """Titles and metrics of the entries that were measured, and their numbers."""
    measured = [one for one in joint.ready if one.name in joint.trusts]
    return [(one.entry.title, joint.trusts[one.name].ranges) for one in measured], [one.number for one in measured]


def measures(joint: Joint) -> pd.DataFrame:
    tables = [trust.table().assign(Entry=name) for name, trust in joint.trusts.items()]
    found = pd.concat(tables, ignore_index=True)
    return found[["Entry", *[column for column in found if column != "Entry"]]]


def show_dots(joint: Joint) -> None:
    st.subheader("Genes", anchor=False)
    asked = st.text_input(
        "Genes of the dot plot", "", key="compared_genes", bind="query-params",
        placeholder="Those that change most; or type names, separated by commas or spaces",
    )  # fmt: skip
    genes = chosen_genes(joint, asked)
    table = joint.table(genes)
    if table.empty:
        st.caption("There is nothing to draw: none of these genes is known, or there are no perturbed cells.")
        return
    with st.container(border=True):
        st.plotly_chart(
            dot_plot(table, simulated=joint.simulated, value="change"), key="dots", config=pages.FIGURE,
            alt=f"log2 change and share of expressing cells of {len(genes)} genes in each entry",
        )  # fmt: skip
        with st.container(horizontal=True):
            printed = partial(print_expression.dot_plot, table, simulated=joint.simulated, value="change")
            offer_figure("primeflow-compared-genes", printed, "dots")
            offer_table("Expression (csv)", lambda: table, "primeflow-compared-expression", "dots-csv")


def chosen_genes(joint: Joint, asked: str) -> list[str]:
    if not asked.strip():
        return joint.genes
    genes, unknown = found_genes(asked, sorted(joint.shared_genes))
    if unknown:
        st.caption(plain(f"Not among the genes that all these models share: {', '.join(unknown[:8])}."))
    return list(genes)[:MOST_GENES]


def show_differences(joint: Joint) -> None:
    st.subheader("Differential expression", anchor=False)
    st.caption(
        "Each entry's cells against the control cells of its context: Welch's t test, Benjamini-Hochberg adjusted. "
        "log2 change as Scanpy computes it."
    )
    contrasts = joint.contrasts()
    if not contrasts:
        st.caption("There are no control cells to compare with.")
        return
    found = answers.result_of(
        ("differences", joint.key), lambda: differences(contrasts), Difference, "genes are being compared"
    )
    if found is None:
        return
    wanted = st.text_input("Show genes", "", key="differences_of", placeholder="All; or type names")
    table = found.table
    if wanted.strip():
        genes, _ = found_genes(wanted, sorted(set(table["gene"])))
        table = table[table["gene"].isin(genes)]
    number, whole = st.column_config.NumberColumn(format="%.2f"), st.column_config.NumberColumn(format="%.0f")
    small = st.column_config.NumberColumn(format="%.2g")
    st.dataframe(
        table.rename(columns={**COLUMNS, "contrast": "Entry", "percent_expressing_other": "% in control"}),
        hide_index=True, height=360, key="differences", alt="Differential expression of each entry",
        column_config={"log2 change": number, "t": number, "p": small, "Adjusted p": small, "% expressing": whole,
                       "% in control": whole},
    )  # fmt: skip
    offer_table("Differential expression (csv)", lambda: found.table, "primeflow-compared-genes", "differences-csv")
