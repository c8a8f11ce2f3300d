"""Draws how far to trust a prediction: each metric between its floor and its ceiling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from primeflow_core.figures.interactive.maps import numbered
from primeflow_core.figures.style import (
    BASELINE_SYMBOLS,
    ENTRY_SYMBOLS,
    FAINT,
    LEGEND,
    QUIET,
    STYLES,
    TRACK,
    Role,
    escaped,
    layout,
)

# How far beyond floor and ceiling places are drawn: at least, and at most.
NEAR, FAR = (-0.1, 1.1), (-0.5, 2.0)
PALE, SILENT = 0.35, "cannot tell here"
NO_PLACE = "Here the floor is as good as the ceiling"


@dataclass(frozen=True)
class BoundedMeasure:
    """One metric: its value, the value of control cells (floor) and of a second experiment (ceiling).

    ``tells_apart`` False: the floor is as good as the ceiling, so a position between them has no meaning.
    ``baselines``: names and values of simpler ways to predict the same. ``silent``: it cannot tell a good prediction
    from typical perturbed cells, and is drawn pale.
    """

    label: str
    value: float
    floor: float
    ceiling: float
    tells_apart: bool = True
    baselines: tuple[tuple[str, float], ...] = ()
    silent: bool = False

    @property
    def position(self) -> float | None:
        """0 at the floor, 1 at the ceiling, beyond them outside; None where the two do not tell anything apart."""
        return self.place(self.value)

    def beaten_by(self, baseline: str) -> bool:
        """Whether the baseline of that name lies closer to the ceiling."""
        reached = dict(self.baselines).get(baseline)
        place = None if reached is None else self.place(reached)
        return place is not None and self.position is not None and place > self.position

    def place(self, value: float) -> float | None:
        """Like ``position``, for any value of this metric."""
        if not self.tells_apart or self.floor == self.ceiling:
            return None
        return (value - self.floor) / (self.ceiling - self.floor)


def agreement_ranges(ranges: Sequence[BoundedMeasure], *, row: int = 62) -> go.Figure:
    """Draws each metric in its own row, ``row`` pixels high: a diamond between floor (left) and ceiling (right), and
    the baselines in grey."""
    figure = go.Figure()
    symbols = baseline_symbols(ranges)
    for place, entry in enumerate(ranges):
        figure.add_trace(_track(place))
        figure.add_trace(_ends(place, entry))
        for name, value in entry.baselines:
            if entry.place(value) is not None:
                figure.add_trace(_baseline(place, entry, name, value, symbols[name]))
        if entry.position is not None:
            figure.add_trace(_diamond(place, entry))
        figure.add_annotation(x=0, y=place - 0.36, showarrow=False, xanchor="left", **_heading(entry))
    figure.add_traces(_legend(symbols))
    height = row * len(ranges) + 34
    figure.update_layout(
        **layout(height=height + 40 * bool(symbols)),
        showlegend=bool(symbols),
        legend={**LEGEND, "yanchor": "top", "y": -12 / height, "itemclick": False, "itemdoubleclick": False},
        xaxis=_scale(ranges),
        yaxis={"range": [len(ranges) - 0.35, -0.65], "visible": False, "fixedrange": True},
    )
    return figure


def agreement_of_entries(
    entries: Sequence[tuple[str, Sequence[BoundedMeasure]]], numbers: Sequence[int] | None = None
) -> go.Figure:
    """Two to six predictions by the same measures, each on the way from its own floor to its own ceiling.

    A band a measure, in it a row an entry, whose number and shape are those of the legend; ``numbers`` where they are
    not 1, 2 and so on.
    """
    labels = measures(entries)
    figure = go.Figure()
    for place, (number, title) in enumerate(numbered([title for title, _ in entries], numbers)):
        found = placed_ranges(entries[place][1])
        figure.add_trace(_entry(number, title, entry_rows(labels, found, place, len(entries)), found))
    for band in range(1, len(labels)):
        figure.add_hline(y=band - 0.5, line={"color": FAINT, "width": 1})
    for band in without_place(entries):
        figure.add_annotation(x=0.5, y=band, text=NO_PLACE, showarrow=False, font={"size": 11})
    for end in (0, 1):
        figure.add_vline(x=end, line={"color": QUIET, "width": 1.5})
    height = (17 * len(entries) + 14) * len(labels)
    figure.update_layout(
        **layout(height=height + 60 + 21 * len(entries)),
        showlegend=True,
        legend={"orientation": "v", "x": 0, "y": 1 + 26 / height, "yanchor": "bottom", "title": None},
        xaxis=_scale([entry for _, ranges in entries for entry in ranges]),
        yaxis={
            "range": [len(labels) - 0.5, -0.5],
            "tickvals": list(range(len(labels))),
            "ticktext": [escaped(label) for label in labels],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
    )
    return figure


def baseline_symbols(ranges: Sequence[BoundedMeasure]) -> dict[str, str]:
    """A shape for each baseline, in the order in which they come."""
    names = dict.fromkeys(name for entry in ranges for name, _ in entry.baselines)
    return {name: BASELINE_SYMBOLS[i % len(BASELINE_SYMBOLS)] for i, name in enumerate(names)}


def measures(entries: Sequence[tuple[str, Sequence[BoundedMeasure]]]) -> list[str]:
    """The labels of all measures, in the order in which they come."""
    return list(dict.fromkeys(entry.label for _, ranges in entries for entry in ranges))


def placed_ranges(ranges: Sequence[BoundedMeasure]) -> list[BoundedMeasure]:
    """The metrics that have a position between floor and ceiling."""
    return [entry for entry in ranges if entry.position is not None]


def without_place(entries: Sequence[tuple[str, Sequence[BoundedMeasure]]]) -> list[int]:
    """The bands of the measures in which no entry has a place."""
    placed = {entry.label for _, ranges in entries for entry in placed_ranges(ranges)}
    return [band for band, label in enumerate(measures(entries)) if label not in placed]


def entry_rows(labels: Sequence[str], ranges: Sequence[BoundedMeasure], number: int, entries: int) -> list[float]:
    """The heights of one entry's ranges in the bands of ``labels``, each 1 high and around its index."""
    offset = (number - (entries - 1) / 2) / (entries + 1)
    return [labels.index(entry.label) + offset for entry in ranges]


