"""Figures from points and tables: Plotly for finished ones, an ECharts option for the map that moves.

Measured cells are blue circles, unperturbed ones grey rings, predicted ones orange diamonds, everywhere: shape and
words say the same as colour. The colours (Okabe-Ito) have a contrast of 3:1 on light and on dark ground.
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


class Role(StrEnum):
    """What a group of cells is; drawn in this order, the last on top."""

    CONTROL = "control"
    MEASURED = "measured"
    PREDICTED = "predicted"


@dataclass(frozen=True)
class _Style:
    colour: str
    plotly: str
    echarts: str
    size: float


_STYLES = {
    Role.CONTROL: _Style("#8A94A3", "circle-open", "emptyCircle", 6),
    Role.MEASURED: _Style("#0072B2", "circle", "circle", 7),
    Role.PREDICTED: _Style("#D55E00", "diamond", "diamond", 8),
}
_REAL = {
    Role.CONTROL: "Control, measured",
    Role.MEASURED: "Perturbed, measured",
    Role.PREDICTED: "Perturbed, predicted",
}
_SIMULATED = {
    Role.CONTROL: "Control, simulated",
    Role.MEASURED: "Perturbed, simulated",
    Role.PREDICTED: "Perturbed, predicted",
}

Extent = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Group:
    """Cells of one role at their places on a map, (n, 2)."""

    role: Role
    points: np.ndarray


def name_of(role: Role, *, simulated: bool) -> str:
    """The words that legends and tables use for a role."""
    return (_SIMULATED if simulated else _REAL)[role]


def framed(extent: Extent, groups: Sequence[Group]) -> Extent:
    """The extent of a map, made wide enough for cells that lie outside of it."""
    points = np.concatenate([group.points for group in groups if len(group.points)] or [np.zeros((0, 2))])
    if not len(points):
        return extent
    (left, right), (bottom, top) = extent
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    pad_x, pad_y = 0.03 * (high[0] - low[0]), 0.03 * (high[1] - low[1])
    return (min(left, low[0] - pad_x), max(right, high[0] + pad_x)), (
        min(bottom, low[1] - pad_y),
        max(top, high[1] + pad_y),
    )


def overlay(groups: Sequence[Group], axes: tuple[str, str], extent: Extent, *, simulated: bool) -> go.Figure:
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
                marker={"symbol": style.plotly, "size": style.size, "color": style.colour, "opacity": 0.8},
                hovertemplate=f"{name_of(group.role, simulated=simulated)}<extra></extra>",
            )
        )
    x_range, y_range = framed(extent, groups)
    figure.update_layout(
        **_layout(height=460),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": None},
        xaxis=_map_axis(axes[0], x_range),
        yaxis=_map_axis(axes[1], y_range),
        dragmode="pan",
    )
    return figure


def live_map(groups: Sequence[Group], axes: tuple[str, str], extent: Extent, *, simulated: bool) -> dict[str, Any]:
    """An ECharts option whose axes stay still while the predicted cells move."""
    names = [name_of(group.role, simulated=simulated) for group in groups]
    (left, right), (bottom, top) = extent
    return {
        "animationDurationUpdate": 350,
        "animationEasingUpdate": "linear",
        "legend": {"data": names, "left": 0, "top": 0, "selectedMode": False},
        "grid": {"left": 48, "right": 12, "top": 36, "bottom": 44},
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

    ``position``: 0 at the floor, 1 at the ceiling; None where the two do not differ.
    """

    label: str
    value: float
    floor: float
    ceiling: float
    position: float | None


def agreement_ranges(ranges: Sequence[Range]) -> go.Figure:
    """Every measure as a diamond between its floor (left) and its ceiling (right)."""
    labels = [_text(entry.label) for entry in ranges]
    figure = go.Figure()
    for label, entry in zip(labels, ranges, strict=True):
        figure.add_trace(_track(label))
        for x, text, place in ((0, f"{entry.floor:.3g}", "bottom right"), (1, f"{entry.ceiling:.3g}", "bottom left")):
            figure.add_trace(_mark(x, label, text, place))
        if entry.position is not None:
            figure.add_trace(_diamond(label, entry))
    figure.update_layout(
        **_layout(height=64 * len(ranges) + 46),
        showlegend=False,
        xaxis={
            "range": [-0.18, 1.18],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "tickvals": [0, 1],
            "ticktext": ["floor: controls", "ceiling: a second experiment"],
            "side": "top",
        },
        yaxis={"autorange": "reversed", "showgrid": False, "fixedrange": True, "ticksuffix": "  ", "title": None},
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
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "title": None},
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
    return f"{name_of(group.role, simulated=simulated)} · {len(group.points):,} cells"


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
        "symbol": style.echarts,
        "symbolSize": style.size,
        "itemStyle": {"color": style.colour, "opacity": 0.8},
        "animation": moves,
        "silent": True,
        "clip": True,
        "z": 3 if moves else 2,
    }


def _track(label: str) -> go.Scatter:
    line = {"color": TRACK, "width": 8}
    return go.Scatter(x=[0, 1], y=[label, label], mode="lines", line=line, hoverinfo="skip")


def _mark(x: float, label: str, text: str, place: str) -> go.Scatter:
    return go.Scatter(
        x=[x],
        y=[label],
        mode="markers+text",
        text=[text],
        textposition=place,
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": "#8A94A3"}},
        hoverinfo="skip",
    )


def _diamond(label: str, entry: Range) -> go.Scatter:
    position = float(entry.position or 0.0)
    return go.Scatter(
        x=[min(max(position, -0.12), 1.12)],
        y=[label],
        mode="markers+text",
        text=[f"<b>{entry.value:.3g}</b>"],
        textposition="top center",
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
        marker={"symbol": style.plotly, "size": style.size + 3, "color": style.colour},
        hovertemplate="%{y}: %{x:.2f}<extra>" + name_of(role, simulated=simulated) + "</extra>",
    )
