"""Evaluation: metrics with known values, ranks, pairs, bounds, and the figures of the reference implementation."""

import math
import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.agreement import agreement, bounds
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.distances import (
    BLOCK,
    InMemory,
    distances,
    energy_distance,
    mmd,
    pairwise_distances,
)
from primeflow_core.evaluation.genes import recalls, top_genes
from primeflow_core.evaluation.labelled import LabelledCells
from primeflow_core.evaluation.measured_condition import MeasuredCondition, halved_controls
from primeflow_core.evaluation.pair import MOST_PREDICTED, paired
from primeflow_core.evaluation.principal_components import components
from primeflow_core.evaluation.profiles import cosine, log_fold_change
from primeflow_core.evaluation.ranks import tie_average_ranks
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import evaluate
from tests.evaluation.from_cells import rmse, t_scores

RNG = np.random.default_rng(0)


def naive_mmd(x, y):
    def mean(a, b):
        return np.mean([[math.dist(p, q) for q in b] for p in a])

    return mean(x, y) - mean(x, x) / 2 - mean(y, y) / 2


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (7, 4)])
def test_mmd_is_the_double_loop(n, m):
    x, y = RNG.random((n, 6)), RNG.random((m, 6))
    assert mmd(x, y) == pytest.approx(naive_mmd(x, y), abs=1e-12)


def test_mmd_of_a_set_with_itself_is_zero_even_far_from_the_origin():
    x = RNG.random((30, 20)).astype(np.float32) + 1000
    assert mmd(x, x) == pytest.approx(0, abs=1e-12)
    assert mmd(x, x[::-1]) == pytest.approx(0, abs=1e-12)
    assert distances(x[:1], x[:1]).between == 0.0


@pytest.mark.parametrize(("features", "digits"), [(2, 1e-12), (300, 1e-6)])
def test_blocks_change_nothing(features, digits):
    x, y = RNG.random((1027, features)), RNG.random((2049, features))
    found = distances(x, y)
    assert found.within_x == pytest.approx(cdist(x, x).mean(), rel=digits)
    assert found.between == pytest.approx(cdist(x, y).mean(), rel=digits)
    assert mmd(x, y) == pytest.approx(mmd(y, x), rel=1e-9, abs=digits)


def many_genes(n, seed=0):
    return np.random.default_rng(seed).gamma(1.0, 1.0, (n, 300)).astype(np.float32)


def test_equal_cells_are_at_zero_in_single_precision_too():
    x = many_genes(40)
    assert mmd(x, x[::-1]) == pytest.approx(0, abs=1e-6)
    assert mmd(x + 1000, x + 1000) == pytest.approx(0, abs=1e-6)
    constant = np.repeat(x[:1], 50, axis=0)
    assert distances(constant, x).within_x == 0.0
    assert mmd(constant, x) == pytest.approx(cdist(x[:1], x).mean() - cdist(x, x).mean() / 2, rel=1e-6)


def test_close_cells_keep_their_digits_in_single_precision():
    x = many_genes(30)
    y = x.astype(np.float64) + 1e-4
    apart = 1e-4 * np.sqrt(300)
    expected = cdist(x.astype(np.float64), y)
    assert np.diagonal(expected) == pytest.approx(np.full(30, apart))
    assert distances(x, y).between == pytest.approx(expected.mean(), rel=1e-6)
    near = np.repeat(x[:1].astype(np.float64), 9, axis=0) + 1e-4 * np.arange(9)[:, None]
    assert distances(near, x).within_x == pytest.approx(cdist(near, near).mean(), rel=1e-5)


@pytest.mark.slow
def test_memory_holds_blocks_not_all_pairs():
    x, y = RNG.random((9000, 2)), RNG.random((8000, 2))
    tracemalloc.start()
    mmd(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * 8 * BLOCK < 8 * len(x) * len(y) / 10


def test_two_points_by_hand():
    # Distances: between 5, within 0: MMD = 5; the energy distance needs two cells a side.
    x, y = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])
    assert mmd(x, y) == pytest.approx(5.0)
    assert math.isnan(energy_distance(x, y))
    assert math.isnan(mmd(x, y[:0]))
    assert (distances(x, y).between, distances(x, y).n, distances(x, y).m) == (5.0, 1, 1)


