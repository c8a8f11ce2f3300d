"""Figures of genes and of training: thresholds, ranks and names that do not cover each other."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.figures.interactive.genes import ranked_bars, volcano
from primeflow_core.figures.interactive.interaction import interaction_scatter
from primeflow_core.figures.interactive.losses import loss_curve
from primeflow_core.figures.labels import placed
from primeflow_core.figures.style import Role


def response_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["UP", "DOWN", "SMALL", "UNSURE", "<b>ZERO"],
            "predicted_change": [2.0, -1.0, 0.1, 3.0, 0.5],
            "predicted_p": [1e-10, 1e-4, 1e-10, 0.3, 0.0],
            "measured_change": [1.0, np.nan, 0.1, 0.2, 0.25],
            "measured_p": [1e-3, np.nan, 0.5, 0.5, 0.04],
        }
    )


def test_a_volcano_colours_the_genes_that_pass_both_thresholds():
    figure = volcano(response_table(), "predicted", simulated=False, least_change=0.25, largest_p=0.05)
    grey, clear = figure.data
    assert list(grey.text) == ["SMALL", "UNSURE"]
    assert list(clear.text) == ["UP", "DOWN", "&lt;b&gt;ZERO"]
    assert clear.name == "Predicted · 3 genes change"
    assert (clear.marker.symbol, grey.marker.symbol) == ("diamond", "circle")
    assert clear.y[0] == pytest.approx(10)
    assert np.isfinite(clear.y).all()
    assert sorted(note.text for note in figure.layout.annotations) == ["&lt;b&gt;ZERO", "DOWN", "UP"]
    assert "log2" in figure.layout.xaxis.title.text
    assert "p" in figure.layout.yaxis.title.text


def test_a_volcano_of_measured_cells_leaves_out_what_was_not_measured():
    figure = volcano(response_table(), "measured", simulated=True, least_change=0.25, largest_p=0.05)
    assert figure.data[1].name == "Simulated · 2 genes change"
    assert figure.data[1].marker.symbol == "circle"
    assert len(figure.data[0].x) + len(figure.data[1].x) == 4


def test_a_volcano_of_no_gene_still_has_a_frame():
    figure = volcano(response_table().head(0), "predicted", simulated=False, least_change=0.25, largest_p=0.05)
    low, high = figure.layout.xaxis.range
    assert low < -0.25
    assert high > 0.25


def test_labels_never_cover_each_other():
    points = np.random.default_rng(0).random((40, 2))
    extent = ((-0.2, 1.2), (-0.2, 1.2))
    labels = placed(points, [f"GENE{i}" for i in range(40)], range(40), extent, 8)
    assert 1 < len(labels) <= 8
    boxes = []
    for label in labels:
        x, y = (label.x + 0.2) / 1.4 * 320, (label.y + 0.2) / 1.4 * 300
        width = 7 * len(label.text)
        left = {"right": x + 7, "left": x - 7 - width}.get(label.side, x - width / 2)
        bottom = {"above": y + 7, "below": y - 20}.get(label.side, y - 6.5)
        boxes.append((left, left + width, bottom, bottom + 13))
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]


def test_one_place_for_two_labels_goes_to_the_first():
    points = np.zeros((9, 2))
    labels = placed(points, [f"G{i}" for i in range(9)], range(9), ((-1, 1), (-1, 1)), 8)
    assert [label.text for label in labels] == ["G0", "G1", "G2", "G3"]
    assert len({label.side for label in labels}) == 4


def test_bars_are_ranked_from_up_to_down():
    figure = ranked_bars(response_table(), simulated=False)
    bars = next(trace for trace in figure.data if trace.type == "bar")
    assert list(bars.y) == ["UNSURE", "UP", "&lt;b&gt;ZERO", "SMALL", "DOWN"]
    assert {trace.name: trace.marker.symbol for trace in figure.data if trace.type == "scatter"} == {
        "Predicted": "diamond",
        "Measured": "circle",
    }


def test_a_combination_stands_against_the_sum_with_the_furthest_genes_named():
    total = np.array([0.0, 1.0, 2.0, np.nan])
    double = np.array([0.0, 1.1, 0.5, 1.0])
    figure = interaction_scatter(["A", "B", "<C>", "D"], total, double, role=Role.MEASURED, simulated=False, labels=1)
    diagonal, points = figure.data
    assert list(diagonal.x) == list(diagonal.y) == list(figure.layout.xaxis.range) == list(figure.layout.yaxis.range)
    assert list(points.text) == ["A", "B", "&lt;C&gt;"]
    assert [note.text for note in figure.layout.annotations] == ["&lt;C&gt;"]
    assert points.marker.symbol == "circle"
    assert "measured" in figure.layout.yaxis.title.text
    assert all("log2" in axis.title.text for axis in (figure.layout.xaxis, figure.layout.yaxis))


def test_the_loss_curve_leaves_out_steps_without_a_check():
    option = loss_curve([1, 2, 3], [3.0, 2.0, 1.0], [float("nan"), 2.5, float("nan")])
    training, held_out = (entry["source"] for entry in option["dataset"])
    assert training["step"].tolist() == [1, 2, 3]
    assert held_out.to_numpy().tolist() == [[2.0, 2.5]]
    assert [series["encode"]["y"] for series in option["series"]] == ["loss", "validation"]
    assert len({series["lineStyle"]["type"] for series in option["series"]}) == 2
