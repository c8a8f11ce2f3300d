"""Figures of expression: zeros stay zeros, shares are counted, shapes say the role."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures.interactive.expression import (
    HALF_WIDTH,
    LARGEST_DOT,
    colour_ends,
    columns_of,
    dot_plot,
    dot_size,
    percent,
    violins,
    violins_of,
)
from primeflow_core.figures.style import Role

RANDOM = np.random.default_rng(0)
SPARSE = np.concatenate([np.zeros(75), RANDOM.uniform(1, 2, 25)])
DENSE = np.concatenate([np.zeros(25), RANDOM.uniform(1, 2, 75)])


def area(shape) -> float:
    return float(np.trapezoid(shape.width, shape.levels))


def test_a_violin_counts_the_cells_above_zero():
    control, predicted = violins_of({Role.PREDICTED: DENSE, Role.CONTROL: SPARSE})
    assert (control.role, predicted.role) == (Role.CONTROL, Role.PREDICTED)
    assert (control.cells, control.share, predicted.share) == (100, 0.25, 0.75)
    assert control.mean == pytest.approx(SPARSE.mean())
    assert control.zeros == pytest.approx(0.75 * HALF_WIDTH)


def test_the_area_of_a_violin_is_in_proportion_to_its_share():
    # Levels reach two bandwidths beyond the cells: all of a Gaussian kernel but 2.3 % at each end cell.
    control, predicted = violins_of({Role.CONTROL: SPARSE, Role.PREDICTED: DENSE})
    assert area(predicted) / area(control) == pytest.approx(3, rel=0.05)
    assert max(control.width.max(), predicted.width.max()) == pytest.approx(HALF_WIDTH)


def test_a_violin_has_no_width_where_no_cell_is():
    (shape,) = violins_of({Role.MEASURED: SPARSE})
    assert shape.levels.min() > 0.5
    assert (shape.dots[:, 1] >= 1).all()
    assert (np.abs(shape.dots[:, 0]) <= np.interp(shape.dots[:, 1], shape.levels, shape.width)).all()


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(9), np.array([0.0, 2.0]), np.full(5, 2.0)])
def test_few_or_equal_cells_are_drawn_without_a_fault(values):
    (shape,) = violins_of({Role.MEASURED: values})
    assert np.isfinite(shape.width).all()
    assert len(shape.dots) == (values > 0).sum()
    assert violins({"A": {Role.MEASURED: values}}, simulated=False).data


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0 %"), (0.001, "<1 %"), (0.12, "12 %"), (0.999, ">99 %"), (1, "100 %")]
)
def test_a_share_never_hides_the_last_cells(share, said):
    assert percent(share) == said


def test_each_gene_shows_its_shares_and_roles_are_named_once():
    groups = {Role.CONTROL: SPARSE, Role.MEASURED: DENSE, Role.PREDICTED: DENSE}
    figure = violins({"A": groups, "<b>B": groups}, simulated=True)
    assert list(figure.layout.xaxis.ticktext) == ["25 %<br>> 0", "75 %<br>> 0", "75 %<br>> 0"]
    named = [trace.name for trace in figure.data if trace.showlegend and trace.mode == "markers"]
    assert named == ["Simulated control", "Simulated", "Predicted"]
    assert [note.text for note in figure.layout.annotations] == ["A", "&lt;b&gt;B"]
    assert figure.layout.yaxis.title.text == "Expression (log-normalised)"
    hover = next(trace.hovertemplate for trace in figure.data if trace.hovertemplate)
    assert hover.startswith("A, simulated control: 25 % of 100 cells above 0")


def dots() -> pd.DataFrame:
    rows = [
        ("A", "KLF1", Role.MEASURED, 1.0, 100.0, 0.5),
        ("A", "KLF1", Role.PREDICTED, 2.0, 25.0, -2.0),
        ("<B>", "KLF1", Role.PREDICTED, 0.0, 0.0, 0.0),
        ("A", "control", Role.CONTROL, 0.5, 50.0, 0.0),
    ]
    return pd.DataFrame(rows, columns=["gene", "condition", "role", "mean", "percent", "change"])


def test_the_area_of_a_dot_is_the_share_of_cells():
    assert dot_size(100) == LARGEST_DOT
    assert dot_size(25) == LARGEST_DOT / 2
    assert dot_size(0) == 0


def test_a_dot_plot_has_a_row_a_gene_and_a_column_a_condition_and_role():
    figure = dot_plot(dots(), simulated=False)
    assert columns_of(dots()) == [("KLF1", "measured"), ("KLF1", "predicted"), ("control", "control")]
    assert list(figure.layout.xaxis.ticktext) == ["KLF1 · measured", "KLF1 · predicted", "control · control"]
    assert list(figure.layout.yaxis.ticktext) == ["A", "&lt;B&gt;"]
    drawn = {trace.name: trace for trace in figure.data}
    assert list(drawn["Predicted"].x) == [1, 1]
    assert list(drawn["Predicted"].y) == [0, 1]
    assert list(drawn["Predicted"].marker.size) == [LARGEST_DOT / 2, 0]
    assert drawn["Predicted"].marker.symbol == "diamond"
    assert [trace.name for trace in figure.data if trace.showlegend is not False] == [
        "10 % > 0",
        "50 % > 0",
        "100 % > 0",
    ]


def test_colours_of_changes_are_even_around_zero():
    assert colour_ends(dots()["mean"], "mean") == (0.0, 2.0)
    assert colour_ends(dots()["change"], "change") == (-2.0, 2.0)
    assert colour_ends(pd.Series([np.nan, 0.0]), "change") == (-1.0, 1.0)
    axis = dot_plot(dots(), simulated=False, value="change").layout.coloraxis
    assert axis.colorbar.title.text == "log2 change against control"
    assert axis.colorscale[0][1] != axis.colorscale[-1][1]
