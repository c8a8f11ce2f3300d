"""The first of a ranking on paper."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from primeflow_core.figures.interactive.ranking import PREDICTED, SUM, first_rows, measured_of, row_names
from primeflow_core.figures.paper.paper import key, legend, literal, name_axes, role_mark, sheet
from primeflow_core.figures.style import QUIET, STYLES, Role, name_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TICK: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 9, "markeredgewidth": 2, "color": QUIET}


def ranked_scores(
    table: pd.DataFrame, unit: str, measured: pd.Series | None = None, *, simulated: bool = False
) -> "Figure":
    """The first rows of a ranked table, as ``figures.ranking.ranked_scores`` draws them."""
    rows = first_rows(table)
    score = rows["score"].to_numpy(np.float64)
    reach = [score - rows["low"].to_numpy(np.float64), rows["high"].to_numpy(np.float64) - score]
    places = np.arange(len(rows))
    figure = sheet(0.19 * len(rows) + 0.9)
    plot = figure.add_subplot()
    known = np.isfinite(rows["sum_score"].to_numpy(np.float64))
    plot.plot(rows["sum_score"][known], places[known], zorder=2, **_TICK)
    truth = measured_of(rows, measured)
    plot.plot(truth, places, zorder=2.5, **role_mark(Role.MEASURED))
    plot.errorbar(
        score, places, xerr=np.maximum(reach, 0.0), elinewidth=1.2, capsize=2, ecolor=STYLES[Role.PREDICTED].colour,
        zorder=3, **role_mark(Role.PREDICTED),
    )  # fmt: skip
    name_axes(plot, unit[:1].upper() + unit[1:], "")
    plot.grid(visible=False, axis="y")
    plot.set_yticks(places, [literal(name) for name in row_names(rows)])
    plot.set_ylim(len(rows) - 0.4, -0.6)
    keys = [key(PREDICTED, role_mark(Role.PREDICTED))]
    if np.isfinite(truth).any():
        keys.append(key(name_of(Role.MEASURED, simulated=simulated), role_mark(Role.MEASURED)))
    legend(figure, [*keys, key(SUM, _TICK)] if known.any() else keys)
    return figure
