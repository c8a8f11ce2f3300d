"""A heat map of all pairs on paper."""

from typing import TYPE_CHECKING, Any

import numpy as np

from primeflow_core.figures.interactive.pairs import (
    LONGEST_NAME,
    MIDDLE,
    NO_VALUE,
    TWO_SIDED,
    PairGrid,
    Scale,
    colours_of,
    ring_name,
    ring_size,
)
from primeflow_core.figures.paper.paper import INK, POINTS_A_PIXEL, SMALL, key, legend, literal, mark, sheet
from primeflow_core.figures.style import STYLES, Role, shortened

NOTHING = "#BCC1C8"

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def heat_map(grid: PairGrid, title: str, scale: Scale, *, simulated: bool, smaller_is_better: bool = False) -> "Figure":
    """Draws each name against each other name, like ``figures.interactive.pairs.heat_map``."""
    low, high = colours_of(grid, scale)
    count = len(grid.names)
    side = max(3.6, 0.13 * count + 1.4)
    figure = sheet(side, side + 1.0)
    plot = figure.add_subplot()
    plot.set_facecolor(NOTHING)
    image = plot.imshow(grid.values, cmap=_colours(scale, smaller_is_better), vmin=low, vmax=high, aspect="equal")
    rows, columns = np.nonzero(grid.measured)
    plot.plot(columns, rows, **_ring(0.75 * ring_size(grid)))
    names = [literal(shortened(name, LONGEST_NAME)) for name in grid.names]
    plot.set_xticks(range(count), names, rotation=50, ha="right", rotation_mode="anchor")
    plot.set_yticks(range(count), names)
    plot.tick_params(labelsize=SMALL if count <= 30 else SMALL - 2, length=0, colors=INK)
    plot.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=plot, shrink=0.6, aspect=30)
    bar.set_label(literal(title), fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, length=0, colors=INK)
    bar.outline.set_visible(False)
    legend(figure, [key(ring_name(simulated=simulated), _ring(9)), key(NO_VALUE, mark("square", 11, NOTHING))])
    return figure


def _ring(size: float) -> dict[str, Any]:
    """White with a blue edge, as on the screen; ``size`` in pixels."""
    look = mark("circle", size, "#FFFFFF")
    return look | {"markeredgecolor": STYLES[Role.MEASURED].colour, "markeredgewidth": 2 * POINTS_A_PIXEL}


def _colours(scale: Scale, smaller_is_better: bool) -> "Colormap":
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    if scale in MIDDLE:
        return LinearSegmentedColormap.from_list("two-sided", TWO_SIDED)
    return colormaps["viridis_r" if smaller_is_better else "viridis"]