def test_energy_distance_leaves_the_diagonal_out():
    x, y = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0], [5.0]])
    # Between: (0 + 2 + 5 + 1 + 1 + 4) / 6; within x: 1; within y: (2 + 5 + 3) / 3.
    assert energy_distance(x, y) == pytest.approx(2 * 13 / 6 - 1 - 10 / 3)
    assert mmd(x, y) == pytest.approx(13 / 6 - 1 / 4 - 20 / 18)


def test_energy_distance_of_shifted_gaussians_in_one_dimension():
    # For N(0, 1) and N(d, 1): 2 E|X - Y| - 2 E|X - X'| with |N(d, 2)| folded normal.
    shift = 1.5
    folded = 2 / math.sqrt(math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)
    exact = 2 * folded - 2 * 2 / math.sqrt(math.pi)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(3000, 1)), generator.normal(shift, size=(3000, 1))
    assert energy_distance(x, y) == pytest.approx(exact, rel=0.05)
    assert energy_distance(x, generator.normal(size=(3000, 1))) == pytest.approx(0, abs=0.01)


def test_pairwise_mmd_is_every_single_mmd():
    xs, ys = [RNG.random((n, 3)) for n in (4, 6)], [RNG.random((n, 3)) for n in (5, 2, 3)]
    expected = [[mmd(x, y) for y in ys] for x in xs]
    np.testing.assert_allclose(
        pairwise_distances(*[list(map(InMemory, s)) for s in (xs, ys)]).mmd, expected, atol=1e-12
    )


def test_profiles_by_hand():
    change = log_fold_change(np.array([0.9, 0.0]), np.array([0.4, 0.0]))
    np.testing.assert_allclose(change, [1.0, 0.0])
    assert cosine(np.array([1.0, 0.0]), np.array([2.0, 0.0])) == pytest.approx(1.0)
    assert cosine(np.array([1.0, 0.0]), np.array([0.0, 2.0])) == pytest.approx(0.0)
    assert math.isnan(cosine(np.zeros(2), np.ones(2)))
    assert rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == pytest.approx(math.sqrt(2))


def test_t_by_hand_and_zero_without_variance():
    perturbed = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]])
    control = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    # Gene 0: means 2 and 1, variances 2 and 3, both over n = 2; genes 1 and 2 vary nowhere.
    np.testing.assert_allclose(t_scores(perturbed, control), [1 / math.sqrt(2.5), 0.0, 0.0])
    # float32 noise around a constant is no variance either.
    noisy = (2.0 + RNG.normal(0, 1e-7, (50, 1))).astype(np.float32)
    assert t_scores(noisy, np.ones((20, 1))).tolist() == [0.0]


@pytest.mark.parametrize(("n", "controls"), [(1, 5), (5, 1)])
def test_one_cell_has_no_variance_and_so_no_top_genes(n, controls):
    t = t_scores(RNG.random((n, 3)), RNG.random((controls, 3)))
    assert np.isnan(t).all()
    assert top_genes(t, ["a", "b", "c"], 2) == frozenset()
    none, two = np.zeros((1, 3), bool), np.array([[True, True, False]])
    assert np.isnan(recalls(none, two)).all()
    assert np.isnan(recalls(two, none)).all()


@pytest.mark.slow
def test_t_is_scanpys_overestimated_variance():
    import scanpy

    values = RNG.gamma(2.0, 1.0, (60, 8)).astype(np.float32)
    labels = ["p"] * 25 + ["control"] * 35
    adata = anndata.AnnData(values, obs=pd.DataFrame({"c": pd.Categorical(labels)}, index=[str(i) for i in range(60)]))
    scanpy.tl.rank_genes_groups(adata, "c", reference="control", method="t-test_overestim_var")
    theirs = scanpy.get.rank_genes_groups_df(adata, "p").set_index("names")["scores"].loc[adata.var_names]
    np.testing.assert_allclose(t_scores(values[:25], values[25:]), theirs, rtol=1e-4)


