"""Expression of chosen genes on paper."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from primeflow_core.figures.interactive.expression import (
    AT_ZERO,
    COLOURED,
    DIVERGING,
    LONGEST_NAME,
    MEAN,
    SIZES,
    Violin,
    colour_ends,
    column_title,
    columns_of,
    dot_size,
    percent,
    violin_columns,
    violins_of,
)
from primeflow_core.figures.paper.paper import (
    INK,
    POINTS_A_PIXEL,
    SMALL,
    draw_marks,
    key,
    legend,
    literal,
    mark,
    name_axes,
    role_mark,
    sheet,
)
from primeflow_core.figures.style import EXPRESSION_AXIS, QUIET, STYLES, Role, name_of, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def violins(expression: Mapping[str, Mapping[Role, np.ndarray]], *, simulated: bool) -> "Figure":
    """Draws one to six genes, each with its cells by role, like ``figures.interactive.expression.violins``."""
    columns = violin_columns(len(expression))
    rows = -(-len(expression) // columns)
    figure = sheet(2.6 * rows + 0.6, max(2.4 * columns, 3.6))
    plots = figure.subplots(rows, columns, squeeze=False).ravel()
    present: set[Role] = set()
    for i, (gene, groups) in enumerate(expression.items()):
        shapes = violins_of(groups)
        for place, shape in enumerate(shapes):
            _draw_violin(plots[i], shape, place)
            present.add(shape.role)
        name_axes(plots[i], "", EXPRESSION_AXIS if i % columns == 0 else "")
        plots[i].grid(visible=False, axis="x")
        plots[i].set_title(literal(shortened(gene, LONGEST_NAME)), fontsize=SMALL + 2, color=INK)
        plots[i].set_xticks(range(len(shapes)), [f"{percent(shape.share)}\n> 0" for shape in shapes])
        plots[i].set_xlim(-0.55, len(shapes) - 0.45)
    for plot in plots[len(expression) :]:
        plot.set_visible(False)
    keys = [key(name_of(role, simulated=simulated), role_mark(role)) for role in Role if role in present]
    keys += [key(name, {"color": QUIET, "linewidth": width}) for name, width in ((MEAN, 1.8), (AT_ZERO, 5))]
    legend(figure, keys, 3 if columns < 3 else 5)
    return figure


def dot_plot(table: pd.DataFrame, *, simulated: bool, value: Literal["mean", "change"] = "mean") -> "Figure":
    """Genes by conditions, as ``figures.expression.dot_plot`` draws them."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    genes = list(dict.fromkeys(table["gene"]))
    places = columns_of(table)
    colours = ScalarMappable(Normalize(*colour_ends(table[value], value)), _colours(value))
    figure = sheet(0.27 * len(genes) + 2.0, 0.42 * len(places) + 2.4)
    plot = figure.add_subplot()
    for role in Role:
        rows = table[table["role"] == role]
        across = [places.index((str(condition), role)) for condition in rows["condition"]]
        plot.scatter(
            across, [genes.index(gene) for gene in rows["gene"]], zorder=3, **_dots(rows, role, colours, value)
        )
    name_axes(plot, "", "")
    plot.grid(visible=False, axis="x")
    titles = [literal(column_title(*place, simulated=simulated)) for place in places]
    plot.set_xticks(range(len(places)), titles, rotation=40, ha="right", rotation_mode="anchor")
    plot.set_yticks(range(len(genes)), [literal(shortened(gene, LONGEST_NAME)) for gene in genes])
    plot.set_xlim(-0.6, len(places) - 0.4)
    plot.set_ylim(len(genes) - 0.4, -0.6)
    bar = figure.colorbar(colours, ax=plot, fraction=0.06, pad=0.02)
    bar.set_label(COLOURED[value], fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL - 1, length=0, colors=INK)
    bar.outline.set_visible(False)
    legend(figure, [key(f"{size} % > 0", mark("circle", dot_size(size), QUIET)) for size in SIZES])
    return figure


def _draw_violin(plot: "Axes", shape: Violin, place: int) -> None:
    colour = STYLES[shape.role].colour
    left, right = place - shape.width, place + shape.width
    plot.fill_betweenx(shape.levels, left, right, facecolor=colour, alpha=0.18, linewidth=0, zorder=1)
    plot.plot(
        np.concatenate([left, right[::-1]]), np.concatenate([shape.levels, shape.levels[::-1]]), color=colour,
        linewidth=0.9, zorder=2,
    )  # fmt: skip
    draw_marks(plot, shape.dots + np.array([place, 0.0]), role_mark(shape.role, -3), name="", opacity=0.6)
    plot.plot([place - shape.zeros, place + shape.zeros], [0, 0], color=colour, linewidth=5, solid_capstyle="butt")
    plot.plot([place - 0.3, place + 0.3], [shape.mean] * 2, color=colour, linewidth=1.8, zorder=4)


def _dots(rows: pd.DataFrame, role: Role, colours: Any, value: str) -> dict[str, Any]:
    """Area, shape and colour of the marks of one role; a ring has its colour on the line."""
    look = role_mark(role)
    filled = colours.to_rgba(rows[value].to_numpy(np.float64))
    ring = look["markerfacecolor"] == "none"
    return {
        "s": [(POINTS_A_PIXEL * dot_size(each)) ** 2 for each in rows["percent"]],
        "marker": look["marker"],
        "facecolors": "none" if ring else filled,
        "edgecolors": filled if ring else QUIET,
        "linewidths": 2.0 if ring else 0.6,
    }


def _colours(value: Literal["mean", "change"]) -> "Colormap":
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    return colormaps["viridis"] if value == "mean" else LinearSegmentedColormap.from_list("change", DIVERGING)
