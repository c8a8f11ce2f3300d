"""Figures from points and tables: Plotly for finished ones, an ECharts option for the map that moves.

Measured cells are blue circles, unperturbed ones grey rings, predicted ones orange diamonds, everywhere: shape and
words say the same as colour. The colours (Okabe-Ito's, the blue lightened) stand out by 3:1 on white and on dark.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

MOST_DRAWN = 20_000
GROUND = "rgba(0,0,0,0)"
FAINT = "rgba(128,136,148,0.28)"
TRACK = "rgba(128,136,148,0.35)"
LEGEND = {"orientation": "h", "x": 0, "yanchor": "bottom", "title": None}


class Role(StrEnum):
    """What a group of cells is; drawn in this order, the last on top."""

    CONTROL = "control"
    MEASURED = "measured"
    PREDICTED = "predicted"


@dataclass(frozen=True)
class _Style:
    colour: str
    symbol: str
    size: float


_STYLES = {
    Role.CONTROL: _Style("#8A94A3", "circle-open", 6),
    Role.MEASURED: _Style("#2087C6", "circle", 7),
    Role.PREDICTED: _Style("#D55E00", "diamond", 8),
}
_REAL = {Role.CONTROL: "Control", Role.MEASURED: "Measured", Role.PREDICTED: "Predicted"}
_SIMULATED = {Role.CONTROL: "Simulated control", Role.MEASURED: "Simulated", Role.PREDICTED: "Predicted"}

Extent = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Group:
    """Cells of one role at their places on a map, (n, 2)."""

    role: Role
    points: np.ndarray


def name_of(role: Role, *, simulated: bool) -> str:
    """The words that legends and tables use for a role."""
    return (_SIMULATED if simulated else _REAL)[role]


def framed(groups: Sequence[Group], at_least: Extent | None = None, margin: float = 0.05) -> Extent:
    """The range of both axes that shows all ``groups`` and ``at_least`` what is given, with a share as ``margin``."""
    points = np.concatenate([np.zeros((0, 2)), *(group.points for group in groups)])
    corners = [points.min(axis=0), points.max(axis=0)] if len(points) else []
    if at_least is not None:
        corners += [np.array([low for low, _ in at_least]), np.array([high for _, high in at_least])]
    low, high = (np.min(corners, axis=0), np.max(corners, axis=0)) if corners else (np.zeros(2), np.ones(2))
    space = np.maximum(margin * (high - low), 1e-3)
    (left, bottom), (right, top) = (low - space).tolist(), (high + space).tolist()
    return (left, right), (bottom, top)


def overlay(groups: Sequence[Group], axes: tuple[str, str], *, simulated: bool, height: int = 460) -> go.Figure:
    """The finished map: every group over the others, with words, numbers of cells and the axes' meaning."""
    figure = go.Figure()
    for group in groups:
        style = _STYLES[group.role]
        points = _thinned(group.points)
        figure.add_trace(
            go.Scattergl(
                x=points[:, 0],
                y=points[:, 1],
                name=_legend(group, simulated),
                mode="markers",
                marker={"symbol": style.symbol, "size": style.size, "color": style.colour, "opacity": 0.85},
                hovertemplate=f"{name_of(group.role, simulated=simulated)}<extra></extra>",
            )
        )
    x_range, y_range = framed(groups)
    figure.update_layout(
        **_layout(height=height),
        showlegend=True,
        legend={**LEGEND, "y": 1.02},
        xaxis=_map_axis(axes[0], x_range),
        yaxis=_map_axis(axes[1], y_range),
        dragmode="pan",
    )
    return figure


def live_map(groups: Sequence[Group], axes: tuple[str, str], extent: Extent, *, simulated: bool) -> dict[str, Any]:
    """An ECharts option whose axes stay still while the predicted cells move.

    Where nothing was measured it is open where the cells will go, so the axes hold ``extent`` of the whole map.
    """
    names = [name_of(group.role, simulated=simulated) for group in groups]
    still = [group for group in groups if group.role is not Role.PREDICTED]
    measured = any(group.role is Role.MEASURED for group in still)
    (left, right), (bottom, top) = framed(still, None if measured else extent, 0.2)
    return {
        "animationDurationUpdate": 350,
        "animationEasingUpdate": "linear",
        "legend": {"data": names, "left": 36, "top": 0, "selectedMode": False, "itemWidth": 10, "itemHeight": 10},
        "grid": {"left": 46, "right": 10, "top": 36, "bottom": 44, "outerBoundsMode": "none"},
        "tooltip": {"show": False},
        "toolbox": {"show": False},
        "dataset": [{"source": pd.DataFrame(_thinned(group.points), columns=["x", "y"])} for group in groups],
        "xAxis": _still_axis(axes[0], left, right, 26),
        "yAxis": _still_axis(axes[1], bottom, top, 32),
        "series": [_live_series(i, group, name) for i, (group, name) in enumerate(zip(groups, names, strict=True))],
    }


@dataclass(frozen=True)
class Range:
    """One measure: its value, the value of no prediction at all (floor) and of a second experiment (ceiling).

    ``tells_apart`` False: the floor is as good as the ceiling, so no place between them means anything.
    """

    label: str
    value: float
    floor: float
    ceiling: float
    tells_apart: bool = True

    @property
    def position(self) -> float | None:
        """0 at the floor, 1 at the ceiling, beyond them outside; None where the two do not tell anything apart."""
        if not self.tells_apart or self.floor == self.ceiling:
            return None
        return (self.value - self.floor) / (self.ceiling - self.floor)


