"""Labels beside points, placed so that none covers another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from primeflow_core.figures.interactive.maps import Extent
from primeflow_core.figures.style import escaped, shortened

Side = Literal["right", "left", "above", "below"]
LONGEST_NAME = 18
LETTER = 7.0
LINE = 13.0
GAP = 7.0
ROOM_FOR_NAMES = 0.13
# A plot no smaller than this is what the places are reckoned for: in a larger one the names are further apart.
SMALLEST_PLOT = (320.0, 300.0)


@dataclass(frozen=True)
class Label:
    """A name at the ``side`` of the point (x, y)."""

    text: str
    x: float
    y: float
    side: Side


def placed(points: np.ndarray, names: Sequence[str], order: Sequence[int], extent: Extent, most: int) -> list[Label]:
    """Places labels for at most ``most`` of ``points`` (n, 2), in the order ``order``.

    Each takes the free side that covers the fewest points; a point without a free side gets no label, and the next
    point gets one instead. Twice as many points as labels are tried.
    """
    low, high = np.array(extent, dtype=np.float64).T
    pixels = (points - low) / (high - low) * SMALLEST_PLOT
    taken: list[np.ndarray] = []
    found: list[Label] = []
    for index in list(order)[: 2 * most]:
        text = shortened(names[index], LONGEST_NAME)
        free = {
            side: box
            for side, box in _boxes(pixels[index], LETTER * len(text)).items()
            if (box[0] >= 0).all() and (box[1] <= SMALLEST_PLOT).all() and not any(_meet(box, other) for other in taken)
        }
        if not free or len(found) == most:
            continue
        side = min(free, key=lambda each: _covered(pixels, free[each]))
        taken.append(free[side])
        found.append(Label(text, float(points[index, 0]), float(points[index, 1]), side))
    return found


def annotation(label: Label) -> dict[str, object]:
    """The label as Plotly has it."""
    across = {"right": 1, "left": -1}.get(label.side, 0)
    upward = {"above": 1, "below": -1}.get(label.side, 0)
    return {
        "text": escaped(label.text),
        "x": label.x,
        "y": label.y,
        "showarrow": False,
        "xanchor": {1: "left", -1: "right", 0: "center"}[across],
        "yanchor": {1: "bottom", -1: "top", 0: "middle"}[upward],
        "xshift": GAP * across,
        "yshift": (GAP - 3) * upward,
        "font": {"size": 11},
    }


def _boxes(point: np.ndarray, width: float) -> dict[Side, np.ndarray]:
    """Lower left and upper right corner, (2, 2), of a text at each side of a point, in pixels."""
    x, y = point
    half, low = width / 2, LINE / 2
    return {
        "right": np.array([[x + GAP, y - low], [x + GAP + width, y + low]]),
        "left": np.array([[x - GAP - width, y - low], [x - GAP, y + low]]),
        "above": np.array([[x - half, y + GAP], [x + half, y + GAP + LINE]]),
        "below": np.array([[x - half, y - GAP - LINE], [x + half, y - GAP]]),
    }


def _meet(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one[0] < other[1]).all() and (other[0] < one[1]).all())


def _covered(pixels: np.ndarray, box: np.ndarray) -> int:
    return int(((pixels > box[0]) & (pixels < box[1])).all(axis=1).sum())
