"""The benchmark: its grid, what is kept of a finished training, the table, and going on after a kill."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from primeflow_core.__main__ import main
from primeflow_core.benchmark import run
from primeflow_core.benchmark.common_conditions import compared
from primeflow_core.benchmark.grid import Grid
from primeflow_core.benchmark.html_page import html_page
from primeflow_core.benchmark.leaderboard import CEILING, FLOOR, Figure, leaderboard, markdown
from primeflow_core.benchmark.run import run_entries
from primeflow_core.benchmark.scored_entry import ScoredEntry, scored_entry
from primeflow_core.benchmark.standings import standings
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.split_file import TEST, TRAIN
from primeflow_core.data.splits import held_out_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.figures.svg_check import check_svg
from primeflow_core.model_store.model_card import write_card
from primeflow_core.models.baselines.closed_form import BaselinePredictor
from primeflow_core.training.recipes.registry import RECIPES, SMALL_RECIPES, adjusted, recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests.tiny import RECIPE, cells, condition

PAIR = condition("A", "B")


def source() -> Source:
    data = cells(per_condition=40)
    # A second condition in the test part, so that its context counts and ranks exist.
    return Source(data, held_out_split(data, {PAIR: TEST}, seed=0), "tiny", simulated=True)


def grid(*names, seeds=(0, 1), weights=(1.0,), cells=16):
    recipes = tuple(RECIPE if name == "tiny" else recipe_named(name) for name in names)
    short = tuple(replace(one, training=replace(one.training, steps=min(one.training.steps, 3))) for one in recipes)
    return Grid(short, seeds, weights, cells, "data", "split")


def test_every_recipe_meets_every_seed_and_flows_every_weight():
    entries = grid("tiny", "linear", "mlp-1", seeds=(3, 4), weights=(1.0, 3.0)).entries
    assert [entry.name for entry in entries[:3]] == ["tiny-seed-3", "linear-seed-3", "mlp-1-seed-3"]
    weights = {entry.recipe.name: entry.weights for entry in entries}
    # mlp-1 never learns without condition, so that it has no guidance.
    assert weights == {"tiny": (1.0, 3.0), "linear": (1.0,), "mlp-1": (1.0,)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seeds": (0, 0)}, "seeds are 0, 0"), ({"seeds": ()}, r"\(none\)"), ({"weights": (-1.0,)}, "0 to 20"),
        ({"weights": (float("nan"),)}, "0 to 20"), ({"cells": 7}, "8 to 1,000"), ({"cells": 1001}, "8 to 1,000"),
        ({"seeds": (-1,)}, "0 or more"), ({"recipes": (RECIPE, RECIPE)}, "each once"),
    ],
)  # fmt: skip
def test_a_grid_that_cannot_be_is_refused(change, said):
    with pytest.raises(SettingError, match=said):
        replace(grid("tiny"), **change)


def test_the_fingerprint_changes_with_all_that_scores_come_from():
    one = grid("tiny")
    entry = one.entries[0]
    others = [
        one.fingerprint(one.entries[1]), replace(one, cells=17).fingerprint(entry),
        replace(one, data_sha256="other").fingerprint(entry), replace(one, split_sha256="other").fingerprint(entry),
        replace(one, part="val").fingerprint(entry), one.fingerprint(replace(entry, weights=(2.0,))),
        one.fingerprint(replace(entry, recipe=recipe_named("linear"))),
    ]  # fmt: skip
    assert len({one.fingerprint(entry), *others}) == 1 + len(others)


def scored(**numbers) -> ScoredEntry:
    row = {"condition": "A+B", "mmd_gex": 0.1, "mmd_gex_floor": 0.5, "mmd_gex_ceiling": 0.05, "model": "tiny"}
    return ScoredEntry(pd.DataFrame([{**row, "seed": 0, "guidance": 1.0, **numbers}]), (("C", "unknown"),), 2.0, 7)


def test_what_is_kept_is_read_again_and_only_for_the_same_question(tmp_path):
    store = BenchmarkStore(tmp_path, grid("tiny"))
    first, second = store.grid.entries
    store.keep(first, scored())
    found = store.read(first)
    pd.testing.assert_frame_equal(found.rows, scored().rows)
    assert (found.refused, found.seconds, found.parameters) == (scored().refused, 2.0, 7)
    assert store.missing == (second,)
    assert BenchmarkStore(tmp_path, replace(store.grid, cells=99)).missing == store.grid.entries
    assert store.refused() == {"tiny": (("C", "unknown"),)}


def test_damaged_scores_are_named(tmp_path):
    store = BenchmarkStore(tmp_path, grid("tiny"))
    store.keep(store.grid.entries[0], scored())
    (tmp_path / "scores" / "tiny-seed-0.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"tiny-seed-0\.parquet is damaged"):
        store.rows()


def rows():
    """Two models, two seeds, two conditions; the first is better, and its seeds differ more."""
    found = []
    for model, values in {"good": ((0.1, 0.2), (0.2, 0.3)), "poor": ((0.4, 0.5), (0.4, 0.5))}.items():
        for seed, of_conditions in enumerate(values):
            for name, value in zip("AB", of_conditions, strict=True):
                bounds = {"mmd_gex_floor": 0.8, "mmd_gex_ceiling": 0.05}
                beside = {"model": model, "seed": seed, "guidance": 1.0, "seconds": 10.0 * (seed + 1), "parameters": 3}
                found.append({"condition": name, "mmd_gex": value, **bounds, **beside})
    return pd.DataFrame(found)


def test_the_table_holds_mean_and_spread_over_seeds_between_floor_and_ceiling():
    table = leaderboard(rows()).set_index("model")
    assert table.loc["good", "mmd_gex"] == pytest.approx(0.2)
    assert table.loc["good", "mmd_gex_sd"] == pytest.approx(np.std([0.15, 0.25], ddof=1))
    assert table.loc["poor", "mmd_gex_sd"] == 0
    assert (table.loc["good", "seeds"], table.loc["good", "conditions"], table.loc["good", "seconds"]) == (2, 2, 15)
    assert (table.loc[FLOOR, "mmd_gex"], table.loc[CEILING, "mmd_gex"]) == (pytest.approx(0.8), pytest.approx(0.05))


def three_conditions():
    """``rows`` with a third condition like the second."""
    third = rows().query("condition == 'B'").assign(condition="C")
    return pd.concat([rows(), third], ignore_index=True)


def test_the_best_is_bold_and_so_is_what_it_is_not_told_apart_from():
    found = three_conditions()
    table = leaderboard(found)
    leading = standings(table, found).leaders(["mmd_gex"])
    assert leading == {"mmd_gex": {0}}
    close = found.assign(mmd_gex=found["mmd_gex"].where(found["model"] == "good", found["mmd_gex"] - 0.2))
    assert standings(leaderboard(close), close).leading("mmd_gex") == {0, 1}
    text = markdown(table, leading, ["mmd_gex"])
    assert "| good | 1 | 2 | 3 | **0.217 ± 0.071** |" in text
    assert "| poor | 1 | 2 | 3 | 0.467 ± 0.000 |" in text
    assert text.splitlines()[0].endswith("| mmd_gex ↓ |")


def test_with_two_conditions_nothing_is_bold():
    found = rows()
    assert standings(leaderboard(found), found).leading("mmd_gex") == frozenset()


def test_a_metric_that_cannot_tell_says_so_in_its_heading_and_has_nothing_bold():
    found = three_conditions()
    ends = {"A": 0.9, "B": 0.1, "C": 0.1}
    silent = found.assign(mmd_gex_baseline=0.4, mmd_gex_replicate=found["condition"].map(ends))
    table = leaderboard(silent)
    leading = standings(table, silent).leaders(["mmd_gex"])
    assert leading == {}
    text = markdown(table, leading, ["mmd_gex"])
    assert text.splitlines()[0].endswith("| mmd_gex ↓ (cannot tell) |")
    assert "**" not in text
    page = html_page("Models", table, standings(table, silent), simulated=False)
    assert "<strong>" not in page
    assert '<th class="number quiet">MMD GEX (smaller is better), cannot tell</th>' in page
    assert "no, cannot tell" in page


def test_the_page_holds_figures_and_text_that_is_never_markup():
    hostile = rows().assign(model=lambda frame: frame["model"].replace("poor", "<b>$x</b>"))
    table = leaderboard(hostile)
    page = html_page("Models on <script>.h5ad", table, standings(table, hostile), notes=["<i>$y</i>"], simulated=True)
    assert "&lt;i&gt;$y" in page
    assert "&lt;b&gt;$x&lt;/b&gt;" in page
    assert "<script" not in page
    assert "<b>$x" not in page
    (drawn,) = re.findall(r"base64,([^\"]+)", page)
    check_svg(base64.b64decode(drawn).decode(), "mmd_gex")


@pytest.fixture
def two_models(tmp_path):
    torch.set_num_threads(1)
    return BenchmarkStore(tmp_path / "bench", grid("tiny", "additive", weights=(1.0, 3.0)))


@pytest.mark.slow
def test_models_of_all_kinds_are_trained_and_scored(two_models):
    ended = list(run_entries(two_models, source, []))
    assert [one.failed for one in ended] == [""] * 4
    found = two_models.rows()
    assert len(found) == 2 * 2 + 2  # two seeds of the flow with two weights, two of the closed form
    assert set(found["guidance"][found["model"] == "tiny"]) == {1.0, 3.0}
    ends = ("", "_floor", "_ceiling", "_baseline", "_replicate")
    assert np.isfinite(found[[*(f"mmd_gex{end}" for end in ends), "energy_distance"]]).all(axis=None)
    assert not list(run_entries(two_models, source, []))


@pytest.mark.slow
def test_a_benchmark_that_was_killed_ends_with_the_same_table(two_models, tmp_path, monkeypatch):
    whole = BenchmarkStore(tmp_path / "whole", two_models.grid)
    list(run_entries(whole, source, []))
    kept = run.scored_entry
    calls = []

    def dies_at_the_third(*given, **options):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return kept(*given, **options)

    monkeypatch.setattr(run, "scored_entry", dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        list(run_entries(two_models, source, []))
    assert len(two_models.missing) == 2
    list(run_entries(two_models, source, []))
    assert len(calls) == 5  # two, the killed one, and the two that were missing
    same = [name for name in whole.rows() if name != "seconds"]
    pd.testing.assert_frame_equal(two_models.rows()[same], whole.rows()[same])


def test_what_cannot_be_trained_is_told_and_the_others_go_on(two_models, monkeypatch):
    kept = run.scored_entry

    def refuses(entry, *given, **options):
        if entry.recipe.name == "tiny":
            raise DataError("no such cells")
        return kept(entry, *given, **options)

    monkeypatch.setattr(run, "scored_entry", refuses)
    failed = {one.entry.name: one.failed for one in run_entries(two_models, source, [])}
    assert failed == {"tiny-seed-0": "no such cells", "additive-seed-0": "", "tiny-seed-1": "no such cells",
                      "additive-seed-1": ""}  # fmt: skip
    assert set(two_models.rows()["model"]) == {"additive"}


@pytest.fixture
def on_disk(tmp_path):
    data = cells(per_condition=40)
    listed = data.condition_list(np.arange(len(data)))
    labels = [one.label for one in listed]
    write_anndata(
        tmp_path / "d.h5ad", as_anndata(data.dense(), data.genes, labels, {"cell_type": ["k562"] * len(data)}, {})
    )
    read = read_cells(tmp_path / "d.h5ad")
    pair = next(one for one in read.conditions if one.label == PAIR.label)
    held_out_split(read, {pair: TEST}, seed=0).write(tmp_path / "split.csv")
    return tmp_path


@pytest.mark.long
@pytest.mark.slow
def test_a_model_too_large_for_the_memory_is_told_and_the_others_go_on(tmp_path):
    large = adjusted(recipe_named("mlp-tiny"), [f"hidden={10**6}"])
    store = BenchmarkStore(tmp_path, Grid((large, recipe_named("additive")), (0,), (1.0,), 16, "d", "s"))
    failed = {one.entry.recipe.name: one.failed for one in run_entries(store, source, [])}
    assert failed["additive"] == ""
    assert "not enough memory" in failed["primeflow-mlp-plus-tiny"]


def test_what_starts_from_controls_is_scored_on_each_of_them_once(tmp_path, monkeypatch):
    asked, data = [], source()
    predict = BaselinePredictor.predict
    monkeypatch.setattr(
        BaselinePredictor,
        "predict",
        lambda model, one, cells, *more: (asked.append(cells), predict(model, one, cells, *more))[1],
    )
    entry = grid("additive", seeds=(0,)).entries[0]
    scored_entry(entry, data, tmp_path / "m", cells=1000, part=TEST, command=[])
    controls = sum(
        condition.is_control for condition in data.cells.condition_list(data.split.indices(data.cells, TRAIN))
    )
    assert asked == [controls]


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [(0.45, 0.0104, "0.450 ± 0.010"), (0.0213, 0.0004, "0.0213 ± 0.0004"), (-0.02, np.nan, "-0.0200"),
     (np.nan, np.nan, "-")],
)  # fmt: skip
def test_small_figures_have_more_decimals(mean, spread, text):
    assert Figure(mean, spread).text == text


@pytest.mark.slow
def test_the_command_prints_and_writes_the_table_once(on_disk, capsys):
    asked = [
        "benchmark", str(on_disk / "d.h5ad"), "--split", str(on_disk / "split.csv"), "--recipes", "additive,ridge",
        "--seeds", "2", "--cells", "16", "--out", str(on_disk / "out"),
    ]  # fmt: skip
    assert main(asked) == 0
    first = capsys.readouterr()
    assert "| additive | 1 | 2 |" in first.out
    assert "4 trainings, 0 of them finished" in first.err
    written = {file.name: file.read_bytes() for file in (on_disk / "out").glob("*.*")}
    about = json.loads(written.pop("about.json"))
    assert about["seeds"] == [0, 1]
    assert about["split"] == "Held out by split.csv"
    assert set(about["recipes"]) == {"additive", "ridge"}
    assert set(written) == {"benchmark.csv", "benchmark.md", "benchmark.html", "conditions.parquet", "cells.parquet"}
    assert main(asked) == 0
    assert "4 trainings, 4 of them finished" in capsys.readouterr().err
    again = {file.name: file.read_bytes() for file in (on_disk / "out").glob("*.*")}
    assert {name: again[name] for name in written} == written


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--recipes", "none"], "There is no recipe 'none'"), (["--seeds", "0"], "--seeds is 0"),
        (["--guidance", "1,x"], "must be numbers"), (["--workers", "0"], "--workers is 0"),
        (["--set", "depth=3"], "'depth' is not a setting"), (["--cells", "0"], "ask for 8 to 1,000"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_trained(on_disk, capsys, more, said):
    asked = ["benchmark", str(on_disk / "d.h5ad"), "--split", str(on_disk / "split.csv"), "--out", str(on_disk / "o")]
    assert main([*asked, *more]) == 2
    assert said in capsys.readouterr().err
    assert not (on_disk / "o" / "models").exists()


def asked_of(folder, recipes, *more):
    return [
        "benchmark", str(folder / "d.h5ad"), "--split", str(folder / "split.csv"), "--out", str(folder / "out"),
        "--seeds", "1", "--cells", "16", "--recipes", recipes, *more,
    ]  # fmt: skip


@pytest.mark.slow
def test_what_failed_is_told_and_recorded_and_the_end_says_so(on_disk, capsys, monkeypatch):
    kept = run.scored_entry

    def scored(entry, *given, **more):
        if entry.recipe.name == "ridge":
            raise DataError("it is too wet")
        return kept(entry, *given, **more)

    monkeypatch.setattr(run, "scored_entry", scored)
    asked = asked_of(on_disk, "additive,ridge")
    assert main(asked) == 2
    told = capsys.readouterr()
    assert "| additive | 1 | 1 |" in told.out
    assert "Not in the table, because they failed: ridge-seed-0." in told.out
    assert "1 of 2 trainings failed, and the table is without them." in told.err
    assert json.loads((on_disk / "out" / "about.json").read_text())["failed"] == {"ridge-seed-0": "it is too wet"}
    monkeypatch.undo()
    assert main(asked) == 0
    assert json.loads((on_disk / "out" / "about.json").read_text())["failed"] == {}


@pytest.mark.slow
def test_a_number_of_training_is_set_where_there_is_training(on_disk, capsys):
    assert main(asked_of(on_disk, "additive,linear", "--set", "steps=2")) == 0
    assert "| additive | 1 |" in capsys.readouterr().out
    trained = json.loads((on_disk / "out" / "models" / "linear-seed-0" / "config.json").read_text())
    assert trained["settings"]["training"]["steps"] == 2


@pytest.mark.slow
def test_models_of_another_split_are_not_taken_for_those_of_this(on_disk, capsys):
    asked = asked_of(on_disk, "linear", "--set", "steps=2")
    assert main(asked) == 0
    split = (on_disk / "split.csv").read_text()
    assert ",train\n" in split
    (on_disk / "split.csv").write_text(split.replace(",train\n", ",left-out\n", 1).replace("left-out", ""))
    assert main(asked) == 2
    assert "was trained with another split" in capsys.readouterr().err


@pytest.mark.slow
def test_another_way_of_reading_is_another_benchmark(on_disk, capsys):
    assert main(asked_of(on_disk, "additive")) == 0
    capsys.readouterr()
    assert main(asked_of(on_disk, "additive", "--covariates", "cell_type")) == 2
    told = capsys.readouterr().err
    assert "1 trainings, 0 of them finished" in told
    assert "was trained with another way of reading the data" in told


def test_what_cannot_be_scored_is_said_before_anything_is_trained(on_disk, capsys):
    split, controls = (on_disk / "split.csv").read_text(), read_cells(on_disk / "d.h5ad")
    names = [
        name for name, one in zip(controls.names, controls.condition_list(np.arange(len(controls))), strict=True)
        if one.is_control
    ]  # fmt: skip
    without = "".join(
        line for line in split.splitlines(keepends=True) if line.split(",")[0] not in names or ",test" not in line
    )
    for text, said in (
        (without, "puts none of the 40 control cells into test; effects are measured from them"),
        (split.replace(",test", ",val"), "puts no condition of"),
    ):  # fmt: skip
        (on_disk / "split.csv").write_text(text)
        assert main(asked_of(on_disk, "additive", "--unlisted", "leave-out")) == 2
        assert said in capsys.readouterr().err
        assert not (on_disk / "out" / "models").exists()


def test_a_picture_of_other_settings_is_not_taken_for_that_of_these(tmp_path):
    entry = grid("additive", seeds=(0,)).entries[0]
    scored = ScoredEntry(rows(), (), 1.0, 0, pd.DataFrame({"x": [0.0]}))
    few, many = (BenchmarkStore(tmp_path, grid("additive", seeds=(0,), cells=cells)) for cells in (16, 32))
    few.keep(entry, scored)
    scores = few._scores(entry).read_bytes()
    many.keep(entry, scored)
    few._scores(entry).write_bytes(scores)
    assert few.read(entry) is None
    few.keep(entry, scored)
    assert few.read(entry) is not None


def test_models_are_compared_on_what_all_of_them_predict():
    found = rows()
    other = found["condition"].iloc[-1]
    assert found["condition"].nunique() > 1
    refused = found[(found["model"] != "poor") | (found["condition"] != other)]
    table = leaderboard(refused)
    pd.testing.assert_frame_equal(table, leaderboard(found[found["condition"] != other]))
    assert compared(found) == ""
    shared = found["condition"].nunique() - 1
    assert compared(refused) == f"Compared on {shared} of {shared + 1} conditions: those that every model predicts."


def test_without_a_condition_in_common_the_model_with_the_fewest_has_no_figure():
    found = rows()
    poor = found["model"] == "poor"
    elsewhere = found[poor & (found["condition"] == "A")].assign(condition="C")
    table = leaderboard(pd.concat([elsewhere, found[~poor]], ignore_index=True)).set_index("model")
    assert np.isnan(table.loc["poor", "mmd_gex"])
    assert table.loc["poor", "conditions"] == 0
    assert table.loc["good", "conditions"] == 2
    assert table.loc["good", "mmd_gex"] == pytest.approx(0.2)


def test_every_recipe_is_listed_one_a_line(capsys):
    assert main(["benchmark", "--list"]) == 0
    assert capsys.readouterr().out.split() == [recipe.name for recipe in RECIPES]
    assert len(SMALL_RECIPES) >= 14


def test_the_card_of_a_model_without_steps_tells_of_none(tmp_path):
    folder, data = tmp_path / "additive", source()
    train(prepare(data, recipe_named("additive"), folder, seed=0, device="cpu", resume=False, command=[]), folder)
    card = write_card(
        folder, data.cells, cells_per_condition=16, seed=0, half=True, command=[], report=lambda told: None
    )
    assert "Euler" not in card
    assert "Sampling: in one pass, zeros" in card
