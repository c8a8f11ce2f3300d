"""Groups of cells drawn on a map: all cells inside a polygon, and the rest of the map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.errors import SettingError
from primeflow_core.evaluation.selection import FEWEST_CORNERS, inside
from primeflow_core.figures.style import Role

MOST_CORNERS = 60
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Placed:
    """Cells of one role: expression (n, G) and places on the map (n, 2)."""

    role: Role
    values: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class CellGroup:
    """Cells (n, G) and how many of them have each role."""

    values: np.ndarray
    counts: Mapping[Role, int]


def polygon(x: Sequence[float], y: Sequence[float]) -> Polygon:
    """Corners as drawn, at most ``MOST_CORNERS`` of them, rounded so that they fit into a link."""
    corners = np.column_stack([x, y]).astype(np.float64)
    if len(corners) > MOST_CORNERS:
        corners = corners[np.linspace(0, len(corners) - 1, MOST_CORNERS).astype(int)]
    return tuple((round(float(left), 3), round(float(right), 3)) for left, right in corners)


def polygon_text(corners: Polygon) -> str:
    """For instance ``1.5,2;3,4;5,6``; ``polygon_of`` reads it back."""
    return ";".join(f"{x:g},{y:g}" for x, y in corners)


def polygon_of(text: str) -> Polygon:
    """Raises SettingError for anything but three or more corners."""
    try:
        corners = tuple((float(x), float(y)) for x, y in (corner.split(",") for corner in text.split(";")))
    except ValueError as error:
        raise SettingError("The group of cells in this link cannot be read. Draw it again.") from error
    if len(set(corners)) < FEWEST_CORNERS or not np.isfinite(corners).all():
        raise SettingError("The group of cells in this link has fewer than three corners. Draw it again.")
    return corners


def chosen(placed: Sequence[Placed], corners: Polygon) -> list[Placed]:
    """The cells inside the polygon, by role; roles without cells are omitted."""
    within = [(group, inside(group.points, np.array(corners))) for group in placed]
    return [Placed(group.role, group.values[mask], group.points[mask]) for group, mask in within if mask.any()]


def divided(placed: Sequence[Placed], corners: Polygon) -> tuple[CellGroup, CellGroup]:
    """The cells inside the polygon, and all others of the map."""
    within = [inside(group.points, np.array(corners)) for group in placed]
    return _group(placed, within), _group(placed, [~mask for mask in within])


def _group(placed: Sequence[Placed], masks: Sequence[np.ndarray]) -> CellGroup:
    values = [group.values[mask] for group, mask in zip(placed, masks, strict=True)]
    counts = {group.role: int(mask.sum()) for group, mask in zip(placed, masks, strict=True)}
    return CellGroup(np.concatenate(values), {role: count for role, count in counts.items() if count})
