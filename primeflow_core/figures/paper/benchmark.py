"""A metric of all models of a benchmark on paper: a mark for each seed, the mean, between floor and ceiling."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from primeflow_core.figures.axis_reach import AxisReach, axis_reach
from primeflow_core.figures.paper.paper import INK, SMALL, key, legend, literal, mark, name_axes, sheet
from primeflow_core.figures.style import QUIET, STYLES, Role

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEED, MEAN = "one training", "mean over trainings"
_MEAN: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 12, "markeredgewidth": 2.2, "color": INK}
BESIDE = 1.01
"""Where means outside the axis are written, as a share of its width. No mark can lie there."""
_LINES = {
    "floor": ("control cells (floor)", QUIET, "--"),
    "baseline": ("typical perturbed cells (baseline)", QUIET, ":"),
    "ceiling": ("half of the {truth} cells (ceiling)", STYLES[Role.MEASURED].colour, "-"),
}


def metric_of_models(rows: pd.DataFrame, name: str, title: str, *, simulated: bool) -> "Figure":
    """``rows`` as benchmark.store gives them, one a condition; models from the first of them downwards."""
    by_model = list(rows.groupby(["model", "guidance"], sort=False))
    figure = sheet(0.24 * len(by_model) + 1.1)
    plot = figure.add_subplot()
    of_seeds = [of_model.groupby("seed")[name].mean().to_numpy(np.float64) for _, of_model in by_model]
    for place, values in enumerate(of_seeds):
        plot.plot(values, np.full(len(values), place), alpha=0.8, zorder=3, **_seed())
        plot.plot([values.mean()], [place], zorder=4, **_MEAN)
    keys = [key(SEED, _seed()), key(MEAN, _MEAN)]
    for bound, (told, colour, line) in _LINES.items():
        if f"{name}_{bound}" in rows:
            place_of = float(rows[f"{name}_{bound}"].mean())
            plot.axvline(place_of, color=colour, linestyle=line, linewidth=1.4, zorder=2)
            truth = "simulated" if simulated else "measured"
            keys.append(key(told.format(truth=truth), {"color": colour, "linestyle": line}))
    name_axes(plot, title, "")
    plot.grid(visible=False, axis="y")
    names = [literal(_named(str(model), float(str(weight)))) for (model, weight), _ in by_model]
    plot.set_yticks(range(len(names)), names)
    plot.set_ylim(len(names) - 0.4, -0.6)
    if reach := axis_reach(of_seeds, rows, name):
        _limit(plot, reach)
    legend(figure, keys, columns=2)
    return figure


def _limit(plot: "Axes", reach: AxisReach) -> None:
    plot.set_xlim(reach.low, reach.high)
    for model in reach.beyond:
        plot.text(
            BESIDE, model.number, model.text, transform=plot.get_yaxis_transform(), va="center", fontsize=SMALL,
            color=INK,
        )  # fmt: skip


def _seed() -> dict[str, Any]:
    return mark(STYLES[Role.PREDICTED].symbol, STYLES[Role.PREDICTED].size, STYLES[Role.PREDICTED].colour)


def _named(model: str, weight: float) -> str:
    return model if weight == 1 else f"{model}, w = {weight:g}"
