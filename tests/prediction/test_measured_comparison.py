"""One condition, predicted beside measured: which controls serve which side."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primeflow_core.data.cells import Cells
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError
from primeflow_core.evaluation.agreement import values
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.models.checkpoint import SPLIT
from primeflow_core.prediction.measured_comparison import (
    Background,
    background,
    background_of_own,
    compared,
    other_predictions,
    truth_of,
)  # fmt: skip
from tests import tiny


@pytest.fixture
def cells() -> Cells:
    return tiny.cells(per_condition=20)


def split_of(cells: Cells, folder: Path) -> Path:
    """Of the 20 controls the first 12 are trained on."""
    parts = np.full(len(cells), "train")
    parts[12:20] = "test"
    Split(cells.names, parts).write(folder / SPLIT)
    return folder


def test_controls_of_training_are_kept_from_the_others(cells, tmp_path):
    known = background(cells, cells.genes, tiny.condition("A", "B"), split_of(cells, tmp_path))
    assert np.array_equal(known.training_controls, cells.dense(np.arange(12)))
    assert np.array_equal(known.other_controls, cells.dense(np.arange(12, 20)))
    assert len(known.controls) == 20
    assert len(known.context_cells) == len(cells)


def test_without_a_split_the_controls_are_halved(cells, tmp_path):
    known = background(cells, cells.genes, tiny.condition("A"), tmp_path)
    assert (len(known.training_controls), len(known.other_controls)) == (10, 10)
    together = np.sort(known.controls, axis=0)
    assert np.array_equal(together, np.sort(cells.dense(np.arange(20)), axis=0))


def test_other_genes_or_too_few_controls_are_refused(cells, tmp_path):
    with pytest.raises(DataError, match="has other genes than the model"):
        background(cells, ("X", *cells.genes[1:]), tiny.condition("A"), tmp_path)
    few = cells.subset(np.arange(17, 80))
    with pytest.raises(DataError, match="has 3 control cells in k562; comparing needs 8"):
        background(few, cells.genes, tiny.condition("A"), tmp_path)


def test_measured_cells_as_prediction_agree_better_than_controls(cells, tmp_path):
    known = background(cells, cells.genes, tiny.condition("A", "B"), split_of(cells, tmp_path))
    measured = cells.dense(cells.where(tiny.condition("A", "B")))
    found = compared(measured, measured, known, cells.genes, top=5).agreement
    assert found["mmd_gex"].value == pytest.approx(0, abs=1e-6)
    assert found["deg_recall"].value == 1
    assert found["cosine_logfc"].value == pytest.approx(1)
    assert found["mmd_gex"].floor is not None
    assert found["mmd_gex"].floor > found["mmd_gex"].value


def test_what_was_never_measured_has_a_response_and_no_agreement(cells, tmp_path):
    known = background(cells, cells.genes, tiny.condition("A"), split_of(cells, tmp_path))
    found = compared(cells.dense(np.arange(30)), np.zeros((0, 11), np.float32), known, cells.genes)
    assert found.agreement == {}
    assert not found.response.measured


def test_own_cells_keep_their_controls_and_leave_the_prediction_those_of_its_training(cells, tmp_path):
    trained_on = background(cells, cells.genes, tiny.condition("A"), split_of(cells, tmp_path))
    brought = background(cells, cells.genes, tiny.condition("A"), tmp_path)
    together = background_of_own(brought, trained_on)
    assert together.training_controls is trained_on.training_controls
    assert together.other_controls is together.controls is brought.controls
    assert together.context_cells is brought.context_cells


def shifted(own: Background, by: np.ndarray) -> Background:
    return replace(
        own, training_controls=own.training_controls + by, other_controls=own.other_controls + by,
        context_cells=own.context_cells + by, controls=own.controls + by,
    )  # fmt: skip


def effects_of(predicted: np.ndarray, measured: np.ndarray, known: Background, genes: tuple[str, ...]) -> np.ndarray:
    """Value, floor and ceiling of the measures of effects, then the values that a baseline with these cells has."""
    found = compared(predicted, measured, known, genes, top=5).agreement
    bounded = [found[name] for name in ("cosine_logfc", "deg_recall")]
    baseline = values(predicted, truth_of(measured, known, genes), top=5)
    return np.array(
        [figure for each in bounded for figure in (each.value, each.floor, each.ceiling)]
        + [baseline["cosine_logfc"], baseline["deg_recall"]]
    )


def test_a_difference_between_two_experiments_is_no_effect(cells, tmp_path):
    """All cells brought lie two above those of training in four genes, controls and perturbed ones alike."""
    trained_on = background(cells, cells.genes, tiny.condition("A", "B"), split_of(cells, tmp_path))
    measured = cells.dense(cells.where(tiny.condition("A", "B")))
    predicted = measured[::-1][:15] + 0.05
    by = np.where(np.arange(len(cells.genes)) < 4, 2.0, 0.0).astype(np.float32)
    plain = effects_of(predicted, measured, background_of_own(trained_on, trained_on), cells.genes)
    moved = effects_of(predicted, measured + by, background_of_own(shifted(trained_on, by), trained_on), cells.genes)
    assert np.isfinite(plain).all()
    # log2(mean + 0.1) is not linear, so that the cosine moves a little with a shift that both sides share.
    assert np.abs(moved - plain).max() < 0.15


def test_a_prediction_for_own_cells_has_the_floor_of_controls_that_training_used(cells, tmp_path):
    trained_on = background(cells, cells.genes, tiny.condition("A"), split_of(cells, tmp_path))
    measured = cells.dense(cells.where(tiny.condition("A")))
    found = compared(trained_on.training_controls, measured, background_of_own(trained_on, trained_on), cells.genes)
    for bounded in found.agreement.values():
        assert bounded.value == bounded.floor


def test_a_prediction_is_read_against_typical_cells_and_predictions_of_other_conditions(cells, tmp_path):
    pair, single = tiny.condition("A", "B"), tiny.condition("A")
    known = background(cells, cells.genes, pair, split_of(cells, tmp_path))
    measured = cells.dense(cells.where(pair))
    made = {pair: measured, single: cells.dense(cells.where(single)), tiny.condition(): known.controls}
    others = other_predictions(pair, PerturbedTraining(cells), made)
    assert [len(wrong) for wrong in others.wrong] == [20]
    assert others.typical is not None
    found = compared(measured, measured, known, cells.genes, others, top=5).agreement
    assert found["mmd_gex"].wrong > found["mmd_gex"].value
    assert found["mmd_gex"].calibration.conditions == 1
    alone = compared(measured, measured, known, cells.genes, other_predictions(pair, None, {}), top=5).agreement
    assert (alone["mmd_gex"].wrong, alone["mmd_gex"].calibration) == (None, None)
    assert alone["mmd_gex"].value == found["mmd_gex"].value
