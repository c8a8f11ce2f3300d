"""The axis of a metric: what is far away is told, and does not squeeze the rest."""

import pandas as pd
import pytest

from primeflow_core.figures.axis_reach import Beyond, axis_reach
from primeflow_core.figures.interactive.benchmark import metric_of_models
from primeflow_core.figures.paper import benchmark as print_benchmark
from primeflow_core.figures.paper.paper import svg

NAN = float("nan")


def table(floor: float = 0.5, ceiling: float = 0.1, **of_models: list[float]) -> pd.DataFrame:
    """One condition, a training a value."""
    return pd.DataFrame(
        [
            {"model": model, "guidance": 1.0, "seed": seed, "mmd_gex": value, "mmd_gex_floor": floor,
             "mmd_gex_ceiling": ceiling}
            for model, values in of_models.items() for seed, value in enumerate(values)
        ]
    )  # fmt: skip


def reach_of(found: pd.DataFrame):
    values = [group["mmd_gex"].to_numpy() for _, group in found.groupby("model", sort=False)]
    return axis_reach(values, found, "mmd_gex")


def test_what_is_near_needs_no_limit():
    assert reach_of(table(near=[0.05, 0.2], worse=[1.6])) is None


def test_a_model_far_away_is_told_by_its_mean():
    reach = reach_of(table(near=[0.05, 0.2], far=[20.0, 40.0]))
    assert reach is not None
    assert reach.beyond == (Beyond(1, "right", 30.0),)
    assert reach.beyond[0].text == "30 →"
    assert reach.low < 0.05
    assert 0.5 < reach.high < 1.0


def test_far_below_points_the_other_way():
    reach = reach_of(table(floor=0.1, ceiling=0.5, low=[-5.0], near=[0.3]))
    assert reach is not None
    assert [model.text for model in reach.beyond] == ["← -5"]


def test_one_training_outside_is_told_and_the_others_do_not_widen_the_axis():
    reach = reach_of(table(near=[0.2], torn=[1.2, 8.2]))
    assert reach is not None
    assert [model.text for model in reach.beyond] == ["4.7 →"]
    assert reach.high < 0.6


@pytest.mark.parametrize(("floor", "ceiling"), [(NAN, 0.1), (0.5, NAN), (0.3, 0.3)])
def test_without_bounds_that_differ_the_axis_holds_everything(floor, ceiling):
    assert reach_of(table(floor, ceiling, near=[0.2], far=[40.0])) is None


def test_a_model_without_a_value_is_not_far_away():
    reach = reach_of(table(none=[NAN], near=[0.2], far=[40.0]))
    assert reach is not None
    assert [model.number for model in reach.beyond] == [2]
    assert reach_of(table(none=[NAN])) is None


def test_a_training_outside_is_drawn_where_the_mean_of_its_model_is_near():
    reach = reach_of(table(torn=[-2.0, 0.6, 0.6, 0.6], far=[40.0]))
    assert reach is not None
    assert [model.text for model in reach.beyond] == ["40 →"]
    assert reach.low < -2


def test_a_model_whose_mean_lies_on_the_axis_is_drawn_whole():
    reach = reach_of(table(near=[1.5, 1.6, 2.0], next_to_it=[1.6, 2.2], far=[40.0]))
    assert reach is not None
    assert [model.text for model in reach.beyond] == ["40 →"]
    assert 2.2 < reach.high < 3.0


def test_the_axis_holds_most_models_where_floor_and_ceiling_are_next_to_each_other():
    reach = reach_of(table(0.5, 0.49, a=[0.2], b=[1.0], c=[2.0], d=[3.0], e=[4.0], f=[5.0], g=[9.0], h=[60.0]))
    assert reach is not None
    assert [model.text for model in reach.beyond] == ["9 →", "60 →"]
    assert 5.0 < reach.high < 6.0


def test_screen_and_paper_tell_it():
    found = table(near=[0.2, 0.25], far=[20.0, 40.0])
    figure = metric_of_models(found, "mmd_gex", "MMD GEX", simulated=False)
    (note,) = figure.layout.annotations
    assert note.text == "30 →"
    assert (note.x, note.xref, note.xanchor) == (1, "x domain", "left"), "beside the axis no mark lies on it"
    assert max(figure.layout.xaxis.range) < 1
    assert 40.0 in figure.data[0].x, "a double click shows all"
    printed = print_benchmark.metric_of_models(found, "mmd_gex", "MMD GEX", simulated=False)
    (text,) = printed.axes[0].texts
    assert text.get_text() == "30 →"
    assert text.get_position()[0] > 1
    assert svg(printed) == svg(print_benchmark.metric_of_models(found, "mmd_gex", "MMD GEX", simulated=False))
