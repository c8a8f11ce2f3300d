"""Figure 1: cells of every model on the same components of the measured ones, and the outcome of several splits."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from primeflow_core.benchmark import cell_projection
from primeflow_core.benchmark.about import PICTURE, About
from primeflow_core.benchmark.cell_projection import CONTROL, PREDICTED, REFERENCE, TRUTH, Canvas
from primeflow_core.benchmark.grid import Grid
from primeflow_core.benchmark.outcome import outcome
from primeflow_core.benchmark.run import run_entries
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.data.split_file import TEST
from primeflow_core.data.splits import held_out_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.prediction.projection import PCAMap
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.run import Source
from tests.tiny import cells, condition

PAIR, ALONE = condition("A", "B"), condition("A")


def test_predictions_lie_on_the_components_of_all_measured_cells_of_their_context():
    data = cells(per_condition=20)
    made = data.dense(data.where(PAIR)) + 1.0
    placed = Canvas(data).predicted({PAIR: made})
    expected = PCAMap(data.dense()).place(made)
    assert set(placed["kind"]) == {PREDICTED}
    assert set(placed["condition"]) == {PAIR.label}
    assert np.allclose(placed[["x", "y"]], expected)


def test_measured_cells_are_truth_controls_and_the_rest():
    data = cells(per_condition=20)
    placed = Canvas(data).measured([PAIR])
    counts = placed["kind"].value_counts()
    assert counts[TRUTH] == len(data.where(PAIR))
    assert counts[CONTROL] == len(data.where(condition()))
    assert counts.sum() == len(data)
    assert set(placed.loc[placed["kind"] != TRUTH, "condition"]) == {""}


def test_no_more_cells_of_a_kind_than_asked_and_the_same_every_time(monkeypatch):
    monkeypatch.setattr(cell_projection, "MOST", 7)
    data = cells(per_condition=20)
    placed = Canvas(data).measured([PAIR])
    assert placed["kind"].value_counts().to_dict() == {REFERENCE: 7, CONTROL: 7, TRUTH: 7}
    pd.testing.assert_frame_equal(placed, Canvas(data).measured([PAIR]))
    assert len(Canvas(data).predicted({PAIR: data.dense()})) == 7


def test_a_context_of_too_few_cells_has_no_picture():
    data = cells(per_condition=20)
    few = Canvas(data.subset(data.where(PAIR)[:3]))
    assert few.predicted({PAIR: data.dense(data.where(PAIR))}).empty
    assert few.measured([PAIR]).empty
    assert few.axes(["k562", "nowhere"]) == {}


def about() -> About:
    return About("T", "tiny", True, "pairs", "command", 16, (0, 1), TEST, "d", ("s",), {"ridge": "r"}, {}, "now")


def finished(folder, held_out) -> tuple[BenchmarkStore, Source]:
    data = cells(per_condition=40)
    source = Source(data, held_out_split(data, {held_out: TEST}, seed=0), "tiny", simulated=True)
    recipes = (recipe_named("mean"), recipe_named("ridge"))
    store = BenchmarkStore(folder / held_out.label, Grid(recipes, (0, 1), (1.0,), 16, "d", held_out.label))
    assert not [ended.failed for ended in run_entries(store, lambda: source, []) if ended.failed]
    return store, source


def test_splits_of_the_same_data_make_one_table_and_one_picture(tmp_path):
    parts = [finished(tmp_path, PAIR), finished(tmp_path, ALONE)]
    found = outcome(about(), [store for store, _ in parts], parts[0][1].cells)
    found.write(tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "benchmark.csv")
    assert table["conditions"].tolist()[:2] == [2, 2]
    assert table["seeds"].tolist()[:2] == [2, 2]
    shown = pd.read_parquet(tmp_path / "out" / "cells.parquet")
    predicted = shown[shown["kind"] == PREDICTED]
    # Of the first seed alone: 16 cells of two conditions by two models.
    assert predicted.groupby(["model", "condition"], observed=True).size().tolist() == [16] * 4
    assert set(shown.loc[shown["kind"] == TRUTH, "condition"]) == {PAIR.label, ALONE.label}
    assert (shown["kind"] == CONTROL).sum() == 40
    titles = json.loads(pq.read_schema(tmp_path / "out" / "cells.parquet").metadata[PICTURE])
    assert titles["k562"][0].startswith("PC 1 (")
    assert json.loads((tmp_path / "out" / "about.json").read_text())["split_sha256"] == ["s"]


def test_nothing_finished_is_no_outcome(tmp_path):
    store, source = finished(tmp_path, PAIR)
    with pytest.raises(SettingError, match="No training was finished"):
        outcome(about(), [replace(store, folder=tmp_path / "empty")], source.cells)


def test_a_lost_picture_is_made_again_and_a_damaged_one_is_named(tmp_path):
    store, source = finished(tmp_path, PAIR)
    lost = store.folder / "pictures" / "ridge-seed-0.parquet"
    lost.unlink()
    assert [entry.name for entry in store.missing] == ["ridge-seed-0"]
    list(run_entries(store, lambda: source, []))
    lost.write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"ridge-seed-0\.parquet is damaged"):
        store.picture()


def test_what_was_refused_is_told_with_the_outcome(tmp_path):
    data = cells(per_condition=40)
    source = Source(data, held_out_split(data, {ALONE: TEST}, seed=0), "tiny", simulated=True)
    store = BenchmarkStore(
        tmp_path / "s", Grid((recipe_named("mean"), recipe_named("additive")), (0,), (1.0,), 16, "d", "s")
    )
    list(run_entries(store, lambda: source, []))
    refused = outcome(about(), [store], data).about.refused
    # The sum needs each part alone.
    assert {recipe: list(conditions) for recipe, conditions in refused.items()} == {"additive": ["A k562"]}
