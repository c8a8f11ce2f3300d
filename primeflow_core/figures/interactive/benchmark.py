"""A metric of all models of a benchmark: a mark for each training, the mean, between floor and ceiling."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from primeflow_core.figures.axis_reach import AxisReach, axis_reach
from primeflow_core.figures.style import FAINT, LEGEND, QUIET, STYLES, Role, escaped, layout, shortened

SEED, MEAN = "One training", "Mean over trainings"
FLOOR, CEILING = "Floor: control cells", "Ceiling: half of the measured cells"
SIMULATED_CEILING = "Ceiling: half of the simulated cells"
BASELINE = "Baseline: typical perturbed cells"
LONGEST_NAME = 30
ROW = 25
BESIDE = 64
"""Pixels for the means that lie outside."""


def metric_of_models(rows: pd.DataFrame, name: str, title: str, *, simulated: bool) -> go.Figure:
    """``rows`` has one row for each condition (columns model, guidance, seed, ``name``, its floor, ceiling and baseline
    where they are known); models from the first of them downwards. The mark of a training is the mean over its
    conditions. Models far beyond floor and ceiling have their mean written beside the axis. A double click shows the
    whole axis."""
    by_model = list(rows.groupby(["model", "guidance"], sort=False))
    of_seeds = [group.groupby("seed")[name].mean().to_numpy(np.float64) for _, group in by_model]
    names = [escaped(shortened(str(model), LONGEST_NAME)) for (model, _), _ in by_model]
    count = len(by_model)
    figure = go.Figure([_seeds(of_seeds, names), _means(of_seeds, names)])
    for bound, told, look in _lines(simulated):
        if f"{name}_{bound}" in rows:
            figure.add_trace(_line(float(rows[f"{name}_{bound}"].mean()), count, told, look))
    figure.update_layout(
        **layout(height=ROW * count + 130),
        showlegend=True,
        legend={**LEGEND, "y": 1.01},
        xaxis={"title": escaped(title), "gridcolor": FAINT, "zeroline": False},
        yaxis={
            "tickvals": list(range(count)), "ticktext": names, "range": [count - 0.4, -0.6], "showgrid": False,
            "zeroline": False, "fixedrange": True,
        },
    )  # fmt: skip
    if reach := axis_reach(of_seeds, rows, name):
        _limit(figure, reach)
    return figure


def _limit(figure: go.Figure, reach: AxisReach) -> None:
    """Sets the range of the axis. Writes the means outside it beside the axis, where no mark can cover them."""
    figure.update_xaxes(range=[reach.low, reach.high])
    figure.update_layout(margin_r=BESIDE)
    for model in reach.beyond:
        figure.add_annotation(
            x=1, xref="x domain", y=model.number, xanchor="left", text=model.text, showarrow=False,
            font={"color": QUIET},
        )  # fmt: skip


def _seeds(of_seeds: list[np.ndarray], names: list[str]) -> go.Scatter:
    style = STYLES[Role.PREDICTED]
    places = np.repeat(np.arange(len(of_seeds)), [len(values) for values in of_seeds])
    return go.Scatter(
        x=np.concatenate(of_seeds), y=places, mode="markers", name=SEED,
        marker={"symbol": style.symbol, "size": style.size, "color": style.colour, "opacity": 0.75},
        customdata=[names[place] for place in places],
        hovertemplate="%{customdata}: %{x:.4g}<extra></extra>",
    )  # fmt: skip


def _means(of_seeds: list[np.ndarray], names: list[str]) -> go.Scatter:
    means = [float(values.mean()) for values in of_seeds]
    return go.Scatter(
        x=means, y=list(range(len(means))), mode="markers", name=MEAN, customdata=names,
        marker={"symbol": "line-ns", "size": 15, "line": {"width": 3, "color": QUIET}},
        hovertemplate="%{customdata}: %{x:.4g} on average<extra></extra>",
    )  # fmt: skip


def _lines(simulated: bool) -> list[tuple[str, str, dict[str, object]]]:
    ceiling = SIMULATED_CEILING if simulated else CEILING
    return [
        ("floor", FLOOR, {"color": QUIET, "dash": "dash", "width": 1.6}),
        ("baseline", BASELINE, {"color": QUIET, "dash": "dot", "width": 1.6}),
        ("ceiling", ceiling, {"color": STYLES[Role.MEASURED].colour, "dash": "solid", "width": 1.6}),
    ]


def _line(place: float, count: int, told: str, look: dict[str, object]) -> go.Scatter:
    return go.Scatter(
        x=[place, place], y=[-0.6, count - 0.4], mode="lines", name=told, line=look,
        hovertemplate=f"{told} %{{x:.4g}}<extra></extra>",
    )  # fmt: skip
