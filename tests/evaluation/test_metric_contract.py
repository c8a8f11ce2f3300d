"""The record of a metric: a made-up one, registered as one row, appears everywhere that shows scores."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import pages
from primeflow_core.__main__ import main
from primeflow_core.benchmark.grid import Entry
from primeflow_core.benchmark.leaderboard import BASELINE, CEILING, FLOOR, leaderboard, markdown
from primeflow_core.benchmark.metric_table import metric_table
from primeflow_core.benchmark.output_files import BenchmarkOutcome
from primeflow_core.benchmark.scored_entry import scored_entry
from primeflow_core.benchmark.shipped import read_results
from primeflow_core.benchmark.standings import standings
from primeflow_core.benchmark.summary_text import mean_places, verdict
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.data.splits import held_out_split
from primeflow_core.errors import SettingError
from primeflow_core.evaluation.agreement import agreement
from primeflow_core.evaluation.defaults import FEWEST
from primeflow_core.evaluation.distances import pairwise_distances
from primeflow_core.evaluation.held_out_reference import truth
from primeflow_core.evaluation.measured_condition import MeasuredCondition
from primeflow_core.evaluation.metric import Compares, Metric
from primeflow_core.evaluation.metrics import registry
from primeflow_core.evaluation.metrics.registry import METRICS, metric_named
from primeflow_core.evaluation.principal_components import components
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import table
from primeflow_core.model_store.local_models import read_library
from primeflow_core.model_store.model_card import write_card
from primeflow_core.model_store.model_summary import held_out_scores
from primeflow_core.report.methods_text import methods_paragraph
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from primeflow_core.training.tuning.question import SearchSpec
from primeflow_core.training.tuning.validation import TrialValidation
from tests.app import opened, page, table_with, text_of
from tests.pinned import finding
from tests.shipped_benchmarks import AXES, about, picture
from tests.tiny import cells, condition

PAIR = condition("A", "B")
GAP = Metric(
    name="level_gap",
    label="Gap of levels",
    word="level gap",
    page_label="Level, all genes",
    methods="gap between the mean levels",
    question="How far apart are the mean levels of all genes?",
    larger_is_better=False,
    compares=Compares.PROFILES,
    limits=(0.0, np.inf),
    score=lambda given: np.abs(given.predicted.means.mean(1)[:, None] - given.measured.means.mean(1)),
    replicates=lambda given: np.abs(given.means[0].mean(1) - given.means[1].mean(1)),
)


@pytest.fixture
def own_caches():
    """What pages computed before the record existed, and with it, is forgotten."""
    kept = (pages.kept, pages._fitted_baselines)
    for cache in kept:
        cache.clear()
    yield
    for cache in kept:
        cache.clear()


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(registry, "METRICS", (*METRICS, GAP))


def split_of(data, part=TEST):
    return held_out_split(data, {PAIR: part}, seed=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Predicted and measured cells as files, with a split; predictions are noisy copies."""
    folder = tmp_path_factory.mktemp("files")
    data = cells(per_condition=40)
    labels = [each.label for each in data.condition_list(np.arange(len(data)))]
    context = {"cell_type": ["k562"] * len(data)}
    write_anndata(folder / "data.h5ad", as_anndata(data.values, data.genes, labels, context, {}, names=data.names))
    made = np.maximum(data.values + np.random.default_rng(0).normal(0, 0.2, data.values.shape), 0).astype(np.float32)
    write_anndata(folder / "made.h5ad", as_anndata(made, data.genes, labels, context, {}, names=data.names))
    parts = ["test" if label == "A+B" or (label == "control" and i % 2) else "train" for i, label in enumerate(labels)]
    pd.DataFrame({"cell": data.names, "split": parts}).to_csv(folder / "split.csv", index=False)
    return folder


def test_evaluate_writes_and_prints_it_with_rank_bounds_and_interval(files, tmp_path, capsys):
    outs = {name: tmp_path / f"{name}.csv" for name in ("out", "bounds", "baselines")}
    given = ["evaluate", "--prediction", str(files / "made.h5ad"), "--truth", str(files / "data.h5ad")]
    given += ["--covariates", "cell_type", "--split", str(files / "split.csv"), "--resamples", "20"]
    assert main([*given, *(word for name, path in outs.items() for word in (f"--{name}", str(path)))]) == 0
    assert {"level_gap", "level_gap_rank"} <= set(pd.read_csv(outs["out"]))
    ends = ("", "_floor", "_ceiling", "_wrong", "_low", "_high")
    found = pd.read_csv(outs["bounds"]).iloc[-1]
    assert {f"level_gap{end}" for end in ends} <= set(found.index)
    assert 0 <= found["level_gap_low"] <= found["level_gap"] <= found["level_gap_high"]
    assert "level_gap" in pd.read_csv(outs["baselines"])
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("level_gap")]
    assert printed
    assert printed[0].endswith("smaller is better")


