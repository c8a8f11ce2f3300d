"""Changes of genes, predicted and measured, in log2 against control."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from primeflow_core.figures.interactive.maps import Extent, framed
from primeflow_core.figures.labels import ROOM_FOR_NAMES, Label, annotation, placed
from primeflow_core.figures.style import (
    CHANGE_AXIS,
    FAINT,
    LEGEND,
    QUIET,
    STYLES,
    TRACK,
    Group,
    Role,
    escaped,
    layout,
    marker,
    name_of,
)

Side = Literal["predicted", "measured"]
P_AXIS = "−log10 of adjusted p"
NOT_CLEAR = "No clear change"
LABELLED = 8
# Below this a p-value is 0 in double precision, and has no logarithm.
SMALLEST_P = 1e-300


def ranked_bars(table: pd.DataFrame, *, simulated: bool) -> go.Figure:
    """Genes from the most raised to the most lowered: a bar to the predicted change, a circle at the measured one.

    Columns: gene, predicted_change and, optionally, measured_change, both log2.
    """
    ranked = from_up_to_down(table)
    genes = [escaped(gene) for gene in ranked["gene"]]
    figure = go.Figure(
        go.Bar(
            x=ranked["predicted_change"],
            y=genes,
            orientation="h",
            marker={"color": STYLES[Role.PREDICTED].colour, "opacity": 0.45, "line": {"width": 0}},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    figure.add_trace(_changes(genes, ranked["predicted_change"], Role.PREDICTED, simulated))
    if "measured_change" in ranked:
        figure.add_trace(_changes(genes, ranked["measured_change"], Role.MEASURED, simulated))
    figure.update_layout(bargap=0.45)
    return _in_rows(figure, len(genes))


def from_up_to_down(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by predicted change, the largest first."""
    return table.sort_values("predicted_change", ascending=False, kind="stable")


@dataclass(frozen=True)
class Volcano:
    """The data of a volcano plot: each gene by log2 change (x) and −log10 adjusted p (y), ``points`` (n, 2), and
    whether it changes clearly, ``clear`` (n,); the range of both axes, and the names of the labelled genes."""

    genes: tuple[str, ...]
    points: np.ndarray
    clear: np.ndarray
    extent: Extent
    labels: tuple[Label, ...]


def volcano_of(table: pd.DataFrame, side: Side, least_change: float, largest_p: float) -> Volcano:
    """Selects what a volcano plot of one side shows. Genes without a change or a p are omitted.

    Clear: |log2 change| of ``least_change`` or more and p below ``largest_p``. Labels go to the clear genes whose
    change times −log10 p is the largest.
    """
    known = table.dropna(subset=[f"{side}_change", f"{side}_p"])
    p = known[f"{side}_p"].to_numpy(np.float64)
    x = known[f"{side}_change"].to_numpy(np.float64)
    points = np.column_stack([x, -np.log10(np.clip(p, SMALLEST_P, 1.0))])
    clear = (np.abs(x) >= least_change) & (p < largest_p)
    genes = tuple(str(gene) for gene in known["gene"])
    reach = 1.5 * least_change
    corner = ((-reach, reach), (0.0, 1.3 * -float(np.log10(largest_p))))
    extent = framed([Group(Role.PREDICTED, points)], corner, ROOM_FOR_NAMES)
    strength = np.abs(points).prod(axis=1)
    order = [int(i) for i in np.argsort(-strength, kind="stable") if clear[i]]
    return Volcano(genes, points, clear, extent, tuple(placed(points, genes, order, extent, LABELLED)))


def clear_name(drawn: Volcano, role: Role, *, simulated: bool) -> str:
    """The legend of the genes that change clearly."""
    return f"{name_of(role, simulated=simulated)} · {drawn.clear.sum():,} genes change"


def volcano(
    table: pd.DataFrame, side: Side, *, simulated: bool, least_change: float, largest_p: float, height: int = 420
) -> go.Figure:
    """Draws each gene by its change and its adjusted p. Genes that do not pass both dashed thresholds are grey.

    Columns: gene, and of ``side`` its change (log2) and p (adjusted), as ``evaluation.response`` names them.
    """
    drawn = volcano_of(table, side, least_change, largest_p)
    role = Role(side)
    grey = {"symbol": "circle", "size": 4, "color": QUIET, "opacity": 0.6}
    figure = go.Figure(
        [
            _dots(drawn, ~drawn.clear, f"{NOT_CLEAR} · {(~drawn.clear).sum():,}", grey),
            _dots(drawn, drawn.clear, clear_name(drawn, role, simulated=simulated), marker(role, opacity=0.85)),
        ]
    )
    dashed = {"color": QUIET, "width": 1, "dash": "dash"}
    for threshold in (-least_change, least_change):
        figure.add_vline(x=threshold, line=dashed, layer="below")
    figure.add_hline(y=-np.log10(largest_p), line=dashed, layer="below")
    for label in drawn.labels:
        figure.add_annotation(annotation(label))
    across, upwards = drawn.extent
    figure.update_layout(
        **layout(height=height),
        legend={**LEGEND, "y": 1.01},
        xaxis={"title": CHANGE_AXIS, "range": list(across), "gridcolor": FAINT, "zeroline": False},
        yaxis={"title": P_AXIS, "range": list(upwards), "gridcolor": FAINT, "zeroline": False},
        dragmode="pan",
    )
    return figure


def _in_rows(figure: go.Figure, genes: int) -> go.Figure:
    figure.add_vline(x=0, line={"color": TRACK, "width": 1})
    figure.update_layout(
        **layout(height=24 * genes + 90),
        legend={**LEGEND, "y": 1.01},
        xaxis={"title": CHANGE_AXIS, "gridcolor": FAINT, "zeroline": False},
        yaxis={"autorange": "reversed", "showgrid": False, "title": None, "dtick": 1, "fixedrange": True},
    )
    return figure


def _changes(genes: list[str], change: pd.Series, role: Role, simulated: bool) -> go.Scatter:
    return go.Scatter(
        x=change,
        y=genes,
        mode="markers",
        name=name_of(role, simulated=simulated),
        marker=marker(role, larger=3),
        hovertemplate="%{y}: %{x:.2f}<extra>" + name_of(role, simulated=simulated) + "</extra>",
    )


def _dots(drawn: Volcano, chosen: np.ndarray, name: str, mark: dict[str, object]) -> go.Scattergl:
    p = 10 ** -drawn.points[chosen, 1]
    return go.Scattergl(
        x=drawn.points[chosen, 0],
        y=drawn.points[chosen, 1],
        mode="markers",
        name=name,
        marker=mark,
        text=[escaped(gene) for gene, take in zip(drawn.genes, chosen, strict=True) if take],
        customdata=[f"at most {SMALLEST_P:g}" if value <= SMALLEST_P else f"{value:.2g}" for value in p],
        hovertemplate="%{text}: log2 change %{x:.2f}, adjusted p %{customdata}<extra></extra>",
    )
