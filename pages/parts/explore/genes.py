"""Genes that change most: ranked bars, a volcano, a dot plot, and the expression of any gene, cell by cell."""

from functools import partial

import numpy as np
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

import pages
from pages import plain
from pages.parts.shared.answers import Answer
from pages.parts.shared.saving import offer_figure
from pages.parts.shared.view import View
from primeflow_core.data.gene_search import found_genes
from primeflow_core.evaluation.response import LARGEST_P, LEAST_CHANGE
from primeflow_core.figures.interactive.expression import dot_plot, violins
from primeflow_core.figures.interactive.genes import Side, ranked_bars, volcano
from primeflow_core.figures.paper import expression as print_expression
from primeflow_core.figures.paper import genes as print_genes
from primeflow_core.figures.style import Role
from primeflow_core.prediction.gene_expression import CellsOfRole, expression_by_role, expression_table
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.report.condition_finding import GENES_DRAWN

DOTTED, MOST_SEARCHED = 20, 6
COLUMNS = (
    "gene", "predicted_change", "measured_change", "expected", "agrees", "predicted_p", "measured_p",
)  # fmt: skip
RANKED, VOLCANO, DOTS, SEARCHED = "Ranked", "Volcano", "Dot plot", "My genes"


def show_genes(view: View, answer: Answer, found: Comparison) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Genes that change most", anchor=False, width="content")
        kind = st.segmented_control(
            "Figure of genes", [RANKED, VOLCANO, DOTS, SEARCHED], default=RANKED, required=True, key="genes_as",
            bind="query-params", label_visibility="collapsed",
        )  # fmt: skip
    st.caption(
        "log2 change of the mean log-normalised expression against control. A gene is expected to change if it changes "
        f"by {LEAST_CHANGE:g} or more, with an adjusted p below {LARGEST_P:g}. Agreement means the same direction; by "
        "chance, half of the genes agree."
    )
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True):
        {RANKED: ranked, VOLCANO: changes_and_p, DOTS: dots, SEARCHED: searched}[kind](view, answer, found)
    with grid.cell():
        st.dataframe(
            found.response.table,
            hide_index=True,
            height=520,
            column_order=COLUMNS,
            column_config=gene_columns(view),
            alt="All genes with predicted and measured change",
        )


def ranked(view: View, answer: Answer, found: Comparison) -> None:
    shown = found.response.most_changed(GENES_DRAWN)
    st.plotly_chart(
        ranked_bars(shown, simulated=view.simulated), key="genes", config=pages.FIGURE,
        alt=f"log2 change of {', '.join(shown['gene'].head(5))} and {len(shown) - 5} more genes",
    )  # fmt: skip
    offer_figure("primeflow-genes", partial(print_genes.ranked_bars, shown, simulated=view.simulated), "genes")


def changes_and_p(view: View, answer: Answer, found: Comparison) -> None:
    """A volcano of the predicted or the measured response."""
    sides: dict[str, Side] = {"Predicted": "predicted"}
    if found.response.measured:
        sides["Simulated" if view.simulated else "Measured"] = "measured"
    word = st.segmented_control("Volcano of", list(sides), default="Predicted", required=True, key="volcano_of")
    side = sides[word or "Predicted"]
    table = found.response.table
    st.plotly_chart(
        volcano(table, side, simulated=view.simulated, least_change=LEAST_CHANGE, largest_p=LARGEST_P),
        key="volcano", config=pages.FIGURE,
        alt=f"Volcano of the {side} response: {found.response.up} genes expected up, "
        f"{found.response.down} down",
    )  # fmt: skip
    printed = partial(
        print_genes.volcano, table, side, simulated=view.simulated, least_change=LEAST_CHANGE, largest_p=LARGEST_P
    )
    offer_figure("primeflow-volcano", printed, "volcano")


def dots(view: View, answer: Answer, found: Comparison) -> None:
    genes = list(found.response.most_changed(DOTTED)["gene"])
    columns = [CellsOfRole(view.condition.label, role, cells) for role, cells in roles_of(view, answer).items()]
    table = expression_table(view.model.manifest.genes, columns, genes)
    st.plotly_chart(
        dot_plot(table, simulated=view.simulated), key="dots", config=pages.FIGURE,
        alt=f"Share of expressing cells and mean expression of {len(genes)} genes in control, measured and predicted",
    )  # fmt: skip
    offer_figure("primeflow-dots", partial(print_expression.dot_plot, table, simulated=view.simulated), "dots")


def searched(view: View, answer: Answer, found: Comparison) -> None:
    """Violins of the genes that the user types: in any case, by other names, or by Ensembl ids."""
    usual = ", ".join(found.response.most_changed(2)["gene"])
    asked = st.text_input(
        "Genes", usual, key="gene_search", bind="query-params", placeholder=f"For instance: {usual}",
        help=f"Up to {MOST_SEARCHED}, separated by commas or spaces. Other names and Ensembl ids work too.",
    )  # fmt: skip
    genes, unknown = found_genes(asked, view.model.manifest.genes)
    if unknown:
        known = f"{len(view.model.manifest.genes):,} genes of this model"
        st.caption(plain(f"Not among the {known}: {_some(unknown)}."))
    if not genes:
        st.info("Type one or more genes to see their expression, cell by cell.", icon=":material/search:")
        return
    if len(genes) > MOST_SEARCHED:
        st.caption(f"The first {MOST_SEARCHED} of {len(genes)} genes are drawn.")
    expression = expression_by_role(view.model.manifest.genes, roles_of(view, answer), genes[:MOST_SEARCHED])
    st.plotly_chart(
        violins(expression, simulated=view.simulated), key="violins", config=pages.FIGURE,
        alt=f"Expression of {', '.join(genes[:MOST_SEARCHED])} in control, measured and predicted cells",
    )  # fmt: skip
    offer_figure(
        "primeflow-violins", partial(print_expression.violins, expression, simulated=view.simulated), "violins"
    )


def roles_of(view: View, answer: Answer) -> dict[Role, np.ndarray]:
    """The cells (n, G) of each role; roles without cells are left out."""
    cells = {
        Role.CONTROL: view.known.controls if view.known else None,
        Role.MEASURED: view.measured,
        Role.PREDICTED: answer.prediction.values,
    }
    return {role: values for role, values in cells.items() if values is not None and len(values)}


def gene_columns(view: View) -> dict[str, ColumnConfig | str | None]:
    truth = "Simulated" if view.simulated else "Measured"
    number = partial(st.column_config.NumberColumn, format="%.2f")
    p_value = partial(st.column_config.NumberColumn, format="%.2g")
    return {
        "gene": st.column_config.TextColumn("Gene", pinned=True),
        "predicted_change": number("Predicted", help="log2 change against control, log-normalised"),
        "predicted_p": p_value("Predicted p", help="Welch's t test, Benjamini-Hochberg adjusted"),
        "expected": st.column_config.TextColumn("Expected"),
        "measured_change": number(truth, help="log2 change against control, log-normalised"),
        "measured_p": p_value(f"{truth} p", help="Welch's t test, Benjamini-Hochberg adjusted"),
        "agrees": st.column_config.CheckboxColumn("Agrees", help="Same direction in the measured cells"),
    }


def _some(names: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
