"""The Virtual Cell Challenge's metrics: by hand, against SciPy, degenerate predictions, and the score."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import false_discovery_control, mannwhitneyu

from primeflow_core.data.datasets import open_cells
from primeflow_core.errors import DataError
from primeflow_core.evaluation.labelled import LabelledCells, labelled
from primeflow_core.evaluation.pair import paired
from primeflow_core.evaluation.virtual_cell import discrimination, overlap, target_genes, virtual_cell_table

METRICS = ["mae", "pds", "des"]
GENES = tuple(f"g{i}" for i in range(10))
CONDITIONS = ("A", "B", "g1+g2")


def expression(n, genes=10, seed=0):
    draw = np.random.default_rng(seed)
    return (draw.gamma(1.5, 0.6, (n, genes)) * (draw.random((n, genes)) > 0.35)).astype(np.float32)


def cells_of(labels, values, groups=None, genes=GENES):
    groups = groups or ["k"] * len(labels)
    return LabelledCells(
        sp.csr_matrix(np.asarray(values, dtype=np.float32)),
        tuple(genes),
        np.array(labels, dtype=object),
        tuple((group,) for group in groups),
        np.array([f"c{i}" for i in range(len(labels))]),
        "file",
    )


def screen(n=40, seed=0):
    """Controls and three conditions, each with strong effects on genes of its own."""
    labels = ["control"] * n + [label for label in CONDITIONS for _ in range(n)]
    values = expression(len(labels), seed=seed)
    for i in range(len(CONDITIONS)):
        values[n * (i + 1) : n * (i + 2), 3 * i + 1 : 3 * i + 4] += np.array([0.8, 1.2, 1.6], dtype=np.float32)
    return cells_of(labels, values)


def scored(prediction, truth, baseline=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return virtual_cell_table(paired(prediction, truth, ["cell_type"]), baseline)


def naive_significant(cells, controls, genes):
    """Names of significant genes, the largest change first, by SciPy."""
    x, y = cells.astype(np.float64), controls.astype(np.float64)
    change = np.log2((np.expm1(x.mean(0)) + 1e-9) / (np.expm1(y.mean(0)) + 1e-9)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = mannwhitneyu(x, y, use_continuity=False, method="asymptotic").pvalue
    found = np.flatnonzero(false_discovery_control(np.nan_to_num(p, nan=1.0)) < 0.05)
    return [genes[g] for g in sorted(found, key=lambda g: (-abs(change[g]), genes[g]))]


def naive_rows(pair, targets):
    """(mae, pds, des, k) of each condition of a pair with one group; ``targets``: label to names of its genes."""
    controls = next(iter(pair.controls.values())).dense()
    rows = []
    for condition in pair.scored:
        mean = condition.predicted.dense().mean(0, dtype=float)
        kept = [g for g, gene in enumerate(pair.genes) if gene not in targets(condition.label)]
        distances = [np.abs(mean - other.measured.dense().mean(0, dtype=float))[kept].sum() for other in pair.scored]
        own = distances[pair.scored.index(condition)]
        mae = np.abs(mean - condition.measured.dense().mean(0, dtype=float)).mean()
        pds = 1 - sum(distance < own for distance in distances) / len(distances)
        measured = naive_significant(condition.measured.dense(), controls, pair.genes)
        predicted = naive_significant(condition.predicted.dense(), controls, pair.genes)
        k = len(measured)
        rows.append((mae, pds, len(set(predicted[:k]) & set(measured)) / k if k else 0.0, k))
    return np.array(rows)


def test_every_metric_is_the_naive_one():
    prediction, truth = screen(30, seed=1), screen(40)
    found = scored(prediction, truth).iloc[:-1]
    expected = naive_rows(paired(prediction, truth, ["cell_type"]), lambda label: label.split("+"))
    np.testing.assert_allclose(found[[*METRICS, "significant_genes"]], expected, rtol=1e-6)
    assert (found["significant_genes"] > 0).all()


def test_columns_and_rows_stand_in_the_documented_order():
    found = scored(screen(seed=1), screen())
    baselines, scores = [f"{name}_baseline" for name in METRICS], [f"{name}_score" for name in METRICS]
    expected = ["condition", "cell_type", *METRICS, "significant_genes", *baselines, *scores, "score", "baseline"]
    assert list(found.columns) == expected
    assert found["condition"].tolist() == [*CONDITIONS, "mean"]
    numbers = [*METRICS, *baselines]
    np.testing.assert_allclose(found[numbers].iloc[-1].to_numpy(float), found[numbers].iloc[:-1].mean())
    assert found[[*scores, "score"]].iloc[:-1].isna().all().all()
    assert set(found["baseline"]) == {"control mean"}
    given = scored(screen(seed=1), screen(), {("k",): np.ones(10)})
    assert set(given["baseline"]) == {"given profile"}


def test_a_perfect_prediction_has_the_score_one():
    mean = scored(screen(), screen()).iloc[-1]
    assert mean[[*METRICS, "score"]].tolist() == pytest.approx([0, 1, 1, 1])


def test_the_score_is_the_mean_of_the_way_from_the_baseline():
    mean = scored(screen(30, seed=1), screen()).iloc[-1]
    parts = [1 - mean["mae"] / mean["mae_baseline"]]
    parts += [1 - (1 - mean[name]) / (1 - mean[f"{name}_baseline"]) for name in ("pds", "des")]
    assert mean[["mae_score", "pds_score", "des_score"]].tolist() == pytest.approx(parts)
    assert mean["score"] == pytest.approx(sum(parts) / 3)
    assert 0 < mean["score"] < 1


def test_the_baseline_offered_as_the_prediction_scores_zero():
    truth = screen()
    profile = np.random.default_rng(3).random(10)
    prediction = cells_of(truth.labels.tolist(), np.tile(profile, (len(truth.labels), 1)))
    found = scored(prediction, truth, {("k",): profile})
    for name in METRICS:
        np.testing.assert_allclose(found[name], found[f"{name}_baseline"], rtol=1e-6)
    assert found["score"].iloc[-1] == pytest.approx(0, abs=1e-6)


def test_worse_than_the_baseline_counts_as_zero():
    truth = screen()
    opposite = ["control"] * 40 + [label for label in ("B", "g1+g2", "A") for _ in range(40)]
    mean = scored(cells_of(opposite, truth.values.toarray() * 4), truth).iloc[-1]
    assert mean["mae"] > mean["mae_baseline"]
    assert mean["mae_score"] == 0
    assert mean["score"] == pytest.approx(mean[["mae_score", "pds_score", "des_score"]].mean())


def test_no_change_is_the_mean_of_the_controls():
    truth = screen()
    controls = truth.values[truth.labels == "control"].toarray()
    given = scored(screen(seed=1), truth, {("k",): controls.mean(0, dtype=float)})
    pd.testing.assert_frame_equal(
        scored(screen(seed=1), truth).drop(columns="baseline"), given.drop(columns="baseline")
    )
    measured = truth.values[truth.labels == "A"].toarray()
    expected = np.abs(measured.mean(0, dtype=float) - controls.mean(0, dtype=float)).mean()
    assert given["mae_baseline"].iloc[0] == pytest.approx(expected)


def test_equal_cells_are_tested_as_any_cells():
    """The baseline's tied cells are nothing special to the test: SciPy has the same p of them."""
    truth = screen()
    profile = np.where(np.arange(10) < 5, 0.0, 1.5).astype(np.float32)
    found = scored(screen(seed=1), truth, {("k",): profile}).iloc[:-1]
    controls = truth.values[truth.labels == "control"].toarray()
    constant = naive_significant(np.tile(profile, (40, 1)), controls, GENES)
    assert 0 < len(constant) <= 10
    for label, value in zip(found["condition"], found["des_baseline"], strict=True):
        measured = naive_significant(truth.values[truth.labels == label].toarray(), controls, GENES)
        assert value == pytest.approx(len(set(constant[: len(measured)]) & set(measured)) / len(measured))


