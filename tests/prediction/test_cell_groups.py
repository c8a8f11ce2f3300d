"""Groups of cells drawn on a map."""

import numpy as np
import pytest

from primeflow_core.errors import SettingError
from primeflow_core.figures.style import Role
from primeflow_core.prediction.cell_groups import (
    MOST_CORNERS,
    Placed,
    chosen,
    divided,
    polygon,
    polygon_of,
    polygon_text,
)

SQUARE = polygon([0, 2, 2, 0], [0, 0, 2, 2])
POINTS = np.array([[1.0, 1.0], [3.0, 1.0], [0.5, 1.5]])
VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)
MAP = [Placed(Role.CONTROL, VALUES, POINTS), Placed(Role.PREDICTED, VALUES + 10, POINTS + 5)]


def test_cells_inside_and_the_rest_are_all_cells():
    group, rest = divided(MAP, SQUARE)
    assert group.values.tolist() == [[0, 1], [4, 5]]
    assert group.counts == {Role.CONTROL: 2}
    assert rest.counts == {Role.CONTROL: 1, Role.PREDICTED: 3}
    assert len(group.values) + len(rest.values) == 6


def test_chosen_cells_keep_their_places_and_roles():
    (only,) = chosen(MAP, SQUARE)
    assert only.role is Role.CONTROL
    assert only.points.tolist() == [[1.0, 1.0], [0.5, 1.5]]


def test_a_polygon_survives_a_link():
    drawn = polygon([0.12345, 1, -2.5], [1e-5, 2, 3])
    assert polygon_of(polygon_text(drawn)) == drawn


def test_a_lasso_of_many_corners_is_thinned():
    angle = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    drawn = polygon(np.cos(angle).tolist(), np.sin(angle).tolist())
    assert len(drawn) == MOST_CORNERS
    assert divided([Placed(Role.MEASURED, np.zeros((1, 2)), np.zeros((1, 2)))], drawn)[0].counts == {Role.MEASURED: 1}


@pytest.mark.parametrize("said", ["", "1,2", "1,2;3,4", "a,b;c,d;e,f", "1,2;3,4;nan,1", "1,2,3;4,5,6;7,8,9"])
def test_a_polygon_that_cannot_be_read_is_said(said):
    with pytest.raises(SettingError, match="Draw it again"):
        polygon_of(said)
