"""Baseline and replicate of one condition: own controls, too few cells, and what the tables show of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from primeflow_core.data.split_file import TEST, TRAIN
from primeflow_core.data.splits import held_out_split
from primeflow_core.evaluation.agreement import agreement, bounds
from primeflow_core.evaluation.calibration import calibrations
from primeflow_core.evaluation.condition_scorer import ConditionScorer
from primeflow_core.evaluation.defaults import FEWEST
from primeflow_core.evaluation.genes import TopGenes
from primeflow_core.evaluation.halves import HALVINGS, halvings
from primeflow_core.evaluation.held_out_reference import truth
from primeflow_core.evaluation.measured_condition import MeasuredCondition
from primeflow_core.evaluation.metrics.registry import METRICS
from primeflow_core.evaluation.principal_components import components
from primeflow_core.evaluation.profiles import profile
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.evaluation.yardstick import MeasuredCells, yardstick
from tests.tiny import cells, condition

GENES = [f"g{i:02d}" for i in range(30)]
EFFECTS = {metric.name for metric in METRICS if metric.needs_controls}


def sets(seed, *counts, shift=0.0):
    draw = np.random.default_rng(seed)
    return [
        draw.gamma(1.0, 1.0, (n, len(GENES))) + shift * (i == 0) * (np.arange(len(GENES)) % 2)
        for i, n in enumerate(counts)
    ]


def scorer_of(measured, controls):
    return ConditionScorer(profile(controls), components(measured, 3), TopGenes(GENES, 8))


def test_halves_are_disjoint_and_so_are_their_controls():
    measured, controls = sets(0, 21, 17)
    found = halvings(measured, controls, scorer_of(measured, controls), seed=1)
    assert len(found) == HALVINGS
    for halving in found:
        assert halving.predicted.counts[0] + halving.reference.counts[0] == 21
        assert sum(control.cells for control in halving.controls) == 17
        total = 10 * halving.predicted.means[0] + 11 * halving.reference.means[0]
        np.testing.assert_allclose(total / 21, measured.mean(0))


def test_shared_controls_flatter_a_repeat_where_there_is_no_effect_at_all():
    measured, controls = sets(1, 400, 24)
    scorer = scorer_of(measured, controls)
    found = yardstick(MeasuredCells(measured, controls, controls[:0]), scorer, 0)
    assert found.ceiling["cosine_logfc"] > 0.6
    assert abs(found.replicate["cosine_logfc"]) < 0.5
    assert {name for name in found.ceiling if found.ceiling[name] != found.replicate[name]} == EFFECTS


def test_too_few_controls_leave_the_ceiling_and_no_replicate_of_effects():
    measured, controls = sets(2, 20, 2 * FEWEST - 1)
    found = yardstick(MeasuredCells(measured, controls, controls[:0]), scorer_of(measured, controls), 0)
    assert set(found.ceiling) == {metric.name for metric in METRICS}
    assert set(found.replicate) == set(found.ceiling) - EFFECTS


def test_too_few_cells_leave_both_out():
    measured, controls = sets(3, 2 * FEWEST - 1, 20)
    found = yardstick(MeasuredCells(measured, controls, controls[:0]), scorer_of(measured, controls), 0)
    assert (found.ceiling, found.replicate, found.baseline, found.spread) == ({}, {}, {}, {})


@pytest.fixture(scope="module")
def scored():
    data = cells(per_condition=60)
    pair = condition("A", "B")
    split = held_out_split(data, {pair: TEST}, seed=0)
    training = PerturbedTraining(data.subset(split.indices(data, TRAIN)))
    reference = truth(data, split, TEST)
    made = {pair: data.dense(split.indices(data, TEST))[:20]}
    return data, training, reference, score(reference.pair(made, "cells"), pcs=3, top_genes=4)


def test_the_table_has_what_the_calibrated_score_needs_of_every_metric(scored):
    _, training, reference, found = scored
    plain = bounds(found, reference.floor_controls)
    row = bounds(found, reference.floor_controls, training).iloc[0]
    for metric in METRICS:
        assert np.isfinite([row[f"{metric.name}{end}"] for end in ("_baseline", "_replicate", "_replicate_sd")]).all()
        assert (f"{metric.name}_disjoint" in row) is metric.needs_controls
        assert bool(row[f"{metric.name}_replicate"] != row[f"{metric.name}_ceiling"]) is metric.needs_controls
    pd.testing.assert_series_equal(row[list(plain)], plain.iloc[0])
    assert not any(name.endswith(("_baseline", "_replicate")) for name in plain)


def test_without_training_controls_metrics_of_effects_have_no_baseline(scored):
    _, training, _, found = scored
    rows = bounds(found, {}, training).iloc[:-1]
    assert rows["mmd_gex_baseline"].notna().all()
    assert rows["rmse_mean_baseline"].notna().all()
    assert rows[["cosine_logfc_baseline", "deg_recall_baseline", "cosine_logfc_disjoint"]].isna().all(axis=None)
    assert set(calibrations(rows)) == {metric.name for metric in METRICS} - EFFECTS


def test_typical_cells_offered_as_the_prediction_score_the_baseline(scored):
    _, training, reference, _ = scored
    pair = condition("A", "B")
    typical = training.typical(("A", "B"), ("k562",))
    measured = int((reference.reference.labels == "A+B").sum())
    made = score(reference.pair({pair: typical.draw(measured, 0)}, "cells"), pcs=3, top_genes=4)
    row = bounds(made, reference.floor_controls, training).iloc[0]
    for name in ("mmd_gex", "mmd_pca", "energy_distance"):
        assert row[name] == pytest.approx(row[f"{name}_baseline"])
    many = score(reference.pair({pair: typical.draw(1000, 1)}, "cells"), pcs=3, top_genes=4)
    row = bounds(many, reference.floor_controls, training).iloc[0]
    assert row["rmse_mean"] == pytest.approx(row["rmse_mean_baseline"], rel=0.1)
    assert row["cosine_logfc_disjoint"] == pytest.approx(row["cosine_logfc_baseline"], abs=0.1)


def test_one_condition_is_calibrated_by_its_typical_cells_and_wrong_predictions():
    measured, controls, floor = sets(4, 40, 20, 20, shift=2.0)
    data = replace(cells(per_condition=60, genes=30), genes=tuple(GENES))
    typical = PerturbedTraining(data).typical(("Z",), ("k562",))
    given = MeasuredCondition(measured, controls, floor, GENES, components(measured, 3))
    plain = agreement(measured[:20], given)
    assert all(one.calibration is None and one.wrong is None for one in plain.values())
    found = agreement(measured[:20], replace(given, typical=typical, wrong=(controls, controls[:9])))
    for name, one in found.items():
        assert (one.value, one.floor, one.ceiling) == (plain[name].value, plain[name].floor, plain[name].ceiling)
        assert np.isfinite(one.wrong)
        assert one.calibration.conditions == 1
    assert found["rmse_mean"].calibration.can_tell
    assert found["energy_distance"].calibration.score > 0.9
