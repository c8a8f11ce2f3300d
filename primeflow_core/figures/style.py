"""Roles of cells, and the words, shapes and colours they have in every figure.

Measured cells are blue circles, unperturbed ones grey rings, predicted ones orange diamonds, everywhere: shape and
words say the same as colour. The colours (Okabe-Ito's, the blue lightened) stand out by 3:1 on white and on dark.
"""

import html
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

GROUND = "rgba(0,0,0,0)"
FAINT = "rgba(128,136,148,0.28)"
TRACK = "rgba(128,136,148,0.35)"
QUIET = "#8A94A3"
LEGEND = {"orientation": "h", "x": 0, "yanchor": "bottom", "title": None}

CHANGE_AXIS = "log2 change against control (log-normalised)"
EXPRESSION_AXIS = "Expression (log-normalised)"

# The first keeps the shape of predicted cells: entries of a comparison are predictions, told apart by number too.
ENTRY_SYMBOLS = ("diamond", "square", "triangle-up", "pentagon", "star", "hexagon")
BASELINE_SYMBOLS = ("x-thin", "square-open", "cross-thin", "triangle-up-open", "triangle-down-open", "asterisk")


class Role(StrEnum):
    """The role of a group of cells. Groups are drawn in this order, the last one on top."""

    CONTROL = "control"
    MEASURED = "measured"
    PREDICTED = "predicted"


@dataclass(frozen=True)
class Style:
    """The mark of a role; ``size`` in pixels."""

    colour: str
    symbol: str
    size: float


STYLES = {
    Role.CONTROL: Style(QUIET, "circle-open", 6),
    Role.MEASURED: Style("#2087C6", "circle", 7),
    Role.PREDICTED: Style("#D55E00", "diamond", 8),
}
_REAL = {Role.CONTROL: "Control", Role.MEASURED: "Measured", Role.PREDICTED: "Predicted"}
_SIMULATED = {Role.CONTROL: "Simulated control", Role.MEASURED: "Simulated", Role.PREDICTED: "Predicted"}


@dataclass(frozen=True)
class Group:
    """Cells of one role at their places on a map, (n, 2)."""

    role: Role
    points: np.ndarray


def name_of(role: Role, *, simulated: bool) -> str:
    """The words that legends and tables use for a role."""
    return (_SIMULATED if simulated else _REAL)[role]


def counted(group: Group, *, simulated: bool) -> str:
    """The role in words and how many cells there are."""
    return f"{name_of(group.role, simulated=simulated)} · {len(group.points):,}"


def escaped(text: str) -> str:
    """Names come from files: no markup of theirs is obeyed."""
    return html.escape(str(text))


def shortened(text: str, most: int) -> str:
    """The text in at most ``most`` characters. A shortened text ends in an ellipsis."""
    text = str(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def layout(*, height: int) -> dict[str, Any]:
    """The layout that all figures share: a transparent background, so that the theme of the page is visible."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": GROUND,
        "plot_bgcolor": GROUND,
        "hoverlabel": {"namelength": -1},
        # Upright beside the points: across the top it would lie on the legend.
        "modebar": {"orientation": "v", "bgcolor": GROUND, "color": QUIET, "activecolor": "#2087C6"},
    }


def marker(role: Role, *, larger: float = 0.0, opacity: float = 1.0) -> dict[str, Any]:
    """The mark of a role, ``larger`` by so many pixels."""
    style = STYLES[role]
    return {"symbol": style.symbol, "size": style.size + larger, "color": style.colour, "opacity": opacity}
