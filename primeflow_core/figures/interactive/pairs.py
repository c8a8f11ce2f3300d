"""A heat map of all pairs: each name against each other one, the same value on both sides of the diagonal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from primeflow_core.figures.style import LEGEND, STYLES, Role, escaped, layout, name_of, shortened

MOST_NAMES = 60
LONGEST_NAME = 18
FEW_NAMES = 24
NOTHING = "rgba(128,136,148,0.55)"
NO_VALUE = "No value"
Scale = Literal["score", "signed", "interaction"]
INTERACTION = "Size, as a share of the sum of its parts"
MIDDLE: dict[Scale, float] = {"signed": 0.0, "interaction": 1.0}
TWO_SIDED = ("#2087C6", "#F7F8F9", "#D55E00")
# A scale no finer than this: smaller interactions are noise.
LEAST_REACH = 0.25


@dataclass(frozen=True)
class PairGrid:
    """``names`` (n,) in the order of their best pair; ``values`` (n, n) symmetric, NaN if there is no value;
    ``measured`` (n, n); ``left_out``: the number of names that are not shown."""

    names: tuple[str, ...]
    values: np.ndarray
    measured: np.ndarray
    left_out: int = 0

    @property
    def rings(self) -> list[tuple[str, str]]:
        """Across and upwards: the cells that were measured."""
        return [(self.names[j], self.names[i]) for i, j in np.argwhere(self.measured)]


def pair_grid(
    pairs: Sequence[tuple[str, str]], values: Sequence[float], measured: Sequence[bool], most: int = MOST_NAMES
) -> PairGrid:
    """The grid of ``pairs``, which come in the order of their ranking; at most the first ``most`` names."""
    every = list(dict.fromkeys(name for pair in pairs for name in pair))
    names = every[:most]
    place = {name: i for i, name in enumerate(names)}
    grid = np.full((len(names), len(names)), np.nan)
    known = np.zeros(grid.shape, dtype=bool)
    for (one, other), value, was_measured in zip(pairs, values, measured, strict=True):
        if one in place and other in place:
            for i, j in ((place[one], place[other]), (place[other], place[one])):
                grid[i, j], known[i, j] = value, was_measured
    return PairGrid(tuple(names), grid, known, len(every) - len(names))


def colours_of(grid: PairGrid, scale: Scale) -> tuple[float, float]:
    """The values of the first and the last colour: signed scores are even around 0, an interaction around 1, where
    nothing interacts."""
    finite = grid.values[np.isfinite(grid.values)]
    if scale in MIDDLE:
        reach = float(np.abs(finite - MIDDLE[scale]).max(initial=0.0)) or 0.5
        if scale == "interaction":
            reach = float(np.clip(reach, LEAST_REACH, 1.0))
        return MIDDLE[scale] - reach, MIDDLE[scale] + reach
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def height_of(grid: PairGrid) -> int:
    """The height of the figure in pixels. Each name takes 24 pixels if all names fit, and at least 13."""
    count = len(grid.names)
    return max(13 * count, min(24 * count, 480)) + 170


def heat_map(
    grid: PairGrid, title: str, scale: Scale, *, simulated: bool, smaller_is_better: bool = False
) -> go.Figure:
    """``title`` names the values with their unit; measured pairs have a ring, and pairs without a value are grey."""
    low, high = colours_of(grid, scale)
    names = tick_names(grid)
    sequential = "Viridis_r" if smaller_is_better else "Viridis"
    figure = go.Figure(
        go.Heatmap(
            z=grid.values, x=names, y=names, zmin=low, zmax=high,
            colorscale=[[i / 2, colour] for i, colour in enumerate(TWO_SIDED)] if scale in MIDDLE else sequential,
            colorbar={"title": {"text": escaped(title), "side": "right"}, "thickness": 12, "tickformat": ".3~g"},
            customdata=[[f"{escaped(one)} + {escaped(other)}" for other in grid.names] for one in grid.names],
            hovertemplate="%{customdata}: %{z:.3g}<extra></extra>", hoverongaps=False, xgap=1, ygap=1,
        )
    )  # fmt: skip
    figure.add_trace(_rings(grid, names, simulated))
    figure.add_trace(_key(NO_VALUE, {"symbol": "square", "size": 12, "color": NOTHING}))
    crowded = len(names) > FEW_NAMES
    # Without ticks of its own an axis of categories shows as many names as have room, more when zoomed in.
    axis = {
        "type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False, "zeroline": False,
        "tickfont": {"size": 11} if crowded else None, "range": [-0.5, len(names) - 0.5],
    }  # fmt: skip
    figure.update_layout(
        **layout(height=height_of(grid)) | {"plot_bgcolor": NOTHING},
        showlegend=True,
        legend={**LEGEND, "y": 1.01},
        xaxis=axis | {"tickangle": -90 if crowded else -50},
        yaxis=axis | {"range": [len(names) - 0.5, -0.5]},
    )
    return figure


def tick_names(grid: PairGrid) -> list[str]:
    """(n,) different from each other: names that would be cut to the same text stay whole."""
    short = [shortened(name, LONGEST_NAME) for name in grid.names]
    return [escaped(one if short.count(one) == 1 else name) for one, name in zip(short, grid.names, strict=True)]


def ring_size(grid: PairGrid) -> float:
    """The size of a mark inside a cell of the grid, in pixels."""
    return float(np.clip(330 / max(1, len(grid.names)), 4.0, 11.0))


def ring_name(*, simulated: bool) -> str:
    return name_of(Role.MEASURED, simulated=simulated)


def _rings(grid: PairGrid, names: Sequence[str], simulated: bool) -> go.Scatter:
    """The marks are white with a blue edge, which is visible on every colour of both scales."""
    rows, columns = np.nonzero(grid.measured)
    return go.Scatter(
        x=[names[j] for j in columns.tolist()], y=[names[i] for i in rows.tolist()], mode="markers",
        name=ring_name(simulated=simulated), hoverinfo="skip",
        marker={
            "symbol": "circle", "size": ring_size(grid), "color": "#FFFFFF",
            "line": {"width": 2, "color": STYLES[Role.MEASURED].colour},
        },
    )  # fmt: skip


def _key(name: str, mark: dict[str, object]) -> go.Scatter:
    return go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=mark)
