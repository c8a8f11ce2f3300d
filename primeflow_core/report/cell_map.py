"""The finished map of a condition: control, measured and predicted cells on one projection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.figures.paper import maps as print_maps
from primeflow_core.figures.style import Group, Role, name_of
from primeflow_core.prediction.cell_groups import Placed
from primeflow_core.prediction.prediction_job import Prediction
from primeflow_core.prediction.projection import Map, UMAPMap
from primeflow_core.report.condition_view import ConditionView

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PlaceRole = Callable[[Role, np.ndarray], np.ndarray]
"""Puts the cells (n, G) of a role on the map (n, 2)."""


@dataclass(frozen=True)
class DrawnMap:
    """A finished map: its projection, and the cells on it."""

    fitted: Map
    groups: tuple[Placed, ...]

    @property
    def name(self) -> str:
        return "umap" if isinstance(self.fitted, UMAPMap) else "pca"

    @property
    def points(self) -> list[Group]:
        return [Group(group.role, group.points) for group in self.groups]


def drawn_on(view: ConditionView, prediction: Prediction | None, fitted: Map, place: PlaceRole) -> DrawnMap:
    groups = measured_groups(view, place)
    if prediction is not None:
        values = prediction.values
        groups.append(Placed(Role.PREDICTED, values, place(Role.PREDICTED, values)))
    return DrawnMap(fitted, tuple(groups))


def measured_groups(view: ConditionView, place: PlaceRole) -> list[Placed]:
    """Control cells, and measured cells of the condition where there are any."""
    if view.known is None:
        return []
    controls = view.known.controls
    groups = [Placed(Role.CONTROL, controls, place(Role.CONTROL, controls))]
    if len(view.measured):
        groups.append(Placed(Role.MEASURED, view.measured, place(Role.MEASURED, view.measured)))
    return groups


def alternative(view: ConditionView, drawn: DrawnMap) -> str:
    """The map in words."""
    counts = ", ".join(f"{len(g.points):,} {name_of(g.role, simulated=view.simulated)}" for g in drawn.groups)
    return f"{drawn.name.upper()} map of cells: {counts}"


def printed_map(view: ConditionView, drawn: DrawnMap) -> "Figure":
    return print_maps.overlay(drawn.points, drawn.fitted.axes, simulated=view.simulated)
