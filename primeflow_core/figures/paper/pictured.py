"""The paper's Figure 1, drawn for print."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from primeflow_core.figures.interactive.pictured import (
    LONGEST_TITLE,
    OPACITY,
    OTHERS_OPACITY,
    OTHERS_SIZE,
    SMALLER,
    Scene,
    panel_columns,
)
from primeflow_core.figures.paper.paper import INK, SMALL, key, legend, literal, mark, name_axes, role_mark, sheet
from primeflow_core.figures.style import QUIET, Group, Role, name_of, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def pictured_models(scene: Scene, panels: Sequence[tuple[str, np.ndarray]]) -> "Figure":
    """Draws the same as ``figures.interactive.pictured.pictured_models``. Cells are embedded as a picture, because
    there are many."""
    columns = panel_columns(len(panels))
    rows = -(-len(panels) // columns)
    figure = sheet(2.7 * rows + 0.7, 2.7 * columns)
    plots = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    across, upwards = scene.extent(panels)
    for plot, (title, points) in zip(plots, panels, strict=False):
        _draw(plot, scene.others, _others())
        for group in (*scene.groups, Group(Role.PREDICTED, points)):
            _draw(plot, group.points, role_mark(group.role, SMALLER) | {"alpha": OPACITY[group.role]})
        name_axes(plot, "", "")
        plot.set_title(literal(shortened(title, LONGEST_TITLE)), fontsize=SMALL + 1, color=INK)
        plot.set_xlim(*across)
        plot.set_ylim(*upwards)
    for plot in plots[len(panels) :]:
        plot.set_visible(False)
    figure.supxlabel(literal(scene.axes[0]), fontsize=SMALL + 1, color=INK)
    figure.supylabel(literal(scene.axes[1]), fontsize=SMALL + 1, color=INK)
    roles = [key(name_of(role, simulated=scene.simulated), role_mark(role)) for role in Role]
    legend(figure, [key(scene.others_name, _others()), *roles], columns=2 if columns < 3 else 4)
    return figure


def _others() -> dict[str, Any]:
    return mark("circle", OTHERS_SIZE, QUIET) | {"alpha": OTHERS_OPACITY}


def _draw(plot: "Axes", points: np.ndarray, look: dict[str, Any]) -> None:
    across, upwards = np.asarray(points, np.float64).reshape(-1, 2).T
    plot.plot(across, upwards, rasterized=True, zorder=3, **look)