@pytest.mark.parametrize(("command", "said"), [("evaluate", GAP.question), ("tune", "level_gap")])
def test_help_explains_it(command, said, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert said in capsys.readouterr().out


def test_a_covariate_may_have_its_name(files, tmp_path):
    data = cells(per_condition=40)
    labels = [each.label for each in data.condition_list(np.arange(len(data)))]
    path = tmp_path / "data.h5ad"
    write_anndata(
        path, as_anndata(data.values, data.genes, labels, {"level_gap": ["k562"] * len(data)}, {}, names=data.names)
    )
    given = ["--prediction", str(path), "--truth", str(path), "--covariates", "level_gap"]
    assert main(["evaluate", *given, "--out", str(tmp_path / "m.csv")]) == 0
    scores = pd.read_csv(tmp_path / "m.csv")[:-1]
    assert set(scores["level_gap (covariate)"]) == {"k562"}
    assert (scores["level_gap"] == 0).all()


def test_it_is_scored_between_floor_and_ceiling():
    draw = np.random.default_rng(0)
    sets = [draw.gamma(2.0, 0.5 + 0.3 * i, (12 * FEWEST, 5)) for i in range(4)]
    measured = MeasuredCondition(sets[0], sets[1], sets[2], list("abcde"), components(sets[3], 2))
    found = agreement(sets[0], measured)["level_gap"]
    assert found.value == 0
    assert found.tells_apart


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model in closed form with its cells, and its folder."""
    data = cells(per_condition=40)
    folder = tmp_path_factory.mktemp("models") / "additive"
    source = Source(data, split_of(data), "tiny", simulated=True)
    recipe = recipe_named("additive")
    train(prepare(source, recipe, folder, seed=0, device="cpu", resume=False, command=[]), folder)
    return data, folder


def test_the_card_and_the_held_out_scores_show_it(trained):
    data, folder = trained
    given = {"cells_per_condition": 16, "seed": 0, "half": False, "command": ["card"], "report": lambda text: None}
    card = write_card(folder, data, **given)
    assert "| Gap of levels (smaller is better) | " in card
    heads = [line for line in card.splitlines() if line.startswith(("| condition", "| baseline", "| zeros"))]
    assert "| metric | baseline | model | replicate | calibrated |" in card
    assert card.count("| Gap of levels (smaller is better) | ") >= 2
    assert len(heads) == 3
    assert all("| level gap |" in line for line in heads)
    found = held_out_scores(read_library(folder.parent).models["additive"])
    assert "Level, all genes (smaller is better)" in set(found.table["Measure"])


def test_a_model_scored_before_it_existed_still_has_its_scores(trained, tmp_path, monkeypatch):
    data, folder = trained
    monkeypatch.setattr(registry, "METRICS", METRICS)
    given = {"cells_per_condition": 16, "seed": 0, "half": False, "command": ["card"], "report": lambda text: None}
    write_card(folder, data, **given)
    monkeypatch.setattr(registry, "METRICS", (*METRICS, GAP))
    model = read_library(folder.parent).models["additive"]
    assert "energy distance" in model.validation
    measures = set(held_out_scores(model).table["Measure"])
    assert "MMD, genes (smaller is better)" in measures
    assert not any("Level" in measure for measure in measures)
    assert "level_gap" not in json.loads((folder / "metrics.json").read_text())["scored"]["test"][-1]


@pytest.fixture
def benchmark(tmp_path):
    """Two models in closed form, scored as `primeflow benchmark` scores them, and written as it writes them."""
    data = cells(per_condition=40)
    source = Source(data, split_of(data), "tiny", simulated=True)
    entries = [
        Entry(recipe_named(name), seed, (1.0,), pictured=False) for name in ("additive", "no-change") for seed in (0, 1)
    ]
    tables = []
    for entry in entries:
        found = scored_entry(entry, source, tmp_path / entry.name, cells=16, part=TEST, command=[])
        tables.append(found.rows.assign(seconds=found.seconds, parameters=found.parameters))
    rows = pd.concat(tables, ignore_index=True)
    folder = tmp_path / "results" / "tiny"
    folder.mkdir(parents=True)
    told = about(models=(("additive", 1.0), ("no-change", 1.0)), seeds=(0, 1))
    BenchmarkOutcome(replace(told, refused={}), rows, picture(), AXES).write(folder)
    return rows, folder


def test_the_benchmark_shows_it(benchmark):
    rows, folder = benchmark
    found = leaderboard(rows)
    assert found.loc[found["model"] == FLOOR, "level_gap"].notna().all()
    assert found.loc[found["model"] == CEILING, "level_gap"].notna().all()
    assert found.loc[found["model"] == BASELINE, "level_gap"].notna().all()
    assert found["level_gap_calibrated"].notna().any()
    told = standings(found, rows)
    assert "level_gap" in told.calibrations
    assert "level_gap ↓" in markdown(found, told.leaders(["level_gap"]))
    assert "Gap of levels ↓" in set(metric_table(told, ["level_gap"])["Metric"])
    for name in ("benchmark.md", "benchmark.csv"):
        assert "level_gap" in (folder / name).read_text()
    html = (folder / "benchmark.html").read_text()
    assert "<h2>Gap of levels</h2>" in html
    assert GAP.question in html
    results = read_results(folder)
    assert "level_gap" in results.metrics
    said = " ".join(verdict(results.standings, results.metrics))
    assert "level gap" in said
    before = mean_places(results.table.drop(columns="level_gap"))
    assert not before.equals(mean_places(results.table.assign(level_gap=[2.0, 1.0])))


@pytest.mark.slow
def test_the_benchmark_page_offers_it(benchmark, tmp_path, monkeypatch):
    _, folder = benchmark
    monkeypatch.setenv("PRIMEFLOW_RESULTS", str(folder.parent))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PRIMEFLOW_MIRROR", "")
    app = page("benchmark", metric="level_gap")
    assert not app.exception
    assert app.selectbox(key="bench_metric").value == "level_gap"
    assert f"{GAP.question} Smaller is better." in text_of(app)
    assert "Level gap ↓" in table_with(app, "Trainings")
    assert any("Gap of levels" in str(found.value) for found in app.table)


@pytest.mark.slow
def test_the_trust_card_of_explore_shows_it(models, own_caches):
    app = opened()
    assert not app.exception
    assert f"Level, all genes: {GAP.question}" in text_of(app).replace("*", "")
    shown = next(found.value for found in app.table if "DEG recall" in found.value)
    assert shown.loc[["Model", "Floor", "Ceiling", "No change"], "Level, all genes"].notna().all()


def test_the_methods_text_names_it():
    assert "gap between the mean levels" in methods_paragraph([finding()])


def test_settings_can_be_tuned_by_it():
    data = cells(per_condition=40)
    source = Source(data, split_of(data, VAL), "tiny", simulated=True)
    asked = SearchSpec(recipe_named("linear"), "data", "split", metric="level_gap", cells=16)
    assert not asked.larger_is_better
    validation = TrialValidation(source, asked.metric)
    assert validation.metric == "level_gap"
    with pytest.raises(SettingError, match=r"'nothing' is not a metric.*level_gap"):
        replace(asked, metric="nothing")


def test_distances_between_cells_are_computed_once_for_all_metrics(monkeypatch):
    asked = []

    def counted(xs, ys):
        asked.append(xs[0].shape[1])
        return pairwise_distances(xs, ys)

    monkeypatch.setattr("primeflow_core.evaluation.score_input.pairwise_distances", counted)
    data = cells(per_condition=20)
    pair = truth(data, split_of(data), TEST).pair({PAIR: data.dense(data.where(PAIR))}, "cells")
    scored = score(pair, pcs=3)
    assert asked == [11, 3]
    assert {"mmd_gex", "mmd_pca", "energy_distance", "level_gap"} <= set(scored.groups[0].matrices)
    assert "level_gap_rank" in table(scored)


@pytest.mark.parametrize("metric", [*METRICS, GAP], ids=lambda metric: metric.name)
def test_every_record_is_whole(metric):
    assert metric_named(metric.name) is metric
    assert metric.question.endswith(("?", "."))
    assert metric.limits[0] < metric.limits[1]
    assert all((metric.label, metric.word, metric.page_label, metric.methods))
