"""Changes of genes on paper."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primeflow_core.figures.interactive.genes import NOT_CLEAR, P_AXIS, Side, clear_name, from_up_to_down, volcano_of
from primeflow_core.figures.paper.paper import (
    TRACK,
    draw_labels,
    draw_marks,
    key,
    legend,
    literal,
    mark,
    name_axes,
    role_mark,
    sheet,
)
from primeflow_core.figures.style import CHANGE_AXIS, QUIET, STYLES, Role, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ranked_bars(table: pd.DataFrame, *, simulated: bool) -> "Figure":
    """Genes from the most raised to the most lowered, as ``figures.genes.ranked_bars`` draws them."""
    ranked = from_up_to_down(table)
    figure = sheet(0.24 * len(ranked) + 1.1)
    plot = figure.add_subplot()
    colour = STYLES[Role.PREDICTED].colour
    plot.barh(np.arange(len(ranked)), ranked["predicted_change"], 0.55, color=colour, alpha=0.45, zorder=2)
    _draw_rows(figure, plot, ranked, simulated, larger=1)
    return figure


def volcano(table: pd.DataFrame, side: Side, *, simulated: bool, least_change: float, largest_p: float) -> "Figure":
    """Draws each gene by its change and its adjusted p, like ``figures.interactive.genes.volcano``."""
    drawn = volcano_of(table, side, least_change, largest_p)
    role = Role(side)
    figure = sheet(4.4)
    plot = figure.add_subplot()
    grey = mark("circle", 4, QUIET)
    draw_marks(plot, drawn.points[~drawn.clear], grey, NOT_CLEAR, 0.6)
    draw_marks(plot, drawn.points[drawn.clear], role_mark(role), clear_name(drawn, role, simulated=simulated), 0.85)
    for threshold in (-least_change, least_change):
        plot.axvline(threshold, color=QUIET, linewidth=0.9, linestyle="--")
    plot.axhline(-np.log10(largest_p), color=QUIET, linewidth=0.9, linestyle="--")
    draw_labels(plot, drawn.labels)
    plot.set_xlim(*drawn.extent[0])
    plot.set_ylim(*drawn.extent[1])
    name_axes(plot, CHANGE_AXIS, P_AXIS)
    legend(
        figure,
        [
            key(f"{NOT_CLEAR} · {(~drawn.clear).sum():,}", grey),
            key(clear_name(drawn, role, simulated=simulated), role_mark(role)),
        ],
    )
    return figure


def _draw_rows(figure: "Figure", plot: "Axes", table: pd.DataFrame, simulated: bool, larger: float) -> None:
    """Measured and predicted marks, a gene a row from above, with names, zero line and legend."""
    roles = [role for role in (Role.MEASURED, Role.PREDICTED) if f"{role}_change" in table]
    rows = np.arange(len(table))
    for role in roles:
        points = np.column_stack([table[f"{role}_change"].to_numpy(np.float64), rows])
        draw_marks(plot, points, role_mark(role, larger), name_of(role, simulated=simulated))
    name_axes(plot, CHANGE_AXIS, "")
    plot.axvline(0, color=TRACK, linewidth=1)
    plot.set_yticks(rows, [literal(gene) for gene in table["gene"]])
    plot.set_ylim(len(table) - 0.4, -0.6)
    plot.grid(visible=False, axis="y")
    legend(figure, [key(name_of(role, simulated=simulated), role_mark(role)) for role in roles])
