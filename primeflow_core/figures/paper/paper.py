"""Printed figures with Matplotlib, saved as SVG or PNG: the same figure gives the same bytes.

Figures are made without pyplot, whose figures are global and outlive the session that made them.
"""

from collections.abc import Sequence
from io import BytesIO, StringIO
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from primeflow_core.figures.labels import Label
from primeflow_core.figures.style import STYLES, Role

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#18222E"
GRID = "#E4E7EB"
TRACK = "#D3D7DC"
SMALL = 8.0
WIDTH = 5.2
POINTS_A_PIXEL = 0.75
# More marks than this are embedded as a picture: each alone would cost about a hundred bytes of SVG.
MOST_MARKS = 2_000
_SALT = "primeflow"
_UNDATED = {"Date": None, "Creator": None, "Format": None, "Type": None}
_SETTINGS = Lock()
_MARKERS: dict[str, Any] = {
    "circle": "o",
    "diamond": "D",
    "square": "s",
    "triangle-up": "^",
    "triangle-down": "v",
    "pentagon": "p",
    "star": "*",
    "hexagon": "h",
    "x-thin": "x",
    "cross-thin": "+",
    "asterisk": (8, 2, 0),
}


def sheet(height: float, width: float = WIDTH) -> "Figure":
    """An empty white figure, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=200, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: "Figure") -> str:
    """The figure as one ``svg`` element; letters are outlines, so that it looks the same without the font.

    No prolog: its document type would name an address outside.
    """
    import matplotlib

    text = StringIO()
    with _SETTINGS, matplotlib.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata=_UNDATED)
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]


def png(figure: "Figure", dpi: int = 200) -> bytes:
    """The figure as PNG, ``dpi`` pixels an inch."""
    data = BytesIO()
    figure.savefig(data, format="png", dpi=dpi, metadata={"Software": None})
    return data.getvalue()


def literal(text: str) -> str:
    """Names come from files: a dollar does not start a formula, and characters that cannot be printed become blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).replace("$", r"\$")


def mark(symbol: str, size: float, colour: str) -> dict[str, Any]:
    """The arguments of ``Axes.plot`` for marks of a shape; ``size`` in pixels as on the screen."""
    hollow = symbol.endswith("-open")
    return {
        "linestyle": "none",
        "marker": _MARKERS[symbol.removesuffix("-open")],
        "markersize": POINTS_A_PIXEL * size,
        "markerfacecolor": "none" if hollow else colour,
        "markeredgecolor": colour,
        "markeredgewidth": 1.8 if symbol.endswith("-thin") else 1.0 if hollow else 0.0,
    }


def role_mark(role: Role, larger: float = 0.0) -> dict[str, Any]:
    """The marks of a role, ``larger`` by so many pixels."""
    style = STYLES[role]
    return mark(style.symbol, style.size + larger, style.colour)


def draw_marks(axes: "Axes", points: np.ndarray, look: dict[str, Any], name: str, opacity: float = 1.0) -> None:
    """Marks at ``points`` (n, 2), with ``name`` in the legend."""
    across, upwards = np.asarray(points, np.float64).T
    axes.plot(
        across, upwards, label=literal(name), alpha=opacity, rasterized=len(points) > MOST_MARKS, zorder=3, **look
    )


def name_axes(axes: "Axes", across: str, upwards: str) -> None:
    """Titles, a faint grid behind the data and no box around it."""
    axes.set_xlabel(literal(across), fontsize=SMALL + 1, color=INK)
    axes.set_ylabel(literal(upwards), fontsize=SMALL + 1, color=INK)
    axes.tick_params(labelsize=SMALL, length=0, colors=INK)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def legend(figure: "Figure", handles: Sequence["Artist"], columns: int = 3) -> None:
    """The legend above everything else."""
    figure.legend(
        handles=list(handles), loc="outside upper left", ncols=min(columns, len(handles)), frameon=False,
        fontsize=SMALL, labelcolor=INK, handletextpad=0.6, columnspacing=1.4,
    )  # fmt: skip


def key(name: str, look: dict[str, Any]) -> "Artist":
    """A legend entry without a place in the figure."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=literal(name), **look)


def draw_labels(axes: "Axes", labels: Sequence[Label]) -> None:
    """Writes names beside their points."""
    for label in labels:
        across = {"right": 1, "left": -1}.get(label.side, 0)
        upwards = {"above": 1, "below": -1}.get(label.side, 0)
        axes.annotate(
            literal(label.text), (label.x, label.y), xytext=(5 * across, 4 * upwards), textcoords="offset points",
            ha={1: "left", -1: "right", 0: "center"}[across], va={1: "bottom", -1: "top", 0: "center"}[upwards],
            fontsize=SMALL - 0.5, color=INK, zorder=4,
        )  # fmt: skip
