"""Scores of every prediction against every measured condition: wrong conditions, doses, intervals."""

import numpy as np
import pytest
import scipy.sparse as sp

from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.bootstrap import interval, mean_replicates, resampled
from primeflow_core.evaluation.distances import InMemory, energy_distance, mmd, pairwise_distances
from primeflow_core.evaluation.genes import TopGenes, recalls
from primeflow_core.evaluation.labelled import LabelledCells
from primeflow_core.evaluation.metrics.registry import all_metrics, metric_named
from primeflow_core.evaluation.pair import paired
from primeflow_core.evaluation.principal_components import MOST_DENSE, components
from primeflow_core.evaluation.replicate_input import ReplicateInput
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import table
from tests.evaluation.from_cells import t_scores

GENES = tuple(f"g{i:02d}" for i in range(12))


def cells_of(labels, seed=0, shift=0.0):
    draw = np.random.default_rng(seed)
    values = draw.gamma(1.0, 1.0, (len(labels), len(GENES))) * (draw.random((len(labels), len(GENES))) < 0.5)
    levels = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    values += shift * np.array([levels[label] for label in labels])[:, None] * (np.arange(len(GENES)) % 3 == 0)
    return LabelledCells(
        sp.csr_matrix(values.astype(np.float32)), GENES, np.array(labels, dtype=object), (("k",),) * len(labels),
        np.array([f"c{i}" for i in range(len(labels))]), "file",
    )  # fmt: skip


LABELS = ["control"] * 20 + ["A"] * 16 + ["B"] * 14 + ["A+B"] * 12


def test_the_wrong_condition_is_what_the_other_predictions_score():
    pair = paired(cells_of(LABELS, 1, 1.0), cells_of(LABELS, 0, 1.0), ["c"])
    found = bounds(score(pair, pcs=3, top_genes=4)).set_index("condition")
    cells = {condition.label: condition for condition in pair.scored}
    for label, other in (("A", ("B", "A+B")), ("B", ("A", "A+B"))):
        expected = np.mean([mmd(cells[o].predicted.dense(), cells[label].measured.dense()) for o in other])
        assert found.loc[label, "mmd_gex_wrong"] == pytest.approx(expected)
    assert found.loc["mean", "mmd_gex"] < found.loc["mean", "mmd_gex_wrong"]


def test_a_group_with_one_scored_condition_has_no_wrong_one():
    pair = paired(cells_of(["A"] * 9, 1), cells_of(LABELS), ["c"])
    row = bounds(score(pair, pcs=2, top_genes=3)).iloc[0]
    assert np.isnan(row["mmd_gex_wrong"])
    assert np.isfinite(row["mmd_gex"])


@pytest.mark.filterwarnings("error")
def test_too_few_controls_to_halve_leave_the_floor_out():
    labels = ["control"] * 7 + ["A"] * 9 + ["B"] * 9
    scored = score(paired(cells_of(labels, 1), cells_of(labels), ["c"]), pcs=2, top_genes=3)
    found = bounds(scored, resamples=10)
    assert found["mmd_gex_floor"].isna().all()
    np.testing.assert_allclose(found["cosine_logfc"], table(scored)["cosine_logfc"])
    one = score(paired(cells_of(labels, 1), cells_of(["control", "A", "A", "B"]), ["c"]), pcs=2, top_genes=3)
    assert np.isfinite(bounds(one, resamples=10)["mmd_gex"]).all()


def test_more_metrics_can_stand_in_the_table_without_a_rank():
    scored = score(paired(cells_of(LABELS, 1), cells_of(LABELS), ["c"]), pcs=2, top_genes=3)
    row = table(scored, also=("energy_distance",)).iloc[0]
    condition = scored.pair.scored[0]
    expected = energy_distance(condition.predicted.dense(), condition.measured.dense())
    assert row["energy_distance"] == pytest.approx(expected)


def test_tiles_change_nothing(monkeypatch):
    draw = np.random.default_rng(2)
    xs = [InMemory(draw.random((n, 200), dtype=np.float32)) for n in (5, 9, 2)]
    ys = [InMemory(draw.random((n, 200), dtype=np.float32)) for n in (4, 7, 3, 6)]
    whole = pairwise_distances(xs, ys)
    monkeypatch.setattr("primeflow_core.evaluation.distances.TILE_BYTES", 9 * 200 * 4)
    parts = pairwise_distances(xs, ys)
    np.testing.assert_allclose(parts.mmd, whole.mmd, atol=1e-6)
    np.testing.assert_allclose(parts.energy, whole.energy, atol=1e-6)


def test_an_empty_set_has_no_distances_and_spoils_no_other():
    some, none = InMemory(np.ones((3, 4))), InMemory(np.ones((0, 4)))
    found = pairwise_distances([some, none], [none, some]).mmd
    assert np.isnan(found[[0, 1, 1], [0, 0, 1]]).all()
    assert found[0, 1] == 0.0


def test_components_of_a_large_sparse_set_are_those_of_the_dense_one(monkeypatch):
    draw = np.random.default_rng(4)
    loadings = draw.normal(size=(4, 60)) * np.array([8, 5, 3, 2])[:, None]
    cells = (draw.random((300, 60)) < 0.4) * np.abs(draw.normal(size=(300, 4)) @ loadings)
    dense = components(cells, 4)
    assert cells.size < MOST_DENSE
    monkeypatch.setattr("primeflow_core.evaluation.principal_components.MOST_DENSE", 100)
    sparse = components(sp.csr_matrix(cells), 4)
    np.testing.assert_allclose(sparse.project(cells), dense.project(cells), atol=1e-8)


