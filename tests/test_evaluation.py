"""Evaluation: metrics with known values, ranks, pairs, bounds, and the figures of the reference implementation."""

import math

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.agreement import Bounded, bounds, halved_controls
from primeflow_core.evaluation.distances import BLOCK, energy_distance, mean_self_distance, mmd, pairwise_mmd
from primeflow_core.evaluation.genes import recall, t_scores, top_genes
from primeflow_core.evaluation.pair import LabelledCells, paired, read_labelled
from primeflow_core.evaluation.principal_components import components
from primeflow_core.evaluation.profiles import cosine, log_fold_change, rmse
from primeflow_core.evaluation.ranks import tie_average_ranks
from primeflow_core.evaluation.table import evaluate
from primeflow_core.splits import listed_parts

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
    assert mmd(x, x) == pytest.approx(0, abs=1e-6)
    assert mmd(x, x[::-1]) == pytest.approx(0, abs=1e-6)


def test_blocks_change_nothing():
    x, y = RNG.random((BLOCK + 3, 2)), RNG.random((2 * BLOCK + 1, 2))
    whole = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1)).mean()
    assert mean_self_distance(x) == pytest.approx(whole, rel=1e-12)
    assert mmd(x, y) == pytest.approx(mmd(y, x), rel=1e-9)


def test_two_points_by_hand():
    # Distances: between 5, within 0: MMD = 5; the energy distance needs two cells a side.
    x, y = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])
    assert mmd(x, y) == pytest.approx(5.0)
    assert math.isnan(energy_distance(x, y))
    assert math.isnan(mmd(x, y[:0]))


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
    np.testing.assert_allclose(pairwise_mmd(xs, ys), expected, atol=1e-12)


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
    assert not t_scores(perturbed[:1], control).any()


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
    assert recall(frozenset("ab"), frozenset("bc"), 2) == 0.5
    with pytest.raises(SettingError, match="top genes is 0"):
        recall(frozenset(), frozenset(), 0)


def test_ranks_by_hand():
    scores = np.array([[1.0, 5.0, 2.0], [2.0, 5.0, 2.0], [3.0, 5.0, np.nan]])
    # Column 0: own is smallest; column 1: three-way tie; column 2: own is NaN and sorts last.
    assert tie_average_ranks(scores, larger_is_better=False).tolist() == [0.0, 0.5, 1.0]
    assert tie_average_ranks(scores, larger_is_better=True).tolist() == [1.0, 0.5, 1.0]
    assert np.isnan(tie_average_ranks(np.ones((1, 1)), larger_is_better=True)).all()


def labelled(labels, values=None, genes=("g0", "g1", "g2"), groups=None, source="file"):
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
    truth = labelled(TRUTH)
    table = evaluate(paired(truth, truth, ["cell_type"]), pcs=2, top_genes=1)
    assert list(table["condition"]) == ["A", "B+A", "mean"]
    best = {"cosine_logfc": 1.0, "rmse_mean": 0.0, "mmd_gex": 0.0, "mmd_pca": 0.0, "deg_recall": 1.0}
    for name, value in best.items():
        np.testing.assert_allclose(table[name], value, atol=1e-6)
        assert (table[f"{name}_rank"].iloc[:2] <= 0.5).all()
    assert (table["mmd_gex_rank"] == 0).all()


def test_columns_stand_in_the_documented_order():
    truth = labelled(TRUTH)
    names = ["cosine_logfc", "rmse_mean", "mmd_gex", "mmd_pca", "deg_recall"]
    expected = ["condition", "cell_type", *(name + end for name in names for end in ("", "_rank"))]
    assert list(evaluate(paired(truth, truth, ["cell_type"])).columns) == expected


def test_order_of_parts_genes_and_cells_does_not_matter():
    truth = labelled(TRUTH)
    prediction = labelled(["A"] * 5 + ["A+B"] * 5)
    swapped = LabelledCells(
        prediction.values[::-1][:, [2, 0, 1]], ("g2", "g0", "g1"), prediction.labels[::-1], prediction.groups,
        prediction.names, "swapped",
    )  # fmt: skip
    one, other = (evaluate(paired(p, truth, ["cell_type"]), pcs=2, top_genes=2) for p in (prediction, swapped))
    pd.testing.assert_frame_equal(one, other)


def test_conditions_of_one_side_only_are_listed_and_controls_of_the_prediction_are_not_scored():
    pair = paired(labelled(["A"] * 4 + ["Z"] * 4 + ["control"] * 3), labelled(TRUTH), ["cell_type"])
    assert [condition.label for condition in pair.scored] == ["A"]
    assert pair.missing_from_prediction == ("B+A · k",)
    assert pair.missing_from_reference == ("Z · k",)
    assert len(pair.controls["k",]) == 8


def test_everything_stays_inside_a_covariate_group():
    groups = [("x",)] * 24 + [("y",)] * 24
    truth = labelled(TRUTH * 2, groups=groups)
    pair = paired(truth, truth, ["cell_type"])
    assert pair.groups() == (("x",), ("y",))
    assert set(pair.controls) == {("x",), ("y",)}