def test_ties_at_the_last_place_are_broken_by_name():
    assert top_genes(np.array([1.0, -3.0, 1.0, 1.0]), ["b", "x", "a", "c"], 2) == {"x", "a"}
    assert top_genes(np.array([1.0, 2.0]), ["b", "a"], 50) == {"a", "b"}
    assert recalls(np.array([[True, True, False]]), np.array([[False, True, True]])).tolist() == [[0.5]]
    with pytest.raises(SettingError, match="top genes is 0"):
        top_genes(np.ones(2), ["a", "b"], 0)


def test_ties_that_rounding_hides_are_still_broken_by_name():
    # Every gene is seen in one perturbed cell only, so |t| is 1 on paper whatever the value and the cell.
    perturbed = np.diag(RNG.uniform(0.1, 5.0, 12))
    genes = [f"g{i:02d}" for i in RNG.permutation(12)]
    t = t_scores(perturbed, np.zeros((7, 12)))
    np.testing.assert_allclose(t, 1.0)
    assert len(set(t.tolist())) > 1, "rounding must differ for this test to say something"
    assert top_genes(t, genes, 5) == {"g00", "g01", "g02", "g03", "g04"}


def test_ranks_by_hand():
    scores = np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 2.0], [3.0, 5.0, np.nan]])
    # Column 0: own is smallest; column 1: three-way tie; column 2: own is NaN and sorts last.
    assert tie_average_ranks(scores, larger_is_better=False).tolist() == [0.0, 0.5, 1.0]
    assert tie_average_ranks(scores, larger_is_better=True).tolist() == [1.0, 0.5, 1.0]
    assert np.isnan(tie_average_ranks(np.ones((1, 1)), larger_is_better=True)).all()


def test_scores_that_differ_by_rounding_are_tied():
    scores = np.array([[0.3, 0.2], [0.1 + 0.2, 0.2]])
    assert scores[0, 0] != scores[1, 0]
    assert tie_average_ranks(scores, larger_is_better=False).tolist() == [0.5, 0.5]
    assert tie_average_ranks(np.array([[0.3, 0.2], [0.3001, 0.2]]), larger_is_better=False).tolist() == [0.0, 0.5]


def test_an_undefined_prediction_ranks_last_and_two_share_the_last_places():
    scores = np.array([[np.nan, np.nan, np.nan], [np.nan, np.nan, np.nan], [1.0, 1.0, 1.0]])
    for larger in (True, False):
        assert tie_average_ranks(scores, larger_is_better=larger).tolist() == [0.75, 0.75, 0.0]


def cells_of(labels, values=None, genes=("g0", "g1", "g2"), groups=None, source="file"):
    values = RNG.random((len(labels), len(genes))) if values is None else values
    return LabelledCells(
        sp.csr_matrix(values.astype(np.float32)),
        tuple(genes),
        np.array(labels, dtype=object),
        tuple(groups) if groups else (("k",),) * len(labels),
        np.array([f"c{i}" for i in range(len(labels))]),
        source,
    )


TRUTH = ["control"] * 8 + ["A"] * 8 + ["B+A"] * 8


def test_a_perfect_prediction_has_the_best_values():
    truth = cells_of(TRUTH)
    table = evaluate(paired(truth, truth, ["cell_type"]), pcs=2, top_genes=1)
    assert list(table["condition"]) == ["A", "B+A", "mean"]
    best = {"cosine_logfc": 1.0, "rmse_mean": 0.0, "mmd_gex": 0.0, "mmd_pca": 0.0, "deg_recall": 1.0}
    for name, value in best.items():
        np.testing.assert_allclose(table[name], value, atol=1e-6)
        assert (table[f"{name}_rank"].iloc[:2] <= 0.5).all()
    assert (table["mmd_gex_rank"] == 0).all()


