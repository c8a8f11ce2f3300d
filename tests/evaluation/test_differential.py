"""Differential expression: agreement with SciPy, genes that never vary, odd names, few cells, whole tables."""

import logging
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import false_discovery_control, mannwhitneyu, ttest_ind

from primeflow_core.data.datasets import open_cells
from primeflow_core.errors import DataError
from primeflow_core.evaluation.differential import (
    contrasts,
    differential_expression,
    differential_tables,
    too_few_cells,
)
from primeflow_core.evaluation.labelled import LabelledCells, labelled
from primeflow_core.evaluation.pair import paired

COLUMNS = [
    "gene", "log2_fold_change", "t", "p", "p_adjusted", "percent_expressing", "percent_expressing_control"
]  # fmt: skip
GENES = [f"g{i}" for i in range(12)]


def expression(n, genes=12, seed=0):
    """Log-normalised by its looks: non-negative, about a third of it zero."""
    draw = np.random.default_rng(seed)
    return (draw.gamma(1.5, 0.6, (n, genes)) * (draw.random((n, genes)) > 0.35)).astype(np.float32)


def by_gene(table):
    return table.set_index("gene")


def naive(cells, controls, genes):
    """The table by SciPy, in the order of ``genes``; no number, and p 1, for a gene that never varies."""
    cells, controls = cells.astype(np.float64), controls.astype(np.float64)
    constant = (np.ptp(cells, axis=0) == 0) & (np.ptp(controls, axis=0) == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        t, p = ttest_ind(cells, controls, equal_var=False)
    t, p = np.where(constant, np.nan, t), np.where(constant, 1.0, p)
    change = np.log2((np.expm1(cells.mean(0)) + 1e-9) / (np.expm1(controls.mean(0)) + 1e-9))
    shares = [100 * (values > 0).mean(0) for values in (cells, controls)]
    return pd.DataFrame(
        dict(zip(COLUMNS, [genes, change, t, p, false_discovery_control(p), *shares], strict=True))
    ).set_index("gene")


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix])
@pytest.mark.parametrize(("n", "k"), [(40, 25), (2, 2), (3, 60)])
def test_the_t_test_is_scipys(form, n, k):
    cells, controls = expression(n) + 0.1, expression(k, seed=1)
    found = differential_expression(form(cells), form(controls), GENES)
    assert list(found.columns) == COLUMNS
    expected = naive(cells, controls, GENES)
    pd.testing.assert_frame_equal(by_gene(found).loc[GENES], expected, rtol=1e-5, check_names=False)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_the_rank_sum_test_is_scipys_without_correction_for_continuity(form):
    cells, controls = expression(30), expression(50, seed=1) * 0.8
    found = by_gene(differential_expression(form(cells), form(controls), GENES, method="wilcoxon")).loc[GENES]
    u, p = mannwhitneyu(cells.astype(float), controls.astype(float), use_continuity=False, method="asymptotic")
    np.testing.assert_allclose(found["p"], p, rtol=1e-9)
    np.testing.assert_allclose(found["p_adjusted"], false_discovery_control(p), rtol=1e-9)
    np.testing.assert_array_equal(np.sign(found["z"]), np.sign(u - 30 * 50 / 2))