def test_two_ways_to_write_a_dose_are_one_condition():
    truth = cells_of(["control"] * 6 + ["d@0.10"] * 4 + ["d@1"] * 4 + ["d@1+e@0.5"] * 4)
    pair = paired(cells_of(["d@0.1"] * 3 + ["e@.5+d@1"] * 3 + ["e@0.5+d@1.0"] * 3, 1), truth, ["c"])
    assert [condition.label for condition in pair.scored] == ["d@0.10", "d@1+e@0.5"]
    assert [condition.measured.shape[0] for condition in pair.scored] == [4, 4]
    assert pair.missing_from_prediction == ("d@1 · k",)
    assert pair.missing_from_reference == ("e@.5+d@1 · k",)


def replicated(*given):
    return {metric.name: metric.replicates(ReplicateInput(*given)) for metric in all_metrics()}


def naive_replicate(cells, times):
    return np.repeat(cells, times.astype(int), axis=0)


def test_a_replicate_is_the_score_of_the_cells_it_draws():
    draw = np.random.default_rng(5)
    sets = [draw.gamma(1.0, 1.0, (n, 6)) for n in (9, 11, 7)]
    fitted, top = components(sets[1], 2), TopGenes(list("abcdef"), 2)
    drawn = [resampled(cells, 3, draw) for cells in sets]
    assert all((each.times.sum(axis=1) == len(each.cells)).all() for each in drawn)
    found = replicated(*drawn, fitted, top)
    for b in range(3):
        predicted, measured, controls = (naive_replicate(each.cells, each.times[b]) for each in drawn)
        assert found["rmse_mean"][b] == pytest.approx(np.sqrt(((predicted.mean(0) - measured.mean(0)) ** 2).mean()))
        masks = [top.among(t_scores(cells, controls)[None]) for cells in (predicted, measured)]
        assert found["deg_recall"][b] == recalls(*masks)[0, 0]
        # Pairs of one cell with itself do not count within a set.
        between = np.linalg.norm(predicted[:, None] - measured[None], axis=-1).mean()
        within = []
        for each in drawn[:2]:
            distance = np.linalg.norm(each.cells[:, None] - each.cells[None], axis=-1)
            pairs = np.outer(each.times[b], each.times[b]) * (1 - np.eye(len(each.cells)))
            within.append((pairs * distance).sum() / pairs.sum())
        assert found["energy_distance"][b] == pytest.approx(2 * between - sum(within))


@pytest.mark.slow
def test_replicates_scatter_around_the_value_and_the_interval_holds_it():
    draw = np.random.default_rng(6)
    x, y = draw.normal(0, 1, (120, 8)), draw.normal(0.5, 1, (110, 8))
    drawn = [resampled(cells, 300, draw) for cells in (x, y, y)]
    found = replicated(*drawn, components(y, 3), TopGenes(list("abcdefgh"), 3))
    for name, value in (("mmd_gex", mmd(x, y)), ("energy_distance", energy_distance(x, y))):
        assert abs(np.median(found[name]) - value) < 0.5 * found[name].std()
        low, high = interval(value, found[name], metric_named(name).limits)
        assert low < value < high
    # The spread is that of drawing new cells from the same world.
    new = [energy_distance(draw.normal(0, 1, (120, 8)), draw.normal(0.5, 1, (110, 8))) for _ in range(300)]
    assert found["energy_distance"].std() == pytest.approx(np.std(new), rel=0.25)


def test_an_interval_stays_in_the_range_of_its_metric():
    spread = np.linspace(-0.3, 0.3, 101)
    assert interval(0.95, 0.5 + spread, metric_named("deg_recall").limits)[1] == 1.0
    assert interval(0.05, 0.5 + spread, metric_named("rmse_mean").limits)[0] == 0.0
    assert np.isnan(interval(np.nan, spread)).all()
    assert np.isnan(interval(0.1, np.full(5, np.nan))).all()


def test_bounds_carry_an_interval_when_asked_and_the_same_seed_gives_the_same():
    scored = score(paired(cells_of(LABELS, 1, 1.0), cells_of(LABELS, 0, 1.0), ["c"]), pcs=3, top_genes=4)
    one, again = (bounds(scored, seed=3, resamples=40) for _ in range(2))
    assert one.equals(again)
    assert not one.equals(bounds(scored, seed=4, resamples=40))
    for name in ("mmd_gex", "mmd_pca", "rmse_mean", "cosine_logfc", "deg_recall", "energy_distance"):
        assert (one[f"{name}_low"] <= one[name]).all()
        assert (one[name] <= one[f"{name}_high"]).all()
    widths = one["mmd_gex_high"] - one["mmd_gex_low"]
    assert widths.iloc[-1] < widths.iloc[:-1].mean()
    assert "mmd_gex_low" not in bounds(scored)


def test_the_mean_of_conditions_leaves_out_those_without_the_metric():
    of_conditions = [{"m": np.array([1.0, 3.0])}, {"m": np.array([np.nan, 1.0])}, {"m": np.array([3.0, 5.0])}]
    assert mean_replicates(of_conditions, "m").tolist() == [2.0, 4.0]
    assert len(mean_replicates(of_conditions[1:2], "m")) == 0
