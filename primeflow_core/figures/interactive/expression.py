"""Expression of chosen genes: the spread over cells, and the mean over conditions.

Most values of most genes are exactly 0, which a smoothed density would smear into values that no cell has. The violin
is therefore of the cells above 0 alone, its area their share; the cells at 0 are a bar as wide as theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from primeflow_core.figures.style import (
    EXPRESSION_AXIS,
    FAINT,
    LEGEND,
    QUIET,
    STYLES,
    Role,
    escaped,
    layout,
    marker,
    name_of,
    shortened,
)

LONGEST_NAME = 24
LEVELS = 80
MOST_DOTS = 120
HALF_WIDTH = 0.42
NARROWEST_BANDWIDTH = 0.05
GOLDEN = (5**0.5 - 1) / 2
MEAN = "Mean of all cells"
AT_ZERO = "Cells at 0"
LARGEST_DOT = 20.0
SIZES = (10, 50, 100)
DIVERGING = ("#2087C6", "#E4E7EB", "#D55E00")
COLOURED = {"mean": "Mean (log-normalised)", "change": "log2 change against control"}


@dataclass(frozen=True)
class Violin:
    """Cells of one role: how many, the ``share`` above 0, the ``mean`` of all; at each of the ``levels`` (k,) above 0
    the half ``width`` (k,) of the violin; ``dots`` (m, 2), some of the cells above 0, sideways and by level."""

    role: Role
    cells: int
    share: float
    mean: float
    levels: np.ndarray
    width: np.ndarray
    dots: np.ndarray

    @property
    def zeros(self) -> float:
        """Half the width of the bar at 0."""
        return HALF_WIDTH * (1.0 - self.share) if self.cells else 0.0


def violins_of(groups: Mapping[Role, np.ndarray]) -> list[Violin]:
    """A violin of each role, in the order of the roles; areas above 0 are in proportion to shares of cells."""
    shapes = [_violin(role, np.asarray(groups[role], np.float64).ravel()) for role in Role if role in groups]
    widest = max((shape.width.max(initial=0.0) for shape in shapes), default=0.0) or 1.0
    return [_scaled(shape, HALF_WIDTH / widest) for shape in shapes]


def percent(share: float) -> str:
    """A share in words that never round a few cells away."""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def violin_columns(genes: int) -> int:
    return min(genes, 3)


def violins(expression: Mapping[str, Mapping[Role, np.ndarray]], *, simulated: bool, height: int = 250) -> go.Figure:
    """Draws one to six genes, each with its cells by role. ``height``: of a row, in pixels; values are log-normalised.

    Below each violin: the share of cells above 0.
    """
    columns = violin_columns(len(expression))
    rows = -(-len(expression) // columns)
    figure = make_subplots(
        rows, columns, subplot_titles=[escaped(shortened(gene, LONGEST_NAME)) for gene in expression],
        horizontal_spacing=0.08, vertical_spacing=0.22 if rows > 1 else 0,
    )  # fmt: skip
    named: set[Role] = set()
    for i, (gene, groups) in enumerate(expression.items()):
        shapes = violins_of(groups)
        at = {"row": i // columns + 1, "col": i % columns + 1}
        for place, shape in enumerate(shapes):
            for trace in _drawn(shape, place, escaped(gene), name_of(shape.role, simulated=simulated)):
                trace.update(showlegend=bool(trace.showlegend) and shape.role not in named)
                figure.add_trace(trace, **at)
            named.add(shape.role)
        figure.update_xaxes(
            tickvals=list(range(len(shapes))), ticktext=[f"{percent(shape.share)}<br>> 0" for shape in shapes],
            range=[-0.55, len(shapes) - 0.45], **at,
        )  # fmt: skip
    figure.add_traces(_explained())
    figure.update_layout(**layout(height=height * rows + 90), legend={**LEGEND, "y": 1 + 34 / (height * rows)})
    figure.update_xaxes(showgrid=False, zeroline=False, fixedrange=True, tickfont={"size": 11})
    figure.update_yaxes(gridcolor=FAINT, zeroline=False)
    figure.update_yaxes(title=EXPRESSION_AXIS, col=1)
    return figure


def dot_plot(table: pd.DataFrame, *, simulated: bool, value: Literal["mean", "change"] = "mean") -> go.Figure:
    """Genes (rows) by conditions (columns): the area of a mark is the share of cells above 0, its colour ``value``.

    Columns: gene, condition, role (control, measured, predicted), percent (0 to 100), and mean (log-normalised) or
    change (log2). The shape of a mark is its role's.
    """
    genes = list(dict.fromkeys(table["gene"]))
    places = columns_of(table)
    low, high = colour_ends(table[value], value)
    figure = go.Figure()
    for role in Role:
        rows = table[table["role"] == role]
        if len(rows):
            figure.add_trace(_role_dots(rows, role, places, genes, name_of(role, simulated=simulated), value))
    for size in SIZES:
        mark = {"symbol": "circle", "size": dot_size(size), "color": QUIET, "line": {"width": 0}}
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=f"{size} % > 0", marker=mark))
    figure.update_layout(
        **layout(height=30 * len(genes) + 190),
        legend={**LEGEND, "y": 1.0 + 12 / (30 * len(genes)), "itemsizing": "trace"},
        coloraxis={
            "colorscale": "Viridis" if value == "mean" else [[i / 2, colour] for i, colour in enumerate(DIVERGING)],
            "cmin": low, "cmax": high,
            "colorbar": {"title": {"text": COLOURED[value], "side": "right"}, "thickness": 12},
        },
        xaxis={
            "tickvals": list(range(len(places))),
            "ticktext": [escaped(column_title(*place, simulated=simulated)) for place in places],
            "range": [-0.6, len(places) - 0.4], "tickangle": -40, "showgrid": False, "zeroline": False,
        },
        yaxis={
            "tickvals": list(range(len(genes))), "ticktext": [escaped(shortened(gene, LONGEST_NAME)) for gene in genes],
            "range": [len(genes) - 0.4, -0.6], "gridcolor": FAINT, "zeroline": False,
        },
    )  # fmt: skip
    return figure


def columns_of(table: pd.DataFrame) -> list[tuple[str, Role]]:
    """Condition and role of each column of a dot plot: conditions as they come, in each the roles in their order."""
    found = {(str(condition), Role(role)) for condition, role in zip(table["condition"], table["role"], strict=True)}
    return [
        (name, role) for name in dict.fromkeys(map(str, table["condition"])) for role in Role if (name, role) in found
    ]


def column_title(condition: str, role: Role, *, simulated: bool) -> str:
    """The label below a column of a dot plot."""
    return f"{shortened(condition, LONGEST_NAME)} · {name_of(role, simulated=simulated).lower()}"


def colour_ends(values: pd.Series, value: Literal["mean", "change"]) -> tuple[float, float]:
    """The values of the first and the last colour: viridis starts at 0, blue to orange is even around 0."""
    finite = np.abs(values.to_numpy(np.float64))
    most = float(finite[np.isfinite(finite)].max(initial=0.0)) or 1.0
    return (0.0 if value == "mean" else -most), most


def dot_size(percent_above: float) -> float:
    """The width in pixels of a mark whose area is in proportion to ``percent_above``, 0 to 100."""
    return float(LARGEST_DOT * np.sqrt(np.clip(percent_above, 0.0, 100.0) / 100.0))


def _violin(role: Role, values: np.ndarray) -> Violin:
    above = np.sort(values[values > 0])
    share = len(above) / len(values) if len(values) else 0.0
    levels = width = np.zeros(0)
    if len(above) > 1:
        spread = min(above.std(), np.subtract(*np.percentile(above, [75, 25])) / 1.34) or above.std()
        bandwidth = max(0.9 * spread * len(above) ** -0.2, NARROWEST_BANDWIDTH)
        levels = np.linspace(max(above[0] - 2 * bandwidth, 0.0), above[-1] + 2 * bandwidth, LEVELS)
        kernel = np.exp(-0.5 * ((levels[:, None] - above[None, :]) / bandwidth) ** 2)
        width = share * kernel.mean(axis=1) / bandwidth
    some = above[np.linspace(0, len(above) - 1, min(len(above), MOST_DOTS)).astype(int)]
    sideways = 2.0 * ((GOLDEN * np.arange(len(some))) % 1.0) - 1.0
    mean = float(values.mean()) if len(values) else 0.0
    return Violin(role, len(values), share, mean, levels, width, np.column_stack([sideways, some]))


def _scaled(shape: Violin, factor: float) -> Violin:
    width = factor * shape.width
    room = np.interp(shape.dots[:, 1], shape.levels, width) if len(width) else np.zeros(len(shape.dots))
    dots = np.column_stack([0.9 * room * shape.dots[:, 0], shape.dots[:, 1]])
    return Violin(shape.role, shape.cells, shape.share, shape.mean, shape.levels, width, dots)


def _drawn(shape: Violin, place: int, gene: str, name: str) -> list[go.Scatter]:
    """The outline, dots, bar at 0 and mean of one violin at x = ``place``. Only the dots appear in the legend."""
    style = STYLES[shape.role]
    outline = np.concatenate([place - shape.width, (place + shape.width)[::-1]])
    told = (
        f"{gene}, {name.lower()}: {percent(shape.share)} of {shape.cells:,} cells above 0, "
        f"mean of all {shape.mean:.2f}<extra></extra>"
    )
    return [
        go.Scatter(
            x=outline, y=np.concatenate([shape.levels, shape.levels[::-1]]), mode="lines", fill="toself",
            line={"color": style.colour, "width": 1.2}, fillcolor=_pale(style.colour), hoverinfo="skip",
            showlegend=False,
        ),
        go.Scatter(
            x=place + shape.dots[:, 0], y=shape.dots[:, 1], mode="markers", name=name, legendgroup=shape.role,
            marker=marker(shape.role, larger=-3, opacity=0.6), showlegend=True, hovertemplate=told,
        ),
        go.Scatter(
            x=[place - shape.zeros, place + shape.zeros], y=[0, 0], mode="lines",
            line={"color": style.colour, "width": 7}, hovertemplate=told, showlegend=False,
        ),
        go.Scatter(
            x=[place - 0.3, place, place + 0.3], y=[shape.mean] * 3, mode="lines",
            line={"color": style.colour, "width": 2.5}, hovertemplate=told, showlegend=False,
        ),
    ]  # fmt: skip


def _explained() -> list[go.Scatter]:
    """Legend entries of the marks that all roles have."""
    lines = {MEAN: {"color": QUIET, "width": 2.5}, AT_ZERO: {"color": QUIET, "width": 7}}
    return [go.Scatter(x=[None], y=[None], mode="lines", name=name, line=line) for name, line in lines.items()]


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _role_dots(
    rows: pd.DataFrame, role: Role, places: list[tuple[str, Role]], genes: list[str], name: str, value: str
) -> go.Scatter:
    symbol = STYLES[role].symbol
    line = {"width": 3 if symbol.endswith("-open") else 0.8}
    return go.Scatter(
        x=[places.index((str(condition), role)) for condition in rows["condition"]],
        y=[genes.index(gene) for gene in rows["gene"]],
        mode="markers",
        name=name,
        showlegend=False,
        marker={
            "symbol": symbol,
            "size": [dot_size(each) for each in rows["percent"]],
            "color": rows[value],
            "coloraxis": "coloraxis",
            "opacity": 1.0,
            "line": line if symbol.endswith("-open") else line | {"color": QUIET},
        },
        customdata=[
            [escaped(gene), escaped(condition), percent(above / 100)]
            for gene, condition, above in zip(rows["gene"], rows["condition"], rows["percent"], strict=True)
        ],
        hovertemplate=(
            f"%{{customdata[0]}} in %{{customdata[1]}}, {name.lower()}<br>{COLOURED[value]} %{{marker.color:.2f}}<br>"
            "%{customdata[2]} of cells above 0<extra></extra>"
        ),
    )