def test_a_group_with_one_condition_does_not_count():
    truth = labelled([*TRUTH, "A", "A"], groups=[("x",)] * 24 + [("y",)] * 2)
    assert {condition.group for condition in paired(truth, truth, ["c"]).scored} == {("x",)}


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (labelled(["A"]), labelled(TRUTH, genes=("g0", "g1", "h")), "lacks 1 of the 3 genes of file, for instance h"),
        (labelled(["Z"]), labelled(TRUTH), "no condition in common"),
        (labelled(["A"]), labelled(["A", "B"]), "no control cells"),
    ],
)
def test_what_cannot_be_paired_is_named(prediction, truth, message):
    with pytest.raises(DataError, match=message):
        paired(prediction, truth, ["cell_type"])


def write(path, values, **obs):
    index = [str(i) for i in range(len(values))]
    anndata.AnnData(np.asarray(values, np.float32), obs=pd.DataFrame(obs, index=index)).write_h5ad(path)


def test_files_with_wrong_columns_or_values_are_named(tmp_path):
    write(tmp_path / "a.h5ad", [[1.0], [np.nan]], condition=["A", "control"])
    with pytest.raises(DataError, match=r"a\.h5ad has no obs column 'cell_type'. It has: condition"):
        read_labelled(tmp_path / "a.h5ad", "condition", ["cell_type"])
    with pytest.raises(DataError, match=r"a\.h5ad: X holds a value that is no number"):
        read_labelled(tmp_path / "a.h5ad", "condition", [])


def test_components_are_centred_unscaled_and_of_fixed_sign():
    cells = RNG.normal(size=(50, 6)) * [5, 1, 1, 1, 1, 1] + 7
    fitted = components(cells, 30)
    assert fitted.axes.shape == (6, 6)
    assert fitted.axes[0, 0] > 0.9
    np.testing.assert_allclose(fitted.project(cells).mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(mmd(fitted.project(cells), fitted.project(cells[:9])), mmd(cells, cells[:9]), rtol=1e-9)


def test_a_constant_prediction_has_finite_metrics():
    table = evaluate(paired(labelled(["A"] * 4, np.full((4, 3), 0.5)), labelled(TRUTH), ["c"]), pcs=2, top_genes=2)
    assert np.isfinite(
        table.filter(regex="^(rmse_mean|mmd_gex|mmd_pca|deg_recall|cosine_logfc)$").to_numpy(float)
    ).all()


@pytest.mark.parametrize(
    ("value", "floor", "ceiling", "position"),
    [(0.2, 0.3, 0.1, 0.5), (0.4, 0.3, 0.1, 0.0), (0.05, 0.3, 0.1, 1.0), (0.2, None, 0.1, None), (0.2, 0.1, 0.1, None)],
)
def test_position_between_floor_and_ceiling(value, floor, ceiling, position):
    assert Bounded(value, floor, ceiling).position == (None if position is None else pytest.approx(position))


def test_halved_controls_are_disjoint_and_whole():
    one, other = halved_controls(np.arange(11)[:, None])
    assert sorted([*one[:, 0], *other[:, 0]]) == list(range(11))


def test_bounds_are_ordered_where_there_is_an_effect_and_missing_for_few_cells():
    values = RNG.random((24, 3)) + np.repeat([0.0, 3.0, 6.0], 8)[:, None]
    truth = labelled(TRUTH, values)
    row = bounds(paired(truth, truth, ["c"]), pcs=2, top_genes=1).iloc[0]
    assert row["mmd_gex"] <= row["mmd_gex_ceiling"] < row["mmd_gex_floor"]
    few = bounds(paired(labelled(["A"] * 3), labelled(TRUTH[:7] + ["A"] * 3 + ["B"]), ["c"]), pcs=2, top_genes=1).iloc[
        0
    ]
    assert np.isnan(few["mmd_gex_ceiling"])


def test_the_figures_of_the_reference_implementation_on_real_cells(mirror):
    """Train controls offered as every pair's prediction: PerturBench's own code gives .337, .352 and .48."""
    truth = read_labelled(mirror / "perturbench-devel.h5ad", "condition", ["cell_type"])
    parts = listed_parts(mirror / "k562-combo-split.csv")
    part = np.array([parts.get(name, "") for name in truth.names.tolist()])
    reference = truth.subset(np.flatnonzero(part == "test"))
    controls = truth.subset(np.flatnonzero((part == "train") & (truth.labels == "control")))
    pairs = [label for label in dict.fromkeys(reference.labels.tolist()) if label != "control"]
    prediction = LabelledCells(
        sp.vstack([controls.values] * len(pairs)).tocsr(), truth.genes, np.repeat(pairs, len(controls.labels)),
        (("k562",),) * (len(pairs) * len(controls.labels)), np.arange(len(pairs) * len(controls.labels)), "controls",
    )  # fmt: skip
    mean = evaluate(paired(prediction, reference, ["cell_type"])).iloc[-1]
    assert mean["mmd_gex"] == pytest.approx(0.337, abs=0.001)
    assert mean["mmd_pca"] == pytest.approx(0.352, abs=0.001)
    assert mean["deg_recall"] == pytest.approx(0.48, abs=0.05)


def test_halves_of_real_cells_show_the_bias_of_few_cells(mirror):
    truth = read_labelled(mirror / "perturbench-devel.h5ad", "condition", ["cell_type"])
    cells = truth.values[truth.labels == "KLF1+MAP2K6"].toarray()
    assert 0.055 < mmd(cells[::2], cells[1::2]) < 0.075
    assert energy_distance(cells[::2], cells[1::2]) == pytest.approx(0, abs=0.02)
