"""A heat map of models by conditions, with the floor and the ceiling of each condition below the models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from primeflow_core.figures.interactive.pairs import NO_VALUE, NOTHING
from primeflow_core.figures.style import LEGEND, QUIET, escaped, layout, shortened

FLOOR, CEILING = "Floor", "Ceiling"
LONGEST_NAME, FEW_CONDITIONS = 26, 24
ROW = 22
BEYOND = 0.5
"""How far the colours reach beyond floor and ceiling, as a share of the distance between them."""


@dataclass(frozen=True)
class ConditionGrid:
    """One metric: ``values`` (m, c) of ``models`` by ``conditions``, means over trainings, NaN if there is no value;
    ``floor`` and ``ceiling`` (c,). ``title`` names the metric."""

    models: tuple[str, ...]
    conditions: tuple[str, ...]
    values: np.ndarray
    floor: np.ndarray
    ceiling: np.ndarray
    title: str
    smaller_is_better: bool

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of all rows, those of the bounds last."""
        return (*self.models, FLOOR, CEILING)

    @property
    def whole(self) -> np.ndarray:
        """(m + 2, c): the models, the floor, the ceiling."""
        return np.concatenate([self.values, self.floor[None], self.ceiling[None]])

    @property
    def colours(self) -> tuple[float, float]:
        """The values of the first and the last colour: all of floor and ceiling, and half as far again, so that one
        model that fails does not take every colour; less where no value reaches so far."""
        bounds = np.concatenate([self.floor, self.ceiling])
        every, bounds = self.whole[np.isfinite(self.whole)], bounds[np.isfinite(bounds)]
        if not len(every):
            return 0.0, 1.0
        low, high = (float(bounds.min()), float(bounds.max())) if len(bounds) else (float(every.min()), np.inf)
        reach = BEYOND * (high - low)
        low, high = max(low - reach, float(every.min())), min(high + reach, float(every.max()))
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def height_of(grid: ConditionGrid) -> int:
    """The height of the figure in pixels."""
    return ROW * len(grid.rows) + 190


def condition_heat_map(grid: ConditionGrid) -> go.Figure:
    """Bright is better, whichever way the metric runs. Each field has a point of the trace ``fields`` that can be
    clicked, whose first ``customdata`` is the number of the condition."""
    low, high = grid.colours
    across, upwards = list(range(len(grid.conditions))), list(range(len(grid.rows)))
    figure = go.Figure(
        go.Heatmap(
            z=grid.whole, x=across, y=upwards, zmin=low, zmax=high, xgap=1, ygap=1, hoverinfo="skip",
            colorscale="Viridis_r" if grid.smaller_is_better else "Viridis",
            colorbar={"title": {"text": escaped(grid.title), "side": "right"}, "thickness": 12, "tickformat": ".3~g"},
        )
    )  # fmt: skip
    figure.add_trace(_fields(grid))
    figure.add_trace(
        go.Scatter(
            x=[None], y=[None], mode="markers", name=NO_VALUE, showlegend=bool(np.isnan(grid.whole).any()),
            marker={"symbol": "square", "size": 12, "color": NOTHING},
        )
    )  # fmt: skip
    border = len(grid.models) - 0.5
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=border, y1=border, line={"color": QUIET, "width": 4})
    axis = {"showgrid": False, "zeroline": False, "tickmode": "array"}
    crowded = len(across) > FEW_CONDITIONS
    figure.update_layout(
        **layout(height=height_of(grid)) | {"plot_bgcolor": NOTHING},
        margin_pad=0,
        legend={**LEGEND, "y": 1.01},
        dragmode="pan",
        xaxis=axis | {
            "tickvals": across, "ticktext": _short(grid.conditions), "tickangle": -90 if crowded else -40,
            "range": [-0.5, len(across) - 0.5], "tickfont": {"size": 11} if crowded else None,
        },
        yaxis=axis | {
            "tickvals": upwards, "ticktext": _short(grid.rows), "range": [len(upwards) - 0.5, -0.5], "fixedrange": True,
        },
    )  # fmt: skip
    return figure


def _short(names: Sequence[str]) -> list[str]:
    return [escaped(shortened(name, LONGEST_NAME)) for name in names]


def _fields(grid: ConditionGrid) -> go.Scatter:
    """Heat maps cannot be clicked in Streamlit, marks can; these are not seen."""
    rows, columns = (places.ravel() for places in np.indices(grid.whole.shape))
    told = [
        [int(j), escaped(grid.rows[i]), escaped(grid.conditions[j]), _said(float(grid.whole[i, j]))]
        for i, j in zip(rows, columns, strict=True)
    ]
    clear = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=columns, y=rows, mode="markers", name="fields", showlegend=False, customdata=told,
        marker={"symbol": "square", "size": ROW - 4, "opacity": 0}, selected=clear, unselected=clear,
        hovertemplate="%{customdata[1]}, %{customdata[2]}: %{customdata[3]}<extra></extra>",
    )  # fmt: skip


def _said(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "no value"
