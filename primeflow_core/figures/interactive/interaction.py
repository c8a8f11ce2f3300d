"""A combination against the sum of its single effects, gene by gene: on the diagonal there is no interaction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from primeflow_core.figures.interactive.maps import Extent, framed
from primeflow_core.figures.labels import ROOM_FOR_NAMES, Label, annotation, placed
from primeflow_core.figures.style import FAINT, LEGEND, QUIET, Group, Role, escaped, layout, marker, name_of

LABELLED = 8
SUM_AXIS = "Sum of single effects (log2 change)"
DIAGONAL = "No interaction"


@dataclass(frozen=True)
class Against:
    """Genes by the sum of single effects (across) and the combination's (upwards), ``points`` (n, 2) in log2; both axes
    have the same range, and labels go to the genes furthest from the diagonal."""

    genes: tuple[str, ...]
    points: np.ndarray
    extent: Extent
    labels: tuple[Label, ...]


def against_sum(genes: Sequence[str], sum_change: np.ndarray, double_change: np.ndarray, labels: int) -> Against:
    """Selects what the scatter plot shows, with at most ``labels`` names. Genes without a number for either change are
    omitted."""
    points = np.column_stack([sum_change, double_change]).astype(np.float64)
    known = np.logical_and.reduce(np.isfinite(points), axis=1)
    points, names = points[known], tuple(str(gene) for gene, take in zip(genes, known, strict=True) if take)
    (left, right), (bottom, top) = framed([Group(Role.PREDICTED, points)], ((-0.5, 0.5), (-0.5, 0.5)), ROOM_FOR_NAMES)
    both = (min(left, bottom), max(right, top))
    order = np.argsort(-np.abs(points[:, 1] - points[:, 0]), kind="stable").tolist()
    return Against(names, points, (both, both), tuple(placed(points, names, order, (both, both), labels)))


def combination_axis(role: Role, *, simulated: bool) -> str:
    """The title of the y axis, which says whether the change was predicted."""
    return f"Combination, {name_of(role, simulated=simulated).lower()} (log2 change)"


def interaction_scatter(
    genes: Sequence[str],
    sum_change: np.ndarray,
    double_change: np.ndarray,
    *,
    role: Role,
    simulated: bool,
    labels: int = LABELLED,
    height: int = 420,
) -> go.Figure:
    """Draws each gene (n,) by the sum of the single effects and by the change in the combination, both as log2 against
    control.

    ``role``: whether the combination is predicted or measured.
    """
    drawn = against_sum(genes, sum_change, double_change, labels)
    low, high = drawn.extent[0]
    figure = go.Figure([_diagonal(low, high), _genes(drawn, role, name_of(role, simulated=simulated))])
    for label in drawn.labels:
        figure.add_annotation(annotation(label))
    axis = {"range": [low, high], "gridcolor": FAINT, "zeroline": True, "zerolinecolor": FAINT, "zerolinewidth": 2}
    figure.update_layout(
        **layout(height=height),
        legend={**LEGEND, "y": 1.01},
        xaxis=axis | {"title": SUM_AXIS},
        yaxis=axis | {"title": combination_axis(role, simulated=simulated)},
        dragmode="pan",
    )
    return figure


def _diagonal(low: float, high: float) -> go.Scatter:
    line = {"color": QUIET, "width": 1.5, "dash": "dash"}
    return go.Scatter(x=[low, high], y=[low, high], mode="lines", name=DIAGONAL, hoverinfo="skip", line=line)


def _genes(drawn: Against, role: Role, name: str) -> go.Scattergl:
    return go.Scattergl(
        x=drawn.points[:, 0],
        y=drawn.points[:, 1],
        mode="markers",
        name=f"{name} · {len(drawn.points):,} genes",
        marker=marker(role, opacity=0.75),
        text=[escaped(gene) for gene in drawn.genes],
        hovertemplate="%{text}: sum %{x:.2f}, " + f"combination, {name.lower()} %{{y:.2f}}<extra></extra>",
    )