def agreement_ranges(ranges: Sequence[Range]) -> go.Figure:
    """Every measure in a row of its own: a diamond between its floor (left) and its ceiling (right)."""
    figure = go.Figure()
    for row, entry in enumerate(ranges):
        figure.add_trace(_track(row))
        figure.add_trace(_ends(row, entry))
        if entry.position is not None:
            figure.add_trace(_diamond(row, entry))
        figure.add_annotation(
            x=0, y=row - 0.36, text=f"<b>{_text(entry.label)}</b>  {entry.value:.3g}", showarrow=False, xanchor="left"
        )
    figure.update_layout(
        **_layout(height=62 * len(ranges) + 34),
        showlegend=False,
        xaxis={
            "range": [-0.14, 1.14],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "tickvals": [0, 1],
            "ticktext": ["floor", "ceiling"],
            "side": "top",
        },
        yaxis={"range": [len(ranges) - 0.35, -0.65], "visible": False, "fixedrange": True},
    )
    return figure


def gene_changes(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Genes in the order of the table, from above: predicted change (diamond) and, where known, measured (circle).

    Columns: gene, predicted_change and, optionally, measured_change, both log2.
    """
    genes = [_text(gene) for gene in table["gene"]]
    figure = go.Figure()
    if "measured_change" in table:
        for gene, predicted, measured in zip(genes, table["predicted_change"], table["measured_change"], strict=True):
            figure.add_trace(_link(gene, predicted, measured))
        figure.add_trace(_changes(genes, table["measured_change"], Role.MEASURED, simulated))
    figure.add_trace(_changes(genes, table["predicted_change"], Role.PREDICTED, simulated))
    figure.add_vline(x=0, line={"color": TRACK, "width": 1})
    figure.update_layout(
        **_layout(height=24 * len(genes) + 90),
        legend={**LEGEND, "y": 1.01},
        xaxis={"title": "log2 change against control (log-normalised)", "gridcolor": FAINT, "zeroline": False},
        yaxis={"autorange": "reversed", "showgrid": False, "title": None, "dtick": 1, "fixedrange": True},
    )
    return figure


def _text(text: str) -> str:
    """Names come from files: no markup of theirs is obeyed."""
    return html.escape(str(text))


def _thinned(points: np.ndarray) -> np.ndarray:
    """At most MOST_DRAWN of the points, evenly taken."""
    if len(points) <= MOST_DRAWN:
        return points
    return points[np.linspace(0, len(points) - 1, MOST_DRAWN).astype(int)]


def _legend(group: Group, simulated: bool) -> str:
    return f"{name_of(group.role, simulated=simulated)} · {len(group.points):,}"


def _layout(*, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": GROUND,
        "plot_bgcolor": GROUND,
        "hoverlabel": {"namelength": -1},
    }


def _map_axis(title: str, extent: tuple[float, float]) -> dict[str, Any]:
    return {"title": title, "range": list(extent), "gridcolor": FAINT, "zeroline": False}


def _still_axis(title: str, low: float, high: float, gap: int) -> dict[str, Any]:
    return {
        "type": "value",
        "name": title,
        "nameLocation": "middle",
        "nameGap": gap,
        "min": low,
        "max": high,
        "axisLabel": {"showMinLabel": False, "showMaxLabel": False},
        "splitLine": {"lineStyle": {"color": FAINT}},
    }


def _live_series(index: int, group: Group, name: str) -> dict[str, Any]:
    style = _STYLES[group.role]
    moves = group.role is Role.PREDICTED
    return {
        "type": "scatter",
        "name": name,
        "datasetIndex": index,
        "encode": {"x": "x", "y": "y"},
        "symbol": style.symbol.removesuffix("-open"),
        "symbolSize": style.size,
        "itemStyle": {
            "color": GROUND if style.symbol.endswith("-open") else style.colour,
            "borderColor": style.colour,
            "borderWidth": 1,
            "opacity": 0.85,
        },
        "animation": moves,
        "silent": True,
        "clip": True,
        "z": 3 if moves else 2,
    }


def _track(row: int) -> go.Scatter:
    line = {"color": TRACK, "width": 8}
    return go.Scatter(x=[0, 1], y=[row, row], mode="lines", line=line, hoverinfo="skip")


def _ends(row: int, entry: Range) -> go.Scatter:
    return go.Scatter(
        x=[0, 1],
        y=[row, row],
        mode="markers+text",
        text=[f"{entry.floor:.3g}", f"{entry.ceiling:.3g}"],
        textposition="bottom center",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": _STYLES[Role.CONTROL].colour}},
        hoverinfo="skip",
    )


def _diamond(row: int, entry: Range) -> go.Scatter:
    position = float(entry.position or 0.0)
    return go.Scatter(
        x=[min(max(position, -0.1), 1.1)],
        y=[row],
        mode="markers",
        marker={"symbol": "diamond", "size": 15, "color": _STYLES[Role.PREDICTED].colour},
        hovertemplate=(
            f"predicted {entry.value:.4g}<br>floor {entry.floor:.4g}<br>ceiling {entry.ceiling:.4g}<br>"
            f"{position:.0%} of the way<extra></extra>"
        ),
    )


def _link(gene: str, predicted: float, measured: float) -> go.Scatter:
    line = {"color": TRACK, "width": 2}
    return go.Scatter(
        x=[predicted, measured], y=[gene, gene], mode="lines", line=line, hoverinfo="skip", showlegend=False
    )


def _changes(genes: list[str], change: pd.Series, role: Role, simulated: bool) -> go.Scatter:
    style = _STYLES[role]
    return go.Scatter(
        x=change,
        y=genes,
        mode="markers",
        name=name_of(role, simulated=simulated),
        marker={"symbol": style.symbol, "size": style.size + 3, "color": style.colour},
        hovertemplate="%{y}: %{x:.2f}<extra>" + name_of(role, simulated=simulated) + "</extra>",
    )
