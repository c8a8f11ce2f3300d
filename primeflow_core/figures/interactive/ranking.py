"""Draws the first candidates of a ranking: the predicted score of each candidate with its interval, beside the sum of
its parts and, where it was held out, the measured one."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from primeflow_core.figures.style import FAINT, LEGEND, QUIET, STYLES, Role, escaped, layout, name_of, shortened

DRAWN = 20
LONGEST_NAME = 30
PREDICTED = "Predicted, 95 % interval"
SUM = "Sum of its parts"


def first_rows(table: pd.DataFrame, most: int = DRAWN) -> pd.DataFrame:
    """The rows that are drawn: the first that have a score."""
    return table[np.isfinite(table["score"])].head(most)


def row_names(rows: pd.DataFrame) -> list[str]:
    """``rank  name`` for each row."""
    return [
        f"{rank:.0f}  {shortened(name, LONGEST_NAME)}"
        for rank, name in zip(rows["rank"], rows["perturbation"], strict=True)
    ]


def measured_of(rows: pd.DataFrame, measured: pd.Series | None) -> np.ndarray:
    """(n,) the measured scores of ``rows``, found by their index; NaN where there is none."""
    return np.full(len(rows), np.nan) if measured is None else measured.reindex(rows.index).to_numpy(np.float64)


def ranked_scores(
    table: pd.DataFrame, unit: str, measured: pd.Series | None = None, *, simulated: bool = False
) -> go.Figure:
    """Draws the first ``DRAWN`` rows of a ranked table (columns rank, perturbation, score, low, high, sum_score) and
    the ``measured`` scores of the same index."""
    rows = first_rows(table)
    places = list(range(len(rows)))
    score = rows["score"].to_numpy(np.float64)
    sums = rows["sum_score"].to_numpy(np.float64)
    known = np.isfinite(sums)
    style = STYLES[Role.PREDICTED]
    figure = go.Figure()
    if known.any():
        figure.add_trace(
            go.Scatter(
                x=sums[known], y=np.flatnonzero(known), mode="markers", name=SUM,
                marker={"symbol": "line-ns", "size": 15, "line": {"width": 3, "color": QUIET}},
                hovertemplate="sum of its parts %{x:.3g}<extra></extra>",
            )
        )  # fmt: skip
    truth = measured_of(rows, measured)
    if np.isfinite(truth).any():
        figure.add_trace(_measured(truth, name_of(Role.MEASURED, simulated=simulated)))
    figure.add_trace(
        go.Scatter(
            x=score, y=places, mode="markers", name=PREDICTED,
            marker={"symbol": style.symbol, "size": 11, "color": style.colour},
            error_x={
                "array": rows["high"] - score, "arrayminus": score - rows["low"], "color": style.colour,
                "thickness": 1.6, "width": 4,
            },
            customdata=[
                [escaped(name), low, high]
                for name, low, high in zip(rows["perturbation"], rows["low"], rows["high"], strict=True)
            ],
            hovertemplate="%{customdata[0]}: %{x:.3g} (%{customdata[1]:.3g} to %{customdata[2]:.3g})<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        **layout(height=24 * len(rows) + 110),
        showlegend=True,
        legend={**LEGEND, "y": 1.01},
        xaxis={
            "title": escaped(unit[:1].upper() + unit[1:]), "gridcolor": FAINT, "zeroline": True, "zerolinecolor": QUIET,
        },
        yaxis={
            "tickvals": places, "ticktext": [escaped(name) for name in row_names(rows)],
            "range": [len(rows) - 0.4, -0.6], "showgrid": False, "zeroline": False, "fixedrange": True,
        },
    )  # fmt: skip
    return figure


def _measured(truth: np.ndarray, name: str) -> go.Scatter:
    known = np.isfinite(truth)
    style = STYLES[Role.MEASURED]
    return go.Scatter(
        x=truth[known], y=np.flatnonzero(known), mode="markers", name=name,
        marker={"symbol": style.symbol, "size": 10, "color": style.colour},
        hovertemplate=f"{name.lower()} %{{x:.3g}}<extra></extra>",
    )  # fmt: skip
