"""Metrics between floor and ceiling, drawn for print."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from primeflow_core.figures.interactive.agreement import (
    NO_PLACE,
    PALE,
    SILENT,
    BoundedMeasure,
    baseline_symbols,
    clipped,
    entry_rows,
    measures,
    placed_ranges,
    reach_of,
    without_place,
)
from primeflow_core.figures.interactive.maps import numbered
from primeflow_core.figures.paper.paper import GRID, INK, SMALL, TRACK, key, legend, literal, mark, sheet
from primeflow_core.figures.style import ENTRY_SYMBOLS, QUIET, STYLES, Role

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREDICTED = STYLES[Role.PREDICTED].colour


def agreement_ranges(ranges: Sequence[BoundedMeasure]) -> "Figure":
    """Draws each metric in its own row, like ``figures.interactive.agreement.agreement_ranges``."""
    symbols = baseline_symbols(ranges)
    figure = sheet(0.55 * len(ranges) + 0.4 + 0.3 * bool(symbols))
    plot = figure.add_subplot()
    for row, entry in enumerate(ranges):
        _draw_track(plot, row, entry)
        for name, value in entry.baselines:
            place = entry.place(value)
            if place is not None:
                plot.plot([clipped(place)], [row], zorder=3, **mark(symbols[name], 11, QUIET))
        if entry.position is not None:
            strength = PALE if entry.silent else 1.0
            plot.plot([clipped(entry.position)], [row], zorder=4, alpha=strength, **mark("diamond", 13, PREDICTED))
    _scale(plot, ranges, len(ranges) - 0.35, -0.65)
    plot.set_yticks([])
    if symbols:
        looks = {"Predicted": mark("diamond", 9, PREDICTED)}
        looks |= {name: mark(symbol, 10, QUIET) for name, symbol in symbols.items()}
        legend(figure, [key(name, look) for name, look in looks.items()], 4)
    return figure


def agreement_of_entries(
    entries: Sequence[tuple[str, Sequence[BoundedMeasure]]], numbers: Sequence[int] | None = None
) -> "Figure":
    """Two to six predictions by the same measures, as ``figures.agreement.agreement_of_entries`` draws them."""
    labels = measures(entries)
    figure = sheet((0.17 * len(entries) + 0.16) * len(labels) + 0.6 + 0.11 * len(entries))
    plot = figure.add_subplot()
    keys = []
    for place, (number, title) in enumerate(numbered([title for title, _ in entries], numbers)):
        found = placed_ranges(entries[place][1])
        places = [clipped(entry.position or 0.0) for entry in found]
        rows = entry_rows(labels, found, place, len(entries))
        look = mark(ENTRY_SYMBOLS[(number - 1) % len(ENTRY_SYMBOLS)], 10, PREDICTED)
        plot.plot(places, rows, zorder=3, **look)
        for across, row in zip(places, rows, strict=True):
            plot.text(across + 0.03, row, str(number), fontsize=SMALL, va="center_baseline", color=INK)
        keys.append(key(title, look))
    for band in without_place(entries):
        plot.text(0.5, band, NO_PLACE, ha="center", va="center", fontsize=SMALL, color=INK)
    for band in range(1, len(labels)):
        plot.axhline(band - 0.5, color=GRID, linewidth=1)
    for end in (0, 1):
        plot.axvline(end, color=QUIET, linewidth=1)
    _scale(plot, [entry for _, ranges in entries for entry in ranges], len(labels) - 0.5, -0.5)
    plot.set_yticks(range(len(labels)), [literal(label) for label in labels])
    legend(figure, keys, 2)
    return figure


def _draw_track(plot: "Axes", row: int, entry: BoundedMeasure) -> None:
    plot.plot([0, 1], [row, row], color=TRACK, linewidth=6, solid_capstyle="butt", zorder=1)
    for end, value in ((0, entry.floor), (1, entry.ceiling)):
        plot.plot([end, end], [row - 0.12, row + 0.12], color=QUIET, linewidth=1.5, zorder=2)
        plot.text(end, row + 0.16, f"{value:.3g}", ha="center", va="top", fontsize=SMALL - 1, color=INK)
    colour, silent = (QUIET, f"  {SILENT}") if entry.silent else (INK, "")
    named = plot.text(0, row - 0.2, literal(entry.label), va="bottom", fontsize=SMALL, color=colour, weight="bold")
    plot.annotate(
        f"  {entry.value:.3g}{silent}", (1, 0), xycoords=named, va="bottom", fontsize=SMALL, color=colour,
        annotation_clip=False,
    )  # fmt: skip


def _scale(plot: "Axes", ranges: Sequence[BoundedMeasure], lowest: float, highest: float) -> None:
    low, high = reach_of(ranges)
    plot.set_xlim(low - 0.06, high + 0.08)
    plot.set_ylim(lowest, highest)
    plot.set_xticks([0, 1], ["floor", "ceiling"])
    plot.xaxis.tick_top()
    plot.tick_params(labelsize=SMALL, length=0, colors=INK)
    plot.spines[:].set_visible(False)