def test_columns_stand_in_the_documented_order():
    truth = cells_of(TRUTH)
    names = ["cosine_logfc", "rmse_mean", "mmd_gex", "mmd_pca", "deg_recall"]
    expected = ["condition", "cell_type", *(name + end for name in names for end in ("", "_rank"))]
    assert list(evaluate(paired(truth, truth, ["cell_type"])).columns) == expected


def test_order_of_parts_genes_and_cells_does_not_matter():
    truth = cells_of(TRUTH)
    prediction = cells_of(["A"] * 5 + ["A+B"] * 5)
    swapped = LabelledCells(
        prediction.values[::-1][:, [2, 0, 1]], ("g2", "g0", "g1"), prediction.labels[::-1], prediction.groups,
        prediction.names, "swapped",
    )  # fmt: skip
    one, other = (evaluate(paired(p, truth, ["cell_type"]), pcs=2, top_genes=2) for p in (prediction, swapped))
    pd.testing.assert_frame_equal(one, other)


def test_conditions_of_one_side_only_are_listed_and_controls_of_the_prediction_are_not_scored():
    pair = paired(cells_of(["A"] * 4 + ["Z"] * 4 + ["control"] * 3), cells_of(TRUTH), ["cell_type"])
    assert [condition.label for condition in pair.scored] == ["A"]
    assert pair.missing_from_prediction == ("B+A · k",)
    assert pair.missing_from_reference == ("Z · k",)
    assert len(pair.controls["k",].rows) == 8


def test_everything_stays_inside_a_covariate_group():
    groups = [("x",)] * 24 + [("y",)] * 24
    truth = cells_of(TRUTH * 2, groups=groups)
    pair = paired(truth, truth, ["cell_type"])
    assert tuple(pair.by_group()) == (("x",), ("y",))
    assert set(pair.controls) == {("x",), ("y",)}


def test_a_group_with_one_condition_does_not_count():
    truth = cells_of([*TRUTH, "A", "A"], groups=[("x",)] * 24 + [("y",)] * 2)
    pair = paired(truth, truth, ["c"])
    assert {condition.group for condition in pair.scored} == {("x",)}
    assert pair.alone == ("A · y",)


def test_ranks_are_taken_among_the_conditions_of_a_group_only():
    values = RNG.random((48, 3))
    truth = cells_of(TRUTH * 2, values, groups=[("x",)] * 24 + [("y",)] * 24)
    both = evaluate(paired(truth, truth, ["c"]), pcs=2, top_genes=1)
    alone = evaluate(paired(truth, truth.subset(np.arange(24)), ["c"]), pcs=2, top_genes=1)
    ranks = [name for name in both if name.endswith("_rank")]
    np.testing.assert_array_equal(both.loc[both["c"] == "x", ranks], alone.loc[alone["c"] == "x", ranks])


def test_a_part_that_is_the_control_says_nothing():
    reference = cells_of(["ctrl"] * 4 + ["A+ctrl"] * 4 + ["ctrl+B"] * 4)
    pair = paired(cells_of(["B"] * 4 + ["ctrl+A"] * 4), reference, ["c"], control="ctrl")
    assert [condition.label for condition in pair.scored] == ["A+ctrl", "ctrl+B"]
    assert len(pair.controls["k",].rows) == 4


def test_a_plus_in_the_control_label_or_in_a_name_is_no_harm():
    reference = cells_of(["C[S+](C)[O-]"] * 4 + ["(+)-JQ1"] * 4)
    pair = paired(reference, reference, ["c"], control="C[S+](C)[O-]")
    assert [condition.label for condition in pair.scored] == ["(+)-JQ1"]


def test_another_separator_matches_our_own():
    reference = cells_of(["control"] * 4 + ["A_B"] * 4 + ["C"] * 4)
    assert [c.label for c in paired(cells_of(["B+A"] * 3), reference, ["c"], separator="_").scored] == ["A_B"]
    with pytest.raises(DataError, match="no condition in common"):
        paired(cells_of(["B+A"] * 3), reference, ["c"])