def reach_of(ranges: Sequence[BoundedMeasure]) -> tuple[float, float]:
    """The places between which everything is drawn: all of them as far as FAR, at least NEAR."""
    values = [(entry, value) for entry in ranges for value in (entry.value, *dict(entry.baselines).values())]
    places = [place for entry, value in values if (place := entry.place(value)) is not None]
    low, high = min([NEAR[0], *places]), max([NEAR[1], *places])
    return max(low, FAR[0]), min(high, FAR[1])


def clipped(position: float) -> float:
    """``position`` held where it is still drawn."""
    return min(max(position, FAR[0]), FAR[1])


def told(position: float) -> str:
    """The position in words. An arrow says that the mark is drawn closer to the range than the value lies."""
    arrow = " ◀" if position < FAR[0] else " ▶" if position > FAR[1] else ""
    return f"{position:.0%} of the way from floor to ceiling{arrow}"


def _scale(ranges: Sequence[BoundedMeasure]) -> Mapping[str, object]:
    low, high = reach_of(ranges)
    return {
        "range": [low - 0.1, high + 0.1],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickvals": [0, 1],
        "ticktext": ["floor", "ceiling"],
        "side": "top",
    }


def _heading(entry: BoundedMeasure) -> dict[str, object]:
    told = f"<b>{escaped(entry.label)}</b>  {entry.value:.3g}"
    return {"text": f'<span style="color:{QUIET}">{told}  {SILENT}</span>' if entry.silent else told}


def _track(row: int) -> go.Scatter:
    line = {"color": TRACK, "width": 8}
    return go.Scatter(x=[0, 1], y=[row, row], mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _ends(row: int, entry: BoundedMeasure) -> go.Scatter:
    return go.Scatter(
        x=[0, 1],
        y=[row, row],
        mode="markers+text",
        text=[f"{entry.floor:.3g}", f"{entry.ceiling:.3g}"],
        textposition="bottom center",
        marker={"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": QUIET}},
        hoverinfo="skip",
        showlegend=False,
    )


def _diamond(row: int, entry: BoundedMeasure) -> go.Scatter:
    position = float(entry.position or 0.0)
    return go.Scatter(
        x=[clipped(position)],
        y=[row],
        mode="markers",
        marker={
            "symbol": "diamond",
            "size": 15,
            "color": STYLES[Role.PREDICTED].colour,
            "opacity": PALE if entry.silent else 1.0,
        },
        showlegend=False,
        hovertemplate=(
            f"predicted {entry.value:.4g}<br>floor {entry.floor:.4g}<br>ceiling {entry.ceiling:.4g}<br>"
            f"{told(position)}<extra></extra>"
        ),
    )


def _baseline(row: int, entry: BoundedMeasure, name: str, value: float, symbol: str) -> go.Scatter:
    position = float(entry.place(value) or 0.0)
    return go.Scatter(
        x=[clipped(position)],
        y=[row],
        mode="markers",
        marker=_grey(symbol),
        showlegend=False,
        hovertemplate=f"{escaped(name)} {value:.4g}<br>{told(position)}<extra></extra>",
    )


def _legend(symbols: Mapping[str, str]) -> list[go.Scatter]:
    """Traces without a position, so that each name appears once in the legend."""
    if not symbols:
        return []
    predicted = {"symbol": "diamond", "size": 11, "color": STYLES[Role.PREDICTED].colour}
    marks = {"Predicted": predicted} | {escaped(name): _grey(symbol) for name, symbol in symbols.items()}
    return [go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=mark) for name, mark in marks.items()]


def _grey(symbol: str) -> dict[str, object]:
    return {"symbol": symbol, "size": 11, "color": QUIET, "line": {"width": 2.5, "color": QUIET}}


def _entry(number: int, name: str, rows: Sequence[float], ranges: Sequence[BoundedMeasure]) -> go.Scatter:
    places = [float(entry.position or 0.0) for entry in ranges]
    return go.Scatter(
        x=[clipped(place) for place in places],
        y=list(rows),
        mode="markers+text",
        name=escaped(name),
        text=[str(number)] * len(places),
        textposition="middle right",
        marker={
            "symbol": ENTRY_SYMBOLS[(number - 1) % len(ENTRY_SYMBOLS)],
            "size": 12,
            "color": STYLES[Role.PREDICTED].colour,
        },
        customdata=[
            [entry.value, entry.floor, entry.ceiling, told(p)] for entry, p in zip(ranges, places, strict=True)
        ],
        hovertemplate=(
            f"{escaped(name)}<br>predicted %{{customdata[0]:.4g}}<br>floor %{{customdata[1]:.4g}}<br>"
            "ceiling %{customdata[2]:.4g}<br>%{customdata[3]}<extra></extra>"
        ),
    )
