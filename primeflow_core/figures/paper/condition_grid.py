"""Models by conditions on paper."""

from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.figures.interactive.condition_grid import LONGEST_NAME, ConditionGrid
from primeflow_core.figures.interactive.pairs import NO_VALUE
from primeflow_core.figures.paper.pairs import NOTHING
from primeflow_core.figures.paper.paper import INK, SMALL, key, legend, literal, mark, sheet
from primeflow_core.figures.style import QUIET, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def condition_heat_map(grid: ConditionGrid) -> "Figure":
    """Draws the same as ``figures.interactive.condition_grid.condition_heat_map``."""
    low, high = grid.colours
    across, upwards = len(grid.conditions), len(grid.rows)
    figure = sheet(0.2 * upwards + 1.8, max(5.2, 0.18 * across + 2.6))
    plot = figure.add_subplot()
    plot.set_facecolor(NOTHING)
    colours = "viridis_r" if grid.smaller_is_better else "viridis"
    image = plot.imshow(grid.whole, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    plot.axhline(len(grid.models) - 0.5, color=QUIET, linewidth=2.5)
    conditions = [literal(shortened(name, LONGEST_NAME)) for name in grid.conditions]
    plot.set_xticks(range(across), conditions, rotation=50, ha="right", rotation_mode="anchor")
    plot.set_yticks(range(upwards), [literal(shortened(name, LONGEST_NAME)) for name in grid.rows])
    plot.tick_params(labelsize=SMALL if across <= 30 else SMALL - 2, length=0, colors=INK)
    plot.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=plot, shrink=0.8, aspect=30)
    bar.set_label(literal(grid.title), fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, length=0, colors=INK)
    bar.outline.set_visible(False)
    if np.isnan(grid.whole).any():
        legend(figure, [key(NO_VALUE, mark("square", 11, NOTHING))])
    return figure
