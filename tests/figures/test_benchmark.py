"""Figures of a benchmark, on the screen and on paper: the same words, nothing from a file obeyed, nothing hidden."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures.interactive.benchmark import metric_of_models
from primeflow_core.figures.interactive.condition_grid import ConditionGrid, condition_heat_map
from primeflow_core.figures.interactive.pictured import OTHERS, Scene, panel_columns, pictured_models
from primeflow_core.figures.paper import condition_grid as print_grid
from primeflow_core.figures.paper import pictured as print_pictured
from primeflow_core.figures.paper.paper import svg
from primeflow_core.figures.svg_check import check_svg
from tests.shipped_benchmarks import rows

HOSTILE = "<script>$a_b$</script>"
NAN = float("nan")
GRID = ConditionGrid(
    (HOSTILE, "Ridge"), ("A+B", HOSTILE, "C"), np.array([[0.1, 0.2, NAN], [9.0, 0.3, 0.2]]),
    np.array([0.5, 0.4, NAN]), np.array([0.1, 0.05, NAN]), "MMD GEX", smaller_is_better=True,
)  # fmt: skip
POINTS = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]], dtype=np.float32)
SCENE = Scene(POINTS - 1, POINTS, POINTS + 1, ("PC 1", "PC 2"), simulated=False)


def test_each_training_is_a_mark_and_the_bounds_are_lines():
    found = rows().assign(model=lambda frame: frame["model"].replace("cpa", HOSTILE))
    figure = metric_of_models(found, "mmd_gex", "MMD GEX", simulated=True)
    seeds, means, floor, ceiling = figure.data
    assert len(seeds.x) == 6 * 3
    np.testing.assert_allclose(means.x[0], 0.51)
    assert floor.x[0] == pytest.approx(0.51)
    assert ceiling.x[0] == pytest.approx(0.05)
    assert "simulated" in ceiling.name
    assert "<script" not in str(figure.to_json())


def test_a_model_without_a_figure_keeps_its_row():
    found = rows()
    found.loc[found["model"] == "ridge", "mmd_gex"] = NAN
    figure = metric_of_models(found, "mmd_gex", "MMD GEX", simulated=False)
    assert "ridge" in figure.layout.yaxis.ticktext
    assert np.isnan(figure.data[1].x[2])


def test_one_that_fails_does_not_take_every_colour():
    low, high = GRID.colours
    assert low == pytest.approx(0.05)
    assert high == pytest.approx(0.5 + 0.5 * 0.45)


@pytest.mark.parametrize("bound", [0.0, NAN])
def test_colours_are_there_when_floor_and_ceiling_are_not(bound):
    flat = np.full(3, bound)
    low, high = replace(GRID, values=np.full((2, 3), bound), floor=flat, ceiling=flat).colours
    assert high > low


def test_the_heat_map_can_be_clicked_and_its_bounds_stand_last():
    figure = condition_heat_map(GRID)
    heat, fields, key = figure.data
    assert heat.z.shape == (4, 3)
    assert list(figure.layout.yaxis.ticktext)[-2:] == ["Floor", "Ceiling"]
    assert [row[0] for row in fields.customdata] == [0, 1, 2] * 4
    assert key.showlegend
    assert "<script" not in str(figure.to_json())
    other = condition_heat_map(replace(GRID, smaller_is_better=False))
    assert [colour for _, colour in other.data[0].colorscale] == [colour for _, colour in reversed(heat.colorscale)]


@pytest.mark.parametrize(("panels", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (12, 3)])
def test_panels_stand_beside_each_other_on_the_same_axes(panels, columns):
    assert panel_columns(panels) == columns
    figure = pictured_models(SCENE, [(f"{HOSTILE}{i}", POINTS + i) for i in range(panels)])
    assert len(figure.data) == 4 * panels
    assert [trace.meta for trace in figure.data[:4]] == [OTHERS, "control", "measured", "predicted"]
    assert figure.data[3].marker.color == "#D55E00"
    assert figure.data[3].marker.symbol == "diamond"
    assert sum(bool(trace.showlegend) for trace in figure.data) == 4
    ranges = {tuple(axis.range) for axis in figure.select_xaxes()}
    ((low, high),) = ranges
    assert low < -1
    assert high > 3 + panels - 1
    assert "<script" not in str(figure.to_json())


def test_simulated_cells_are_never_called_measured():
    figure = pictured_models(replace(SCENE, simulated=True), [("a", POINTS)])
    names = [trace.name for trace in figure.data]
    assert names == ["Simulated, other conditions", "Simulated control", "Simulated", "Predicted"]


def test_a_panel_without_some_kind_of_cells_is_drawn():
    empty = np.zeros((0, 2), dtype=np.float32)
    scene = replace(SCENE, others=empty, truth=empty)
    assert len(pictured_models(scene, [("a", empty)]).data) == 4
    check_svg(svg(print_pictured.pictured_models(scene, [("a", empty)])), "cells")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: print_grid.condition_heat_map(GRID),
        lambda: print_pictured.pictured_models(SCENE, [(HOSTILE, POINTS)] * 5),
    ],
    ids=["grid", "cells"],
)
def test_on_paper_it_is_the_same_twice_and_safe(make):
    first = svg(make())
    check_svg(first, "a figure")
    assert first == svg(make())
    assert "<script" not in first


def test_paper_says_what_the_screen_says():
    from matplotlib.text import Text

    drawn = print_pictured.pictured_models(SCENE, [("PRiMeFlow", POINTS), ("Ridge", POINTS)])
    words = {text.get_text() for text in drawn.findobj(Text)}
    assert {"PRiMeFlow", "Ridge", "PC 1", "PC 2", "Measured", "Predicted", "Measured, other conditions"} <= words
    grid = print_grid.condition_heat_map(GRID)
    assert {"Floor", "Ceiling", "MMD GEX", "No value"} <= {text.get_text() for text in grid.findobj(Text)}


def test_named_rows_are_drawn_in_their_order():
    found = pd.concat([rows().query("model == 'ridge'"), rows().query("model == 'cpa'")])
    figure = metric_of_models(found, "mmd_gex", "MMD GEX", simulated=False)
    assert list(figure.layout.yaxis.ticktext) == ["ridge", "cpa"]
