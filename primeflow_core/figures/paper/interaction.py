"""A combination against the sum of its single effects, on paper."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from primeflow_core.figures.interactive.interaction import DIAGONAL, LABELLED, SUM_AXIS, against_sum, combination_axis
from primeflow_core.figures.paper.paper import TRACK, draw_labels, draw_marks, key, legend, name_axes, role_mark, sheet
from primeflow_core.figures.style import QUIET, Role, name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def interaction_scatter(
    genes: Sequence[str],
    sum_change: np.ndarray,
    double_change: np.ndarray,
    *,
    role: Role,
    simulated: bool,
    labels: int = LABELLED,
) -> "Figure":
    """Draws each gene by sum and combination, like ``figures.interactive.interaction.interaction_scatter``."""
    drawn = against_sum(genes, sum_change, double_change, labels)
    name = f"{name_of(role, simulated=simulated)} · {len(drawn.points):,} genes"
    figure = sheet(5.2)
    plot = figure.add_subplot()
    ends = drawn.extent[0]
    dashed: dict[str, Any] = {"color": QUIET, "linewidth": 1.2, "linestyle": "--"}
    plot.plot(ends, ends, **dashed)
    plot.axhline(0, color=TRACK, linewidth=1)
    plot.axvline(0, color=TRACK, linewidth=1)
    draw_marks(plot, drawn.points, role_mark(role), name, 0.75)
    draw_labels(plot, drawn.labels)
    plot.set_xlim(*ends)
    plot.set_ylim(*ends)
    name_axes(plot, SUM_AXIS, combination_axis(role, simulated=simulated))
    legend(figure, [key(DIAGONAL, dashed), key(name, role_mark(role))])
    return figure
