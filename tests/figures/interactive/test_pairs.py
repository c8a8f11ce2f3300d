"""The figures of a ranking: every pair on both sides of the diagonal, what was measured, names as they are."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures.interactive import pairs, ranking
from primeflow_core.figures.interactive.pairs import NO_VALUE, heat_map, pair_grid
from primeflow_core.figures.interactive.ranking import DRAWN, ranked_scores
from primeflow_core.figures.paper import pairs as print_pairs
from primeflow_core.figures.paper import ranking as print_ranking
from primeflow_core.figures.paper.paper import svg
from primeflow_core.figures.style import STYLES, Role
from tests.figures.paper.test_paper import words

NAME = "<script>$a_b$</script>"
RANKED = [("A", "B"), ("A", "C"), ("B", NAME)]
GRID = pair_grid(RANKED, [3.0, 2.0, np.nan], [True, False, False])


def table(count: int = 3, **changes: object) -> pd.DataFrame:
    names = [NAME, *(f"P{i}" for i in range(1, count))]
    score = np.linspace(3.0, 1.0, count)
    columns = {"rank": range(1, count + 1), "perturbation": names, "score": score, "low": score - 0.2}
    return pd.DataFrame(columns | {"high": score + 0.3, "sum_score": 2.0} | changes)


def test_a_pair_stands_on_both_sides_of_the_diagonal():
    assert GRID.names == ("A", "B", "C", NAME)
    assert GRID.values[0, 1] == GRID.values[1, 0] == 3.0
    assert GRID.values[0, 2] == 2.0
    assert np.isnan(np.diag(GRID.values)).all()
    assert np.isnan(GRID.values[1, 3])
    assert GRID.measured.sum() == 2
    assert GRID.measured[0, 1]
    assert GRID.rings == [("B", "A"), ("A", "B")]


def test_the_names_of_the_best_pairs_stay():
    ranked = [(f"N{i}", f"N{i + 1}") for i in range(99)]
    grid = pair_grid(ranked, [1.0] * 99, [False] * 99)
    assert grid.names[:2] == ("N0", "N1")
    assert (len(grid.names), grid.left_out) == (pairs.MOST_NAMES, 100 - pairs.MOST_NAMES)
    assert np.isfinite(grid.values).sum() == 2 * (pairs.MOST_NAMES - 1)


@pytest.mark.parametrize(
    ("values", "ends"), [([1.0, 3.0], (1.0, 3.0)), ([2.0, 2.0], (1.5, 2.5)), ([np.nan, np.nan], (0.0, 1.0))]
)
def test_scores_fill_their_colours(values, ends):
    grid = pair_grid([("A", "B"), ("A", "C")], values, [False, False])
    assert pairs.colours_of(grid, "score") == ends


@pytest.mark.parametrize(
    ("values", "ends"), [([0.5, 1.2], (0.5, 1.5)), ([1.0, 0.99], (0.75, 1.25)), ([7.0, np.nan], (0.0, 2.0))]
)
def test_interactions_are_even_around_the_sum_of_the_parts(values, ends):
    grid = pair_grid([("A", "B"), ("A", "C")], values, [False, False])
    assert pairs.colours_of(grid, "interaction") == pytest.approx(ends)


@pytest.mark.parametrize(("values", "ends"), [([-0.5, 0.2], (-0.5, 0.5)), ([0.0, np.nan], (-0.5, 0.5))])
def test_signed_scores_are_even_around_nought(values, ends):
    grid = pair_grid([("A", "B"), ("A", "C")], values, [False, False])
    assert pairs.colours_of(grid, "signed") == pytest.approx(ends)


@pytest.mark.parametrize("scale", ["score", "signed", "interaction"])
def test_the_heat_map_says_what_was_measured_and_what_is_missing(scale):
    figure = heat_map(GRID, "Length of the log2 change", scale, simulated=False)
    heat, rings, missing = figure.data
    assert np.array_equal(np.array(heat.z, float), GRID.values, equal_nan=True)
    assert (rings.name, missing.name) == ("Measured", NO_VALUE)
    assert list(zip(rings.x, rings.y, strict=True)) == GRID.rings
    assert rings.marker.line.color == STYLES[Role.MEASURED].colour
    assert "<script>" not in figure.to_json().replace("\\u003c", "<")
    assert heat_map(GRID, "", scale, simulated=True).data[1].name == "Simulated"


def test_names_have_room_on_a_narrow_screen_and_hovering_tells_them_whole():
    """Plotly leaves out names of categories that would lie on each other, and never those that it is told to show."""
    long = [f"a long name of a drug, number {i}" for i in range(40)]
    figure = heat_map(pair_grid([(one, "B") for one in long], [1.0] * 40, [True] * 40), "", "score", simulated=False)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.type == "category"
        assert axis.tickvals is None
        assert list(axis.categoryarray) == list(figure.data[0].x)
        assert axis.tickfont.size < 12
    assert len(set(figure.data[0].x)) == 41
    assert figure.data[0].customdata[0][1] == f"{long[0]} + B"


def test_long_names_are_cut_unless_that_makes_them_one():
    names = ("a drug that has a name", "dose 1 of a long one @1", "dose 1 of a long one @2")
    grid = pair_grid([names[:2], names[1:]], [1.0, 2.0], [False, False])
    assert pairs.tick_names(grid) == ["a drug that has a…", *names[1:]]


def test_where_smaller_is_better_the_colours_are_turned_round():
    usual, turned = (heat_map(GRID, "", "score", simulated=False, smaller_is_better=turn) for turn in (False, True))
    first, last = usual.data[0].colorscale[0][1], usual.data[0].colorscale[-1][1]
    assert (turned.data[0].colorscale[0][1], turned.data[0].colorscale[-1][1]) == (last, first)


def test_scores_stand_in_their_order_with_intervals_and_the_sum():
    sums, scores = ranked_scores(table(sum_score=[2.0, np.nan, 1.0]), "log2 change").data
    assert list(scores.y) == [0, 1, 2]
    assert scores.marker.symbol == "diamond"
    assert scores.error_x.array == pytest.approx([0.3] * 3)
    assert scores.error_x.arrayminus == pytest.approx([0.2] * 3)
    assert list(sums.y) == [0, 2]
    assert (sums.name, scores.name) == (ranking.SUM, ranking.PREDICTED)


def test_only_the_first_with_a_score_are_drawn():
    (scores,) = ranked_scores(table(DRAWN + 9, sum_score=np.nan), "log2 change").data
    assert len(scores.x) == DRAWN
    figure = ranked_scores(table(3, score=[1.0, 0.5, np.nan]), "log2 change")
    assert figure.layout.xaxis.title.text == "Log2 change"
    assert len(figure.layout.yaxis.ticktext) == 2
    assert "<script>" not in figure.to_json().replace("\\u003c", "<")


def test_measured_scores_stand_beside_the_predicted_ones():
    ranked = table(sum_score=np.nan)
    truth = pd.Series([np.nan, 1.5, np.nan], index=ranked.index)
    measured, scores = ranked_scores(ranked, "log2 change", truth).data
    assert (list(measured.x), list(measured.y)) == ([1.5], [1])
    assert (measured.name, measured.marker.symbol) == ("Measured", "circle")
    assert scores.name == ranking.PREDICTED
    assert ranked_scores(ranked, "", truth, simulated=True).data[0].name == "Simulated"
    assert "Measured" in words(print_ranking.ranked_scores(ranked, "", truth))
    assert len(ranked_scores(ranked, "", truth * np.nan).data) == 1


def test_prints_say_the_same():
    heat = print_pairs.heat_map(GRID, "Length of the log2 change", "score", simulated=False)
    assert {"A", "B", "C", "Length of the log2 change", "Measured", NO_VALUE} <= set(words(heat))
    scores = print_ranking.ranked_scores(table(), "log2 change")
    assert {"2  P1", "Log2 change", ranking.SUM, ranking.PREDICTED} <= set(words(scores))
    assert svg(scores) == svg(print_ranking.ranked_scores(table(), "log2 change"))
    turned = print_pairs.heat_map(GRID, "", "interaction", simulated=True, smaller_is_better=True)
    assert "Simulated" in words(turned)
