"""Maps of cells on paper."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from primeflow_core.figures.interactive.maps import (
    LONGEST_TITLE,
    OUTLINE,
    Extent,
    Outline,
    framed,
    map_columns,
    numbered,
    thinned,
)
from primeflow_core.figures.paper.paper import INK, SMALL, draw_marks, key, legend, literal, name_axes, role_mark, sheet
from primeflow_core.figures.style import Group, Role, counted, name_of, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTLINE_DASHES = ("-", "--", ":", "-.")


def overlay(
    groups: Sequence[Group], axes: tuple[str, str], *, simulated: bool, outlines: Sequence[Outline] = ()
) -> "Figure":
    """The finished map, as ``figures.maps.overlay`` draws it."""
    figure = sheet(4.6)
    plot = figure.add_subplot()
    _draw_cells(plot, groups, framed(groups), simulated)
    name_axes(plot, *axes)
    keys = [key(counted(group, simulated=simulated), role_mark(group.role)) for group in groups]
    for i, outline in enumerate(outlines):
        look: dict[str, Any] = {
            "color": OUTLINE,
            "linewidth": 1.8,
            "linestyle": OUTLINE_DASHES[i % len(OUTLINE_DASHES)],
        }
        plot.plot(*outline.closed.T, zorder=4, **look)
        keys.append(key(outline.name, look))
    if keys:
        legend(figure, keys)
    return figure


def many_maps(
    entries: Sequence[tuple[str, Sequence[Group]]],
    axes: tuple[str, str],
    numbers: Sequence[int] | None = None,
    *,
    simulated: bool,
) -> "Figure":
    """Two to six titled maps on the same axes, as ``figures.maps.many_maps`` draws them."""
    columns = map_columns(len(entries))
    rows = -(-len(entries) // columns)
    figure = sheet(2.7 * rows + 0.7, 2.7 * columns)
    plots = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    extent = framed([group for _, groups in entries for group in groups])
    titles = [title for _, title in numbered([title for title, _ in entries], numbers)]
    for plot, title, (_, groups) in zip(plots, titles, entries, strict=False):
        _draw_cells(plot, groups, extent, simulated)
        name_axes(plot, "", "")
        plot.set_title(literal(shortened(title, LONGEST_TITLE)), fontsize=SMALL + 1, color=INK)
    for plot in plots[len(entries) :]:
        plot.set_visible(False)
    figure.supxlabel(literal(axes[0]), fontsize=SMALL + 1, color=INK)
    figure.supylabel(literal(axes[1]), fontsize=SMALL + 1, color=INK)
    present = {group.role for _, groups in entries for group in groups}
    legend(figure, [key(name_of(role, simulated=simulated), role_mark(role)) for role in Role if role in present])
    return figure


def _draw_cells(plot: "Axes", groups: Sequence[Group], extent: Extent, simulated: bool) -> None:
    for group in groups:
        name = name_of(group.role, simulated=simulated)
        draw_marks(plot, thinned(group.points), role_mark(group.role, -2), name, 0.85)
    plot.set_xlim(*extent[0])
    plot.set_ylim(*extent[1])