def test_two_genes_by_hand():
    cells = np.log1p(np.array([[1.0, 0.0], [3.0, 0.0], [7.0, 0.0], [0.0, 1.0]]))
    controls = np.log1p(np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    found = by_gene(differential_expression(cells, controls, ["a", "b"]))
    # Means of logs, a: log(2 * 4 * 8) / 4 = log 2^1.5, so 2^1.5 - 1 against 2^0.2 - 1.
    assert found.loc["a", "log2_fold_change"] == pytest.approx(np.log2((2**1.5 - 1) / (2**0.2 - 1)), rel=1e-6)
    assert found.loc["b", "log2_fold_change"] == pytest.approx(np.log2((2**0.25 - 1) / 1e-9), rel=1e-6)
    assert found["percent_expressing"].tolist() == [75.0, 25.0]
    assert found["percent_expressing_control"].tolist() == [20.0, 0.0]
    # In units of log 2, a: mean 1.5 and variance 5/3 of four, mean 0.2 and variance 0.2 of five.
    assert found.loc["a", "t"] == pytest.approx(1.3 / np.sqrt(5 / 12 + 0.04), rel=1e-6)
    assert found.loc["b", "t"] == pytest.approx(1.0)


def test_a_gene_silent_on_one_side_has_a_change_of_twenty_to_thirty():
    cells, controls = expression(20), expression(20, seed=1)
    cells[:, 0] = controls[:, 1] = 0
    change = by_gene(differential_expression(cells, controls, GENES))["log2_fold_change"]
    assert -35 < change["g0"] < -20
    assert 20 < change["g1"] < 35


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize(("value", "control"), [(0.7, 0.0), (0.7, 0.7), (0.0, 0.0), (2.3, 0.1)])
def test_a_gene_that_never_varies_says_nothing_and_moves_no_other(form, value, control):
    cells, controls = expression(40), expression(25, seed=1)
    cells[:, 3], controls[:, 3] = value, control
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = by_gene(differential_expression(form(cells), form(controls), GENES))
    assert found.loc["g3", ["t", "p", "p_adjusted"]].tolist() == [0.0, 1.0, 1.0]
    others = [gene for gene in GENES if gene != "g3"]
    p = found.loc[GENES, "p"]
    np.testing.assert_allclose(found.loc[GENES, "p_adjusted"], false_discovery_control(p))
    np.testing.assert_allclose(found.loc[others, "p"], naive(cells, controls, GENES).loc[others, "p"], rtol=1e-6)


def test_float_noise_around_a_constant_is_no_variance():
    cells, controls = expression(40), expression(25, seed=1)
    noise = np.random.default_rng(2).normal(0, 1e-7, 40).astype(np.float32)
    cells[:, 0], controls[:, 0] = 2 + noise, 1
    for form in (np.asarray, sp.csr_matrix):
        found = by_gene(differential_expression(form(cells), form(controls), GENES))
        assert found.loc["g0", ["t", "p"]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("values", [np.zeros((5, 3)), np.full((5, 3), 0.4), np.eye(5, 3)])
@pytest.mark.parametrize("method", ["t-test", "wilcoxon"])
def test_nothing_to_find_and_whole_numbers_give_no_message(values, method, capfd, caplog):
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        found = differential_expression(values, values, ["c", "b", "a"], method=method)
    assert (found["p"] == 1).all()
    assert (found["p_adjusted"] == 1).all()
    assert (found["log2_fold_change"] == 0).all()
    assert found["gene"].tolist() == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_rows_are_sorted_by_p_then_by_size_then_by_name():
    cells = np.vstack([expression(400, 3) + 9, expression(400, 3, seed=1) + 9]).repeat([1, 2, 1], axis=1)
    controls = np.vstack([expression(400, 3, seed=2), expression(400, 3, seed=3)]).repeat([1, 2, 1], axis=1)
    cells[:, 0] += 40
    found = differential_expression(cells, controls, ["late", "z", "y", "last"])
    assert (found["p"] == 0).all(), "p must underflow for this test to say something"
    assert found["t"].abs().is_monotonic_decreasing
    assert found["gene"].iloc[0] == "late"
    z, y = (found["gene"].tolist().index(name) for name in "zy")
    assert z == y + 1


def test_gene_names_may_be_anything():
    names = ["1", "0", "", "twin", "twin", "control", "β-Actin, 5'", "1.0", "nan", "g" * 300, "g" * 301, "2"]
    cells, controls = expression(30), expression(30, seed=1)
    found = differential_expression(cells, controls, names)
    expected = naive(cells, controls, names)
    assert sorted(found["gene"]) == sorted(names)
    np.testing.assert_allclose(np.sort(found["p"]), np.sort(expected["p"]), rtol=1e-6)
    unique = [name for name in names if name != "twin"]
    np.testing.assert_allclose(by_gene(found).loc[unique, "t"], expected.loc[unique, "t"], rtol=1e-5)


def test_the_order_of_cells_does_not_matter():
    cells, controls = expression(30), expression(30, seed=1)
    one = differential_expression(cells, controls, GENES)
    other = differential_expression(cells[::-1], controls[::-1], GENES)
    pd.testing.assert_frame_equal(one, other)


def test_sparse_cells_stay_sparse_and_as_they_were(monkeypatch):
    def refused(*_args, **_options):
        raise AssertionError("made dense")

    cells, controls = sp.csr_matrix(expression(30)), sp.csr_matrix(expression(30, seed=1))
    cells.data[0] = 0
    before = cells.copy()
    dense = differential_expression(cells.toarray(), controls.toarray(), GENES)
    for kind in (sp.csr_matrix, sp.csr_array):
        monkeypatch.setattr(kind, "toarray", refused)
        monkeypatch.setattr(kind, "todense", refused, raising=False)
    pd.testing.assert_frame_equal(differential_expression(cells, controls, GENES), dense, rtol=1e-6)
    np.testing.assert_array_equal(cells.data, before.data)
    np.testing.assert_array_equal(cells.indptr, before.indptr)


def test_a_negative_mean_has_no_fold_change():
    cells = np.full((4, 1), -0.5) + np.arange(4)[:, None] / 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = differential_expression(cells, np.arange(5.0)[:, None], ["a"]).iloc[0]
    assert np.isnan(row["log2_fold_change"])
    assert row["percent_expressing"] == 0
    assert np.isfinite(row[["t", "p"]].to_numpy(float)).all()


@pytest.mark.parametrize(
    ("cells", "controls", "message"),
    [
        (expression(1), expression(5), "There are 1 cells; comparing genes needs 2"),
        (expression(5), expression(1), "There are 1 control cells; comparing genes needs 2"),
        (expression(0), expression(5), "There are 0 cells"),
        (expression(5, 11), expression(5), r"The cells have shape \(5, 11\); expected \(cells, genes\) with 12 genes"),
        (expression(5), expression(5, 13), r"The control cells have shape \(5, 13\)"),
        (expression(5)[0], expression(5), r"The cells have shape \(12,\)"),
        (expression(5) * np.nan, expression(5), "The cells hold a value that is no number"),
        (expression(5), sp.csr_matrix(expression(5) + np.inf), "The control cells hold a value that is no number"),
    ],
)
def test_what_cannot_be_tested_is_named(cells, controls, message):
    with pytest.raises(DataError, match=message):
        differential_expression(cells, controls, GENES)


def test_no_genes_are_refused_and_no_sets_give_nothing():
    with pytest.raises(DataError, match="with 0 genes, 1 or more"):
        differential_expression(np.zeros((3, 0)), np.zeros((3, 0)), [])
    assert contrasts([], expression(4)) == []


def test_several_sets_at_once_are_each_set_alone():
    sets, controls = [expression(n, seed=n) for n in (5, 9, 2)], expression(7, seed=1)
    for method in ("t-test", "wilcoxon"):
        for one, cells in zip(contrasts(sets, controls, method), sets, strict=True):
            (alone,) = contrasts([cells], controls, method)
            np.testing.assert_array_equal(one.statistic, alone.statistic)
            np.testing.assert_array_equal(one.p_adjusted, alone.p_adjusted)
            np.testing.assert_array_equal(one.log2_fold_change, alone.log2_fold_change)


def labelled_cells(labels, groups=None, genes=tuple(GENES), seed=0):
    groups = groups or ["k"] * len(labels)
    return LabelledCells(
        sp.csr_matrix(expression(len(labels), len(genes), seed)),
        genes,
        np.array(labels, dtype=object),
        tuple((group,) for group in groups),
        np.array([f"c{i}" for i in range(len(labels))]),
        "file",
    )


TRUTH = ["control"] * 8 + ["A"] * 6 + ["B+A"] * 5


def test_the_whole_table_is_each_condition_side_and_group_alone():
    truth = labelled_cells(TRUTH * 2, ["x"] * 19 + ["y"] * 19)
    prediction = labelled_cells((["A+B"] * 4 + ["A"] * 3) * 2, ["x"] * 7 + ["y"] * 7, tuple(GENES[::-1]), seed=1)
    pair = paired(prediction, truth, ["cell_type"])
    found = differential_tables(pair)
    assert list(found.columns) == ["condition", "cell_type", "side", *COLUMNS]
    assert len(found) == 4 * 2 * len(GENES)
    assert too_few_cells(pair) == ()
    for condition in pair.scored:
        for side, rows in (("predicted", condition.predicted), ("measured", condition.measured)):
            chosen = found["condition"] == condition.label
            chosen &= (found["cell_type"] == condition.group[0]) & (found["side"] == side)
            alone = differential_expression(rows.dense(), pair.controls[condition.group].dense(), pair.genes)
            pd.testing.assert_frame_equal(found.loc[chosen, COLUMNS].reset_index(drop=True), alone, rtol=1e-6)


def test_sides_with_too_few_cells_are_left_out_and_listed():
    truth = labelled_cells([*TRUTH, "C", "control", "A", "A"], ["x"] * 20 + ["y"] * 3)
    pair = paired(labelled_cells(["A", "A+B", "B+A", "C", "C", "A", "A"], ["x"] * 5 + ["y"] * 2), truth, ["c"])
    found = differential_tables(pair)
    kept = [("A", "x", "measured"), ("B+A", "x", "predicted"), ("B+A", "x", "measured"), ("C", "x", "predicted")]
    sides = found[["condition", "c", "side"]].drop_duplicates()
    assert list(sides.itertuples(index=False, name=None)) == kept
    left_out = ("A · x, predicted", "C · x, measured", "A · y, predicted", "A · y, measured")
    assert too_few_cells(pair) == left_out


def test_a_table_of_nothing_is_refused():
    pair = paired(labelled_cells(["A"]), labelled_cells(["control"] * 4 + ["A"]), ["c"])
    with pytest.raises(DataError, match="No condition has 2 cells on a side"):
        differential_tables(pair)


def test_labels_that_look_like_scanpys_own_are_no_harm():
    labels = ["ctrl"] * 6 + ["control"] * 5 + ["0"] * 5 + ["rest"] * 5
    cells = labelled_cells(labels)
    found = differential_tables(paired(cells, cells, ["c"], control="ctrl"))
    assert list(found["condition"].unique()) == ["control", "0", "rest"]
    sides = [found.loc[found["side"] == side, COLUMNS].reset_index(drop=True) for side in ("predicted", "measured")]
    pd.testing.assert_frame_equal(*sides)


def test_real_cells_have_scipys_table(mirror):
    truth = labelled(open_cells("perturbench-devel").within(["cell_type"]))
    k562 = truth.subset(np.array([i for i, group in enumerate(truth.groups) if group == ("k562",)]))
    halves = (k562.subset(np.arange(start, len(k562.labels), 2)) for start in (0, 1))
    pair = paired(*halves, ["cell_type"])
    found = differential_tables(pair)
    assert len(found) == 33 * 2 * 500
    assert not found.isna().any().any()
    controls = pair.controls["k562",].dense()
    for condition in pair.scored[:4]:
        one = found[(found["condition"] == condition.label) & (found["side"] == "predicted")]
        expected = naive(condition.predicted.dense(), controls, pair.genes).fillna(0)
        one = by_gene(one).loc[list(pair.genes), COLUMNS[1:]]
        pd.testing.assert_frame_equal(one, expected, rtol=1e-5, atol=1e-5, check_names=False)
