"""Figures: words, shapes and ranges say what they must; names from files are never markup."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures.interactive.agreement import BoundedMeasure, agreement_of_entries, agreement_ranges
from primeflow_core.figures.interactive.genes import ranked_bars
from primeflow_core.figures.interactive.maps import MOST_DRAWN, Outline, framed, live_map, many_maps, overlay
from primeflow_core.figures.style import Group, Role

POINTS = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, -1.0]], dtype=np.float32)
GROUPS = [Group(role, POINTS + i) for i, role in enumerate(Role)]
AXES = ("PC 1 (10% of variance)", "PC 2 (5% of variance)")


def table(genes: list[str], *, measured: bool = True) -> pd.DataFrame:
    columns = {"gene": genes, "predicted_change": np.linspace(1, -1, len(genes))}
    return pd.DataFrame(columns | ({"measured_change": 0.5} if measured else {}))


def test_every_role_has_a_shape_a_colour_and_words_of_its_own():
    traces = overlay(GROUPS, AXES, simulated=False).data
    assert [trace.name for trace in traces] == ["Control · 3", "Measured · 3", "Predicted · 3"]
    for attribute in ("symbol", "color"):
        assert len({trace.marker[attribute] for trace in traces}) == 3
    assert traces[-1].marker.symbol == "diamond"


def test_simulated_cells_are_never_called_measured():
    figure = overlay(GROUPS, AXES, simulated=True)
    option = live_map(GROUPS, AXES, ((0, 1), (0, 1)), simulated=True)
    said = [trace.name for trace in figure.data] + [series["name"] for series in option["series"]]
    assert not any("easured" in text for text in said)
    assert "Simulated · 3" in said


def test_the_axes_say_what_they_are_and_hold_every_cell():
    figure = overlay(GROUPS, AXES, simulated=False)
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == AXES
    (left, right), (bottom, top) = framed(GROUPS)
    assert tuple(figure.layout.xaxis.range) == (left, right)
    for group in GROUPS:
        assert left < group.points[:, 0].min()
        assert right > group.points[:, 0].max()
        assert bottom < group.points[:, 1].min()
        assert top > group.points[:, 1].max()


@pytest.mark.parametrize(
    "groups", [[], [Group(Role.CONTROL, np.zeros((0, 2)))], [Group(Role.CONTROL, np.ones((1, 2)))]]
)
def test_few_cells_still_have_a_frame(groups):
    for low, high in framed(groups):
        assert low < high


def test_the_live_map_keeps_its_axes_while_cells_move():
    still = [Group(Role.CONTROL, POINTS), Group(Role.MEASURED, POINTS)]
    far = [Group(Role.PREDICTED, POINTS * shift) for shift in (1, 50)]
    first, second = (live_map([*still, moving], AXES, ((-1, 4), (-2, 3)), simulated=False) for moving in far)
    for axis in ("xAxis", "yAxis"):
        assert (first[axis]["min"], first[axis]["max"]) == (second[axis]["min"], second[axis]["max"])
    assert first["xAxis"]["min"] < 0
    assert first["xAxis"]["max"] > 3


def test_without_measured_cells_the_live_map_holds_the_whole_map():
    option = live_map([Group(Role.CONTROL, POINTS)], AXES, ((-9, 4), (-2, 30)), simulated=False)
    assert option["xAxis"]["min"] < -9
    assert option["yAxis"]["max"] > 30


def test_the_live_map_sends_points_as_tables():
    option = live_map(GROUPS, AXES, ((0, 1), (0, 1)), simulated=False)
    assert [len(entry["source"]) for entry in option["dataset"]] == [3, 3, 3]
    assert option["dataset"][0]["source"].dtypes.tolist() == [np.float32, np.float32]
    assert [series["symbol"] for series in option["series"]] == ["circle", "circle", "diamond"]
    fills = [series["itemStyle"]["color"] for series in option["series"]]
    assert fills[0] == "rgba(0,0,0,0)"
    assert len(set(fills)) == 3


def test_more_cells_than_a_browser_likes_are_thinned_evenly():
    many = Group(Role.CONTROL, np.column_stack([np.arange(3 * MOST_DRAWN)] * 2).astype(np.float32))
    trace = overlay([many], AXES, simulated=False).data[0]
    assert len(trace.x) == MOST_DRAWN
    assert (trace.x[0], trace.x[-1]) == (0, 3 * MOST_DRAWN - 1)
    assert trace.name == f"Control · {3 * MOST_DRAWN:,}"


@pytest.mark.parametrize(("value", "position"), [(0.5, 0.0), (0.1, 1.0), (0.3, 0.5), (0.0, 1.25), (0.9, -1.0)])
def test_a_measure_lies_between_its_ends_whichever_is_larger(value, position):
    entry = BoundedMeasure("MMD", value, floor=0.5, ceiling=0.1)
    assert entry.position == pytest.approx(position)
    figure = agreement_ranges([entry])
    drawn, (low, high) = figure.data[-1], figure.layout.xaxis.range
    assert drawn.marker.symbol == "diamond"
    assert low < drawn.x[0] < high


def test_a_measure_without_room_between_its_ends_has_no_diamond():
    assert BoundedMeasure("MMD", 0.2, 0.1, 0.1).position is None
    assert all(
        trace.marker.symbol != "diamond" for trace in agreement_ranges([BoundedMeasure("MMD", 0.2, 0.1, 0.1)]).data
    )


def test_measures_show_their_value_and_both_ends_in_numbers():
    figure = agreement_ranges(
        [BoundedMeasure("DEG recall", 0.46, 0.4, 0.448), BoundedMeasure("Cosine", 0.62, 0.461, 0.567)]
    )
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert texts == ["<b>DEG recall</b>  0.46", "<b>Cosine</b>  0.62"]
    assert [list(trace.text) for trace in figure.data if trace.text is not None] == [
        ["0.4", "0.448"],
        ["0.461", "0.567"],
    ]


def test_without_measured_changes_only_predicted_ones_are_drawn():
    drawn = ranked_bars(table(["A"], measured=False), simulated=False)
    assert [trace.name for trace in drawn.data if trace.name] == ["Predicted"]


def test_a_gene_name_is_never_markup():
    drawn = ranked_bars(table(["<a href='x'>A</a>"]), simulated=False)
    assert list(drawn.data[-1].y) == ["&lt;a href=&#x27;x&#x27;&gt;A&lt;/a&gt;"]
    assert "<i>" not in agreement_ranges([BoundedMeasure("<i>x</i>", 1, 0, 2)]).layout.annotations[0].text


def test_a_measure_whose_floor_is_as_good_as_its_ceiling_has_no_diamond():
    # Crossed: a bad distance of 0.5 would otherwise stand far beyond the ceiling, as if it were excellent.
    assert BoundedMeasure("MMD", 0.5, 0.1, 0.2, tells_apart=False).position is None
    crossed, drawn = (
        agreement_ranges([BoundedMeasure("MMD", 0.5, 0.1, 0.2, tells_apart=told)]) for told in (False, True)
    )
    assert len(drawn.data) == len(crossed.data) + 1


BASELINES = (("No change", 5.0), ("Ridge", 2.0))


def test_each_baseline_has_a_shape_of_its_own_on_the_track_and_one_line_in_the_legend():
    entries = [
        BoundedMeasure("MMD", 3, 5, 1, baselines=BASELINES),
        BoundedMeasure("Cosine", 3, 1, 5, baselines=BASELINES[:1]),
    ]
    figure = agreement_ranges(entries)
    assert [trace.name for trace in figure.data if trace.name] == ["Predicted", "No change", "Ridge"]
    symbols = {trace.name: trace.marker.symbol for trace in figure.data if trace.name}
    assert len(set(symbols.values())) == 3
    drawn = [(trace.x[0], trace.y[0], trace.marker.symbol) for trace in figure.data if trace.x[0] is not None]
    assert (0.0, 0, symbols["No change"]) in drawn
    assert (0.75, 0, symbols["Ridge"]) in drawn
    assert (1.0, 1, symbols["No change"]) in drawn


def test_a_baseline_beyond_the_ends_stays_in_the_frame_and_says_so():
    figure = agreement_ranges([BoundedMeasure("MMD", 0.3, 0.5, 0.1, baselines=(("<b>far", 2.5),))])
    baseline = next(trace for trace in figure.data if "far" in (trace.hovertemplate or ""))
    assert baseline.x[0] == pytest.approx(-0.5)
    assert figure.layout.xaxis.range[0] < -0.5
    assert "-500% of the way from floor to ceiling ◀" in baseline.hovertemplate
    assert "<b>" not in baseline.hovertemplate


def test_a_measure_that_tells_nothing_apart_places_no_baseline():
    figure = agreement_ranges([BoundedMeasure("MMD", 0.3, 0.1, 0.2, tells_apart=False, baselines=BASELINES)])
    assert not [trace for trace in figure.data if "way" in (trace.hovertemplate or "")]


def test_entries_are_told_apart_by_number_and_shape_in_the_band_of_each_measure():
    ranges = [
        BoundedMeasure("MMD", 0.3, 0.5, 0.1),
        BoundedMeasure("Cosine", 0.2, 0.1, 0.5),
        BoundedMeasure("RMSE", 1, 2, 2),
    ]
    figure = agreement_of_entries([("A+B", ranges), ("<i>C", ranges[1:])])
    assert [trace.name for trace in figure.data] == ["1  A+B", "2  &lt;i&gt;C"]
    assert [list(trace.text) for trace in figure.data] == [["1", "1"], ["2"]]
    assert figure.data[0].marker.symbol != figure.data[1].marker.symbol
    assert [round(y) for y in figure.data[0].y] == [0, 1]
    assert figure.data[0].x[0] == pytest.approx(0.5)
    assert figure.data[0].y[1] < figure.data[1].y[0]
    assert list(figure.layout.yaxis.ticktext) == ["MMD", "Cosine", "RMSE"]
    assert [note.y for note in figure.layout.annotations] == [2]


def test_kept_selections_are_closed_outlines_with_their_names():
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    figure = overlay(
        GROUPS, AXES, simulated=False, dragmode="lasso", outlines=[Outline("A <b>", corners), Outline("B", corners)]
    )
    assert figure.layout.dragmode == "lasso"
    assert [trace.meta for trace in figure.data] == ["control", "measured", "predicted", None, None]
    one, other = figure.data[3:]
    assert one.name == "A &lt;b&gt;"
    assert (one.x[0], one.y[0]) == (one.x[-1], one.y[-1])
    assert one.line.dash != other.line.dash


def test_maps_side_by_side_share_their_axes_and_one_legend():
    shifted = [Group(group.role, group.points + 10) for group in GROUPS]
    figure = many_maps([("A", GROUPS), ("<b>B", shifted)], AXES, simulated=False)
    assert [trace.name for trace in figure.data if trace.showlegend] == ["Control", "Measured", "Predicted"]
    (left, right), _ = framed([*GROUPS, *shifted])
    assert {tuple(axis.range) for axis in figure.select_xaxes()} == {(left, right)}
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["1  A", "2  &lt;b&gt;B", *AXES]