def test_the_first_thousand_predicted_cells_are_used():
    values = np.arange(MOST_PREDICTED + 5, dtype=float)[:, None].repeat(3, axis=1)
    pair = paired(cells_of(["A"] * len(values), values), cells_of(TRUTH), ["c"])
    assert pair.scored[0].predicted.dense()[:, 0].tolist() == list(range(MOST_PREDICTED))


def test_one_predicted_cell_gives_distances_and_no_recall():
    table = evaluate(paired(cells_of(["A", "B+A", "B+A"]), cells_of(TRUTH), ["c"]), pcs=2, top_genes=2)
    row = table.set_index("condition").loc["A"]
    assert np.isfinite(row[["cosine_logfc", "rmse_mean", "mmd_gex", "mmd_pca"]].to_numpy(float)).all()
    assert np.isnan(row["deg_recall"])
    assert row["deg_recall_rank"] == 1.0
    assert table["deg_recall"].iloc[-1] == table["deg_recall"].iloc[1]


def test_a_gene_silent_everywhere_changes_no_metric_but_the_rmse():
    truth, prediction = RNG.random((24, 3)) + 0.5, RNG.random((8, 3)) + 0.5
    silent = [np.hstack([values, np.zeros((len(values), 1))]) for values in (prediction, truth)]
    genes = ("g0", "g1", "g2", "silent")
    before = evaluate(paired(cells_of(["A"] * 8, prediction), cells_of(TRUTH, truth), ["c"]), pcs=2, top_genes=2)
    after = evaluate(
        paired(cells_of(["A"] * 8, silent[0], genes), cells_of(TRUTH, silent[1], genes), ["c"]), pcs=2, top_genes=2
    )
    kept = ["cosine_logfc", "mmd_gex", "mmd_pca", "deg_recall"]
    np.testing.assert_allclose(after[kept].to_numpy(float), before[kept].to_numpy(float), rtol=1e-9)
    np.testing.assert_allclose(after["rmse_mean"], before["rmse_mean"] * math.sqrt(3 / 4))


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (cells_of(["A"]), cells_of(TRUTH, genes=("g0", "g1", "h")), "lacks 1 of the 3 genes of file, for instance h"),
        (cells_of(["Z"]), cells_of(TRUTH), "no condition in common"),
        (cells_of(["A"]), cells_of(["A", "B"]), "no control cells"),
        (cells_of(["A"]), cells_of(["A"]), r"one condition only in each group of the covariates \(A · k\)"),
    ],
)
def test_what_cannot_be_paired_is_named(prediction, truth, message):
    with pytest.raises(DataError, match=message):
        paired(prediction, truth, ["cell_type"])


def test_files_without_a_condition_in_common_are_shown_with_examples_of_both():
    with pytest.raises(DataError, match=r"K has for instance Z · k\. file has for instance A · k, B\+A · k\."):
        paired(cells_of(["Z", "control"], source="K"), cells_of(TRUTH), ["c"])
    with pytest.raises(DataError, match=r"K has no perturbed cells"):
        paired(cells_of(["control"], source="K"), cells_of(TRUTH), ["c"])