@pytest.mark.parametrize(
    ("predicted", "measured", "expected"),
    [
        ([1, 2, 3], [3, 2, 1], 1.0),
        ([9, 1, 2], [1, 2], 0.5),
        ([1], [1, 2, 3, 4], 0.25),
        ([], [1, 2], 0.0),
        ([1, 2], [], 0.0),
        ([], [], 0.0),
    ],
)
def test_overlap_by_hand(predicted, measured, expected):
    assert overlap(predicted, measured) == expected


def test_discrimination_by_hand():
    measured = np.array([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    predicted = np.array([[0.9, 0.0], [0.8, 0.0], [4.0, 0.0]])
    none = np.zeros((3, 2), dtype=bool)
    # The first lies nearer to the second condition: rank 1 of 3.
    assert discrimination(predicted, measured, none).tolist() == pytest.approx([2 / 3, 1, 1])


def test_equal_distances_take_their_average_rank():
    measured = np.array([[0.0, 1.0], [1.0, 0.0], [9.0, 9.0], [9.0, 9.0]])
    predicted = np.array([[0.0, 0.0], [0.0, 0.0], [9.0, 9.0], [0.0, 0.0]])
    found = discrimination(predicted, measured, np.zeros((4, 2), dtype=bool))
    assert found.tolist() == pytest.approx([1 - 0.5 / 4, 1 - 0.5 / 4, 1 - 0.5 / 4, 1 - 2.5 / 4])


def test_the_target_gene_does_not_help_and_does_not_harm():
    measured = np.array([[0.0, 0.0], [1.0, 9.0]])
    predicted = np.array([[0.1, 9.0], [0.9, 9.0]])
    left_out = np.array([[False, True], [False, False]])
    assert discrimination(predicted, measured, np.zeros((2, 2), dtype=bool)).tolist() == [0.5, 1.0]
    assert discrimination(predicted, measured, left_out).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("label", "separator", "expected"),
    [
        ("A", "+", ["A"]),
        ("A + B", "+", ["A", "B"]),
        ("A+ctrl", "+", ["A"]),
        ("A_B", "_", ["A", "B", "A_B"]),
        ("A_B", "+", ["A_B"]),
        ("A_B", None, ["A_B"]),
        ("drug@0.1+B@2", "+", ["B"]),
        ("AB", "+", []),
        ("a", "+", []),
    ],
)
def test_target_genes_are_the_parts_of_a_label(label, separator, expected):
    genes = ["B", "A", "A_B", "X"]
    assert {gene for gene, chosen in zip(genes, target_genes(label, genes, separator), strict=True) if chosen} == set(
        expected
    )


def test_conditions_are_told_apart_inside_their_group_only():
    truth = screen()
    labels, values = truth.labels.tolist(), truth.values.toarray()
    twice = cells_of(labels * 2, np.vstack([values, values]), ["x"] * len(labels) + ["y"] * len(labels))
    found = scored(twice, twice)
    assert found["cell_type"].tolist() == ["x"] * 3 + ["y"] * 3 + [""]
    assert (found["pds"] == 1).all()


def test_one_condition_has_no_other_to_be_confused_with_and_no_score():
    truth = screen()
    one = truth.subset(np.flatnonzero(np.isin(truth.labels, ["control", "A"])))
    found = scored(screen(seed=1), one)
    assert found[["pds", "pds_baseline"]].to_numpy().tolist() == [[1, 1], [1, 1]]
    assert math.isnan(found["pds_score"].iloc[-1])
    assert math.isnan(found["score"].iloc[-1])
    assert np.isfinite(found[["mae_score", "des_score"]].iloc[-1].to_numpy(float)).all()


def test_a_perfect_baseline_leaves_nothing_to_gain():
    truth = cells_of(["control"] * 6 + ["A"] * 6 + ["B"] * 6, np.full((18, 10), 0.5))
    mean = scored(truth, truth).iloc[-1]
    assert (mean["mae"], mean["mae_baseline"]) == (0, 0)
    assert math.isnan(mean["mae_score"])
    assert math.isnan(mean["score"])


@pytest.mark.parametrize("value", [0.0, 0.5, 3.0])
def test_constant_predictions_have_numbers(value):
    truth = screen()
    found = scored(cells_of(CONDITIONS * 5, np.full((15, 10), value)), truth)
    assert np.isfinite(found[[*METRICS, *(f"{name}_baseline" for name in METRICS)]].to_numpy(float)).all()
    assert np.isfinite(found["score"].iloc[-1])


def test_genes_silent_everywhere_are_never_significant():
    truth = screen()
    silent = np.hstack([truth.values.toarray(), np.zeros((len(truth.labels), 5))])
    wider = cells_of(truth.labels.tolist(), silent, genes=(*GENES, *"vwxyz"))
    found, before = scored(wider, wider), scored(truth, truth)
    assert (found["significant_genes"] <= 10).all()
    np.testing.assert_allclose(found["mae_baseline"], before["mae_baseline"] * 10 / 15)
    nothing = cells_of(truth.labels.tolist(), np.zeros((len(truth.labels), 10)))
    assert (scored(nothing, nothing)[["des", "significant_genes"]] == 0).all().all()


def test_no_significant_gene_is_zero_and_shows_in_its_column():
    same = cells_of(["control"] * 30 + ["A"] * 30 + ["B"] * 30, np.tile(expression(30), (3, 1)))
    found = scored(same, same)
    assert (found[["des", "significant_genes", "des_baseline"]] == 0).all().all()


@pytest.mark.parametrize(("predicted", "measured", "controls"), [(1, 40, 40), (40, 1, 40), (40, 40, 1)])
def test_one_cell_has_no_significant_gene(predicted, measured, controls):
    labels = ["control"] * controls + ["A"] * measured + ["B"] * measured
    truth = cells_of(labels, expression(len(labels)))
    prediction = cells_of(["A"] * predicted + ["B"] * predicted, expression(2 * predicted, seed=1) + 3)
    found = scored(prediction, truth)
    assert (found["des"] == 0).all()
    assert np.isfinite(found[["mae", "pds"]].to_numpy(float)).all()
    if min(measured, controls) == 1:
        assert (found["significant_genes"] == 0).all()


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({}, "no profile for the group 'k'"),
        ({("k",): np.ones(9)}, r"has shape \(9,\); expected one number for each of the 10 genes"),
        ({("k",): np.full(10, np.nan)}, "expected one number for each"),
    ],
)
def test_a_baseline_that_does_not_fit_is_named(baseline, message):
    with pytest.raises(DataError, match=message):
        scored(screen(), screen(), baseline)


@pytest.mark.long
@pytest.mark.slow
def test_real_cells_have_the_naive_metrics(mirror):
    truth = labelled(open_cells("perturbench-devel").within(["cell_type"]))
    k562 = truth.subset(np.array([i for i, group in enumerate(truth.groups) if group == ("k562",)]))
    halves = [k562.subset(np.arange(start, len(k562.labels), 2)) for start in (0, 1)]
    pair = paired(*halves, ["cell_type"])
    found = virtual_cell_table(pair)
    expected = naive_rows(pair, lambda label: label.split("+"))
    np.testing.assert_allclose(found[[*METRICS, "significant_genes"]].iloc[:-1], expected, rtol=1e-6)
    mean = found.iloc[-1]
    assert mean["pds"] > 0.9 > mean["pds_baseline"]
    assert mean["mae"] < mean["mae_baseline"]
    assert 0 < mean["score"] < 1
