"""Two-dimensional maps of cells: the finished figure in Plotly, and an ECharts option while cells are being made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from primeflow_core.figures.style import (
    FAINT,
    GROUND,
    LEGEND,
    STYLES,
    Group,
    Role,
    counted,
    escaped,
    layout,
    marker,
    name_of,
    shortened,
)

MOST_DRAWN, MOST_ELEMENTS = 20_000, 1_000
LONGEST_TITLE = 26
OUTLINE = "#CC79A7"
OUTLINE_DASHES = ("solid", "dash", "dot", "dashdot")
Extent = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Outline:
    """A selection of cells that was kept: its ``name`` and the corners of its polygon, (k, 2)."""

    name: str
    corners: np.ndarray

    @property
    def closed(self) -> np.ndarray:
        """The corners with the first one repeated at the end, (k + 1, 2)."""
        return np.concatenate([self.corners, self.corners[:1]])


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


def overlay(
    groups: Sequence[Group],
    axes: tuple[str, str],
    *,
    simulated: bool,
    height: int = 460,
    dragmode: Literal["pan", "lasso"] = "pan",
    outlines: Sequence[Outline] = (),
) -> go.Figure:
    """The finished map: every group over the others, with words, numbers of cells and the axes' meaning.

    ``outlines`` are drawn over the cells. The ``meta`` of each trace of cells is its role.
    """
    figure = go.Figure([_cells(group, counted(group, simulated=simulated)) for group in groups])
    for i, outline in enumerate(outlines):
        figure.add_trace(_outlined(outline, OUTLINE_DASHES[i % len(OUTLINE_DASHES)]))
    x_range, y_range = framed(groups)
    figure.update_layout(
        **layout(height=height),
        showlegend=True,
        legend={**LEGEND, "y": 1.02},
        xaxis=_map_axis(axes[0], x_range),
        yaxis=_map_axis(axes[1], y_range),
        dragmode=dragmode,
    )
    return figure


def many_maps(
    entries: Sequence[tuple[str, Sequence[Group]]],
    axes: tuple[str, str],
    numbers: Sequence[int] | None = None,
    *,
    simulated: bool,
    height: int = 300,
) -> go.Figure:
    """Two to six titled maps on the same axes; ``height`` of each row in pixels."""
    columns = map_columns(len(entries))
    rows = -(-len(entries) // columns)
    titles = [title for _, title in numbered([title for title, _ in entries], numbers)]
    figure = make_subplots(
        rows, columns, shared_xaxes="all", shared_yaxes="all", x_title=axes[0], y_title=axes[1],
        subplot_titles=[escaped(shortened(title, LONGEST_TITLE)) for title in titles],
        horizontal_spacing=0.03, vertical_spacing=0.09 if rows > 1 else 0,
    )  # fmt: skip
    named: set[Role] = set()
    for i, (_, groups) in enumerate(entries):
        for group in groups:
            trace = _cells(group, name_of(group.role, simulated=simulated), smaller=2)
            trace.update(legendgroup=group.role, showlegend=group.role not in named)
            named.add(group.role)
            figure.add_trace(trace, i // columns + 1, i % columns + 1)
    x_range, y_range = framed([group for _, groups in entries for group in groups])
    figure.update_layout(**layout(height=height * rows + 90), legend={**LEGEND, "y": 1 + 34 / (height * rows)})
    figure.update_layout(margin={"l": 56, "r": 8, "t": 8, "b": 52}, dragmode="pan")
    figure.update_annotations(font={"size": 12})
    figure.update_xaxes(range=list(x_range), gridcolor=FAINT, zeroline=False)
    figure.update_yaxes(range=list(y_range), gridcolor=FAINT, zeroline=False)
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
        "dataset": [{"source": pd.DataFrame(thinned(group.points), columns=["x", "y"])} for group in groups],
        "xAxis": _still_axis(axes[0], left, right, 26),
        "yAxis": _still_axis(axes[1], bottom, top, 32),
        "series": [_live_series(i, group, name) for i, (group, name) in enumerate(zip(groups, names, strict=True))],
    }


def map_columns(maps: int) -> int:
    """The number of maps in one row."""
    return maps if maps <= 3 else 2 if maps == 4 else 3


def numbered(titles: Sequence[str], numbers: Sequence[int] | None = None) -> list[tuple[int, str]]:
    """Entries of a comparison, each with the number that it has in all figures; its title starts with that number."""
    return [(i, f"{i}  {title}") for i, title in zip(numbers or range(1, len(titles) + 1), titles, strict=True)]


def thinned(points: np.ndarray) -> np.ndarray:
    """Selects at most MOST_DRAWN of the points, evenly."""
    if len(points) <= MOST_DRAWN:
        return points
    return points[np.linspace(0, len(points) - 1, MOST_DRAWN).astype(int)]


def _cells(group: Group, name: str, smaller: float = 0.0) -> go.Scatter | go.Scattergl:
    """The trace of a group of cells. Few points are SVG elements: they stay sharp, and browsers allow few WebGL
    contexts."""
    points = thinned(group.points)
    kind = go.Scatter if len(points) <= MOST_ELEMENTS else go.Scattergl
    return kind(
        x=points[:, 0],
        y=points[:, 1],
        name=name,
        mode="markers",
        marker=marker(group.role, larger=-smaller, opacity=0.85),
        meta=group.role.value,
        hovertemplate=f"{name.partition(' · ')[0]}<extra></extra>",
    )


def _outlined(outline: Outline, dash: str) -> go.Scatter:
    corners = outline.closed
    return go.Scatter(
        x=corners[:, 0],
        y=corners[:, 1],
        name=escaped(outline.name),
        mode="lines",
        line={"color": OUTLINE, "width": 2.5, "dash": dash},
        hoverinfo="name",
    )


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
    style = STYLES[group.role]
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