def test_components_are_centred_unscaled_and_of_fixed_sign():
    cells = RNG.normal(size=(50, 6)) * [5, 1, 1, 1, 1, 1] + 7
    fitted = components(cells, 30)
    assert fitted.axes.shape == (6, 6)
    assert fitted.axes[0, 0] > 0.9
    np.testing.assert_allclose(fitted.project(cells).mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(mmd(fitted.project(cells), fitted.project(cells[:9])), mmd(cells, cells[:9]), rtol=1e-9)


def test_a_constant_prediction_has_finite_metrics():
    table = evaluate(paired(cells_of(["A"] * 4, np.full((4, 3), 0.5)), cells_of(TRUTH), ["c"]), pcs=2, top_genes=2)
    assert np.isfinite(
        table.filter(regex="^(rmse_mean|mmd_gex|mmd_pca|deg_recall|cosine_logfc)$").to_numpy(float)
    ).all()


@pytest.mark.parametrize(
    ("value", "floor", "ceiling", "position"),
    [(0.2, 0.3, 0.1, 0.5), (0.4, 0.3, 0.1, 0.0), (0.05, 0.3, 0.1, 1.0), (0.2, None, 0.1, None), (0.2, 0.1, 0.1, None)],
)
def test_position_between_floor_and_ceiling(value, floor, ceiling, position):
    assert Bounded(value, floor, ceiling).position == (None if position is None else pytest.approx(position))


@pytest.mark.parametrize(
    ("value", "floor", "ceiling", "larger_is_better", "position"),
    [
        (0.5, 0.4, 0.6, True, 0.5),
        (0.3, 0.4, 0.6, True, 0.0),
        # Bounds on the wrong side of each other: there is no effect to be found, so no place between them.
        (0.5, 0.6, 0.4, True, None),
        (0.20, 0.05, 0.07, False, None),
        (math.nan, 0.3, 0.1, False, None),
    ],
)
def test_position_is_read_in_the_direction_of_the_metric(value, floor, ceiling, larger_is_better, position):
    found = Bounded(value, floor, ceiling, larger_is_better).position
    assert found == (None if position is None else pytest.approx(position))


def test_agreement_of_the_measured_cells_with_themselves_is_best_and_reproducible():
    cells, controls = RNG.random((20, 4)) + 3, RNG.random((12, 4))
    kept, floor = halved_controls(controls)
    measured = MeasuredCondition(cells, kept, floor, ["a", "b", "c", "d"], components(np.vstack([cells, controls]), 2))
    found = agreement(cells, measured, top=2, seed=3)
    assert found == agreement(cells, measured, top=2, seed=3)
    assert found["deg_recall"].larger_is_better
    assert found["cosine_logfc"].larger_is_better
    for name, best in {"rmse_mean": 0, "mmd_gex": 0, "mmd_pca": 0, "deg_recall": 1, "cosine_logfc": 1}.items():
        assert found[name].value == pytest.approx(best, abs=1e-9)
    for name in ("rmse_mean", "mmd_gex", "mmd_pca", "energy_distance", "cosine_logfc"):
        assert found[name].position == 1.0
    floored = agreement(floor, measured, top=2)
    assert all(floored[name].value == floored[name].floor for name in floored)


def test_too_few_cells_leave_a_bound_out():
    cells, controls = RNG.random((7, 4)), RNG.random((8, 4))
    measured = MeasuredCondition(cells, controls, controls[:3], ["a", "b", "c", "d"], components(cells, 2))
    found = agreement(cells, measured, top=2)
    assert {bounded.floor for bounded in found.values()} == {None}
    assert {bounded.ceiling for bounded in found.values()} == {None}


def test_the_floor_is_a_prediction_of_a_thousand_cells_at_most():
    truth = cells_of(TRUTH)
    first = RNG.random((MOST_PREDICTED, 3))
    more = np.vstack([first, np.full((4, 3), 50.0)])
    pair = paired(truth, truth, ["c"])
    pd.testing.assert_frame_equal(
        bounds(score(pair, pcs=2), {("k",): more}), bounds(score(pair, pcs=2), {("k",): first})
    )


def test_halved_controls_are_disjoint_and_whole():
    one, other = halved_controls(np.arange(11)[:, None])
    assert sorted([*one[:, 0], *other[:, 0]]) == list(range(11))


def test_bounds_are_ordered_where_there_is_an_effect_and_missing_for_few_cells():
    values = RNG.random((24, 3)) + np.repeat([0.0, 3.0, 6.0], 8)[:, None]
    truth = cells_of(TRUTH, values)
    row = bounds(score(paired(truth, truth, ["c"]), pcs=2, top_genes=1)).iloc[0]
    assert row["mmd_gex"] <= row["mmd_gex_ceiling"] < row["mmd_gex_floor"]
    few = bounds(
        score(paired(cells_of(["A"] * 3), cells_of(TRUTH[:7] + ["A"] * 3 + ["B"]), ["c"]), pcs=2, top_genes=1)
    ).iloc[0]
    assert np.isnan(few["mmd_gex_ceiling"])
