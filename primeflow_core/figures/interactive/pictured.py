"""The paper's Figure 1: cells on principal components, one panel per model, over the measured cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from primeflow_core.figures.interactive.maps import Extent, framed
from primeflow_core.figures.style import (
    FAINT,
    LEGEND,
    QUIET,
    Group,
    Role,
    escaped,
    layout,
    marker,
    name_of,
    shortened,
)

LONGEST_TITLE = 30
MOST_ELEMENTS = 4_000
OTHERS = "others"
OTHERS_SIZE, OTHERS_OPACITY = 4.0, 0.35
MOST_PANELS = 12
# A thousand diamonds hide what is under them, unless they are small and let it through.
SMALLER = -3.0
OPACITY = {Role.CONTROL: 0.6, Role.MEASURED: 0.9, Role.PREDICTED: 0.5}


@dataclass(frozen=True)
class Scene:
    """The data that all panels share: positions (n, 2) of measured cells, ``others`` those of other conditions, and the
    axes."""

    others: np.ndarray
    control: np.ndarray
    truth: np.ndarray
    axes: tuple[str, str]
    simulated: bool

    @property
    def groups(self) -> tuple[Group, ...]:
        return Group(Role.CONTROL, self.control), Group(Role.MEASURED, self.truth)

    @property
    def others_name(self) -> str:
        return f"{'Simulated' if self.simulated else 'Measured'}, other conditions"

    def extent(self, panels: Sequence[tuple[str, np.ndarray]]) -> Extent:
        """The range of both axes that shows everything."""
        found = [Group(Role.PREDICTED, points) for _, points in panels]
        return framed([*self.groups, Group(Role.CONTROL, self.others), *found])


def panel_columns(panels: int) -> int:
    """The number of panels in one row."""
    return panels if panels <= 2 else 2 if panels == 4 else 3


def pictured_models(
    scene: Scene, panels: Sequence[tuple[str, np.ndarray]], *, height: int = 290, letters: int = 12
) -> go.Figure:
    """``panels``: a model's name and the places (n, 2) of its predicted cells; all on the same axes. ``height`` of a
    row and of the ``letters`` of titles in pixels. The ``meta`` of each trace is its role, or ``others``."""
    columns = panel_columns(len(panels))
    rows = -(-len(panels) // columns)
    figure = make_subplots(
        rows, columns, shared_xaxes="all", shared_yaxes="all", x_title=scene.axes[0], y_title=scene.axes[1],
        subplot_titles=[escaped(shortened(title, LONGEST_TITLE)) for title, _ in panels],
        horizontal_spacing=0.03, vertical_spacing=0.09 if rows > 1 else 0,
    )  # fmt: skip
    # One kind for all, or the browser would draw some groups under others.
    drawn = sum(map(len, (scene.others, scene.control, scene.truth))) * len(panels)
    kind = go.Scattergl if drawn + sum(len(points) for _, points in panels) > MOST_ELEMENTS else go.Scatter
    for i, (_, points) in enumerate(panels):
        for trace in _panel(scene, points, kind, first=i == 0):
            figure.add_trace(trace, i // columns + 1, i % columns + 1)
    x_range, y_range = scene.extent(panels)
    figure.update_layout(**layout(height=height * rows + 90), legend={**LEGEND, "y": 1 + 34 / (height * rows)})
    figure.update_layout(
        legend_itemsizing="constant",
        margin={"l": 20 + 3 * letters, "r": 8, "t": 8, "b": 16 + 3 * letters},
        dragmode="pan",
    )
    figure.update_annotations(font={"size": letters})
    figure.update_xaxes(range=list(x_range), gridcolor=FAINT, zeroline=False)
    figure.update_yaxes(range=list(y_range), gridcolor=FAINT, zeroline=False)
    return figure


def _panel(scene: Scene, points: np.ndarray, kind: type, *, first: bool) -> list[go.Scatter | go.Scattergl]:
    look = {"symbol": "circle", "size": OTHERS_SIZE, "color": QUIET, "opacity": OTHERS_OPACITY}
    found = [_cells(kind, scene.others, scene.others_name, OTHERS, look, first)]
    for group in (*scene.groups, Group(Role.PREDICTED, points)):
        look = marker(group.role, larger=SMALLER, opacity=OPACITY[group.role])
        found.append(
            _cells(kind, group.points, name_of(group.role, simulated=scene.simulated), group.role.value, look, first)
        )
    return found


def _cells(
    kind: type, points: np.ndarray, name: str, meta: str, look: dict[str, object], first: bool
) -> go.Scatter | go.Scattergl:
    return kind(
        x=points[:, 0], y=points[:, 1], mode="markers", name=name, legendgroup=meta, showlegend=first, meta=meta,
        marker=look, hovertemplate=f"{name}<extra></extra>",
    )  # fmt: skip
