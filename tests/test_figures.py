"""Figures: words, shapes and ranges say what they must; names from files are never markup."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures import (
    MOST_DRAWN,
    Group,
    Range,
    Role,
    agreement_ranges,
    framed,
    gene_changes,
    live_map,
    overlay,
)

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
    entry = Range("MMD", value, floor=0.5, ceiling=0.1)
    assert entry.position == pytest.approx(position)
    drawn = agreement_ranges([entry]).data[-1]
    assert drawn.marker.symbol == "diamond"
    assert -0.14 < drawn.x[0] < 1.14


def test_a_measure_without_room_between_its_ends_has_no_diamond():
    assert Range("MMD", 0.2, 0.1, 0.1).position is None
    assert all(trace.marker.symbol != "diamond" for trace in agreement_ranges([Range("MMD", 0.2, 0.1, 0.1)]).data)


def test_measures_show_their_value_and_both_ends_in_numbers():
    figure = agreement_ranges([Range("DEG recall", 0.46, 0.4, 0.448), Range("Cosine", 0.62, 0.461, 0.567)])
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert texts == ["<b>DEG recall</b>  0.46", "<b>Cosine</b>  0.62"]
    assert [list(trace.text) for trace in figure.data if trace.text is not None] == [
        ["0.4", "0.448"],
        ["0.461", "0.567"],
    ]


def test_genes_keep_the_order_of_the_table_and_say_their_unit():
    figure = gene_changes(table(["B", "A", "C"]), simulated=False)
    assert list(figure.data[-1].y) == ["B", "A", "C"]
    assert "log2" in figure.layout.xaxis.title.text
    assert [trace.name for trace in figure.data if trace.name] == ["Measured", "Predicted"]


def test_without_measured_changes_only_predicted_ones_are_drawn():
    assert [trace.name for trace in gene_changes(table(["A"], measured=False), simulated=False).data] == ["Predicted"]


def test_a_gene_name_is_never_markup():
    drawn = gene_changes(table(["<a href='x'>A</a>"]), simulated=False)
    assert list(drawn.data[-1].y) == ["&lt;a href=&#x27;x&#x27;&gt;A&lt;/a&gt;"]
    assert "<i>" not in agreement_ranges([Range("<i>x</i>", 1, 0, 2)]).layout.annotations[0].text


def test_a_measure_whose_floor_is_as_good_as_its_ceiling_has_no_diamond():
    # Crossed: a bad distance of 0.5 would otherwise stand far beyond the ceiling, as if it were excellent.
    assert Range("MMD", 0.5, 0.1, 0.2, tells_apart=False).position is None
    crossed, drawn = (agreement_ranges([Range("MMD", 0.5, 0.1, 0.2, tells_apart=told)]) for told in (False, True))
    assert len(drawn.data) == len(crossed.data) + 1
