"""Searches with real trainings: the same whether stopped or not, and what the command `tune` says and writes."""

import json
import random
import shutil
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from primeflow_core.__main__ import main
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.data.splits import held_out_split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.runtime.folder_lock import alone_in
from primeflow_core.training.recipes.recipe_file import read_recipe
from primeflow_core.training.recipes.registry import adjusted, recipe_named
from primeflow_core.training.run import Source
from primeflow_core.training.trainer import Trainer
from primeflow_core.training.tuning import trial_run
from primeflow_core.training.tuning.outcome import best_recipe, summary, table, write_best
from primeflow_core.training.tuning.question import SearchSpec
from primeflow_core.training.tuning.run import run_trials
from primeflow_core.training.tuning.search import Search
from primeflow_core.training.tuning.store import TrialStore
from primeflow_core.training.tuning.trial import DIVERGED, FAILED, PRUNED, SCORED, Trial
from primeflow_core.training.tuning.trial_run import TrialContext, checkpoint_steps
from primeflow_core.training.tuning.validation import TrialValidation
from tests import forked
from tests.forked import forking
from tests.moments import interrupted
from tests.tiny import cells, condition

PAIR = condition("A", "B")
TRIALS = 8
PACE = ["epochs=0", "steps=8", "save_every=3", "validate_every=4", "batch_size=16"]


@pytest.fixture(scope="module")
def source():
    torch.set_num_threads(1)
    data = cells(per_condition=24, seed=2)
    return Source(data, held_out_split(data, {PAIR: VAL}, seed=0), "tiny", simulated=True)


def question(name="linear", **changes):
    return SearchSpec(**{"recipe": adjusted(recipe_named(name), PACE), "data_sha256": "data", "split_sha256": "split",
                       "cells": 16, **changes})  # fmt: skip


def bench(folder, source, asked=None):
    folder.mkdir(exist_ok=True)
    store = TrialStore(folder, asked or question())
    store.open()
    return TrialContext(store, source, TrialValidation(source, store.question.metric))


def searched(folder, source, asked=None, trials=TRIALS):
    made = bench(folder, source, asked)
    list(run_trials(made, trials))
    return made.store


def outcome(store):
    """All that a search comes to, apart from times."""
    write_best(store.folder / "best.json", store)
    best = json.loads((store.folder / "best.json").read_text())
    del best["provenance"]["created"]
    model = checkpoint.load(store.model(store.ranked()[0].number))
    return (
        [replace(trial, seconds=0.0) for trial in store.trials()], best,
        {name: tensor.tolist() for name, tensor in model.state_dict().items()},
        sorted(path.name for path in (store.folder / "models").iterdir()),
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """The outcome of a search that was never stopped; some of its trials are pruned."""
    store = searched(tmp_path_factory.mktemp("whole"), source)
    assert {trial.state for trial in store.trials()} == {SCORED, PRUNED}
    return outcome(store)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_search_and_another_does_not(source, whole, tmp_path):
    assert outcome(searched(tmp_path / "again", source)) == whole
    other = searched(tmp_path / "other", source, question(seed=1), 2)
    assert other.trials()[0].point == whole[0][0].point
    assert other.trials()[0].score != whole[0][0].score
    assert other.trials()[1].point != whole[0][1].point


# Where a kill comes: in the n-th call of a function, before it does anything or after it did all.
MOMENTS = [
    (Search, "proposal", 3, "before"), (Search, "proposal", 3, "after"), (trial_run, "prepare", 2, "after"),
    (Trainer, "step", 1, "before"), (Trainer, "step", 13, "after"), (Trainer, "step", 24, "after"),
    (Trainer, "save", 1, "before"), (Trainer, "save", 5, "after"), (TrialValidation, "score", 2, "before"),
    (TrialValidation, "score", 6, "after"), (TrialValidation, "score", 8, "after"),
    (TrialStore, "keep_early", 5, "before"), (TrialStore, "keep_early", 5, "after"), (TrialStore, "keep", 2, "before"),
    (TrialStore, "keep", 2, "after"),
    (TrialStore, "tidy", 4, "before"), (shutil, "rmtree", 1, "before"), (shutil, "rmtree", 2, "after"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("owner", "name", "number", "when"), MOMENTS, ids=lambda one: getattr(one, "__name__", one))
def test_a_search_that_was_interrupted_comes_to_the_same(
    source, whole, tmp_path, monkeypatch, owner, name, number, when
):
    kept, calls = getattr(owner, name), []

    def interrupted(*given, **options):
        calls.append(name)
        if len(calls) == number and when == "before":
            raise KeyboardInterrupt
        found = kept(*given, **options)
        if len(calls) == number:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(owner, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "search", source)
    assert outcome(searched(tmp_path / "search", source)) == whole


@pytest.mark.slow
def test_interrupted_again_and_again_it_comes_to_the_same(source, whole, tmp_path, monkeypatch):
    kept, calls = Trainer.step, []

    def step(self):
        calls.append(1)
        if len(calls) % 7 == 0:
            raise KeyboardInterrupt
        return kept(self)

    monkeypatch.setattr(Trainer, "step", step)
    for _ in range(100):
        try:
            assert outcome(searched(tmp_path / "search", source)) == whole
            return
        except KeyboardInterrupt:
            continue
    pytest.fail("it never came to an end")


@pytest.mark.slow
def test_more_trials_go_on_from_those_that_are_there(source, whole, tmp_path):
    few = searched(tmp_path / "search", source, trials=3)
    assert [replace(trial, seconds=0.0) for trial in few.trials()] == whole[0][:3]
    assert outcome(searched(tmp_path / "search", source)) == whole


@pytest.mark.slow
def test_flows_are_searched_too(source, tmp_path):
    small = adjusted(recipe_named("mlp-tiny"), ["hidden=16", "steps=4", "batch_size=16", "validate_every=2"])
    asked = question(recipe=small, metric="cosine_logfc", fixed=frozenset({"hidden"}))
    store = searched(tmp_path / "search", source, asked, 3)
    assert [trial.state for trial in store.trials()] == [SCORED] * 3
    best = store.ranked()[0]
    assert best.score == max(trial.score for trial in store.trials())
    found = best_recipe(store.question, best)
    assert found.name == "primeflow-mlp-plus-tiny-tuned"
    assert found.rows["mlp"].hidden == 16
    assert found.rows.keys() == small.rows.keys()


def test_the_score_is_that_of_the_best_weights_on_validation_conditions(source, tmp_path):
    store = searched(tmp_path / "search", source, trials=1)
    (only,) = store.trials()
    model = checkpoint.load(store.model(0))
    plan = replace(checkpoint.read_manifest(store.model(0)).sampling, seed=0)
    assert TrialValidation(source, "energy_distance").score(model, 16, plan) == only.score
    assert len(only.early) == 3
    assert only.steps == 8


@pytest.mark.slow
def test_test_cells_are_never_looked_at(source, tmp_path):
    data, found = source.cells, []
    a = [name for name, one in zip(data.names, data.condition_of, strict=True) if data.conditions[one].label == "A"]
    split = held_out_split(data, {PAIR: VAL}, seed=0)
    # Half of the cells of A for test, so that the condition stays known.
    split = replace(split, parts=np.where(np.isin(split.names, a[::2]), TEST, split.parts))
    for factor in (1, 7):
        values = data.values * np.where(split.part_of(data) == TEST, np.float32(factor), np.float32(1))[:, None]
        changed = replace(source, cells=replace(data, values=values), split=split)
        found.append(outcome(searched(tmp_path / str(factor), changed, trials=3)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("held_out", "said"),
    [
        ({}, "no validation conditions that training does not know"), ({PAIR: TEST}, "no validation conditions"),
        ({condition("A"): VAL, PAIR: TEST}, r"No model can predict the held-out A \(k562\): training has no cell of A"),
    ],
)  # fmt: skip
def test_a_split_that_holds_nothing_out_for_validation_is_refused(source, held_out, said):
    with pytest.raises(DataError, match=said):
        TrialValidation(replace(source, split=held_out_split(source.cells, held_out, seed=0)), "energy_distance")


def test_conditions_with_an_unknown_part_are_told_of(source):
    # Without cells of A alone, and with A+B for validation, B can be asked and A+B cannot.
    split = held_out_split(source.cells, {PAIR: VAL, condition("A"): "left-out"}, seed=0)
    b = source.cells.condition_of == 2
    split = replace(split, parts=np.where(b & (np.arange(len(b)) % 2 == 0), VAL, split.parts))
    with pytest.raises(
        DataError,
        match=r"No model can predict the held-out A\+B \(k562\): training has no cell of A\. These are all validation",
    ):
        TrialValidation(replace(source, split=split), "energy_distance")


def test_a_training_that_diverges_is_told_and_the_search_goes_on(source, tmp_path, monkeypatch):
    kept = Trainer.step

    def step(self):
        if self.config.learning_rate > 0.03:
            with torch.no_grad():
                for one in (*self.predictor.parameters(), *self.averaged.parameters()):
                    one.fill_(float("nan"))
        return kept(self)

    monkeypatch.setattr(Trainer, "step", step)
    store = searched(tmp_path / "search", source, trials=5)
    states = {trial.state for trial in store.trials()}
    assert states == {SCORED, DIVERGED}
    for trial in store.trials():
        assert (trial.state == DIVERGED) == (trial.point["learning_rate"] > 0.03)
    assert store.ranked()[0].state == SCORED


@pytest.mark.slow
def test_settings_that_make_no_model_fail_alone(source, tmp_path, monkeypatch):
    kept = trial_run.at

    def at(recipe, space, point):
        if point["use_covariates"] == "false":
            raise SettingError("no such model")
        return kept(recipe, space, point)

    monkeypatch.setattr(trial_run, "at", at)
    trials = searched(tmp_path / "search", source, trials=5).trials()
    assert {(trial.state, trial.why) for trial in trials} == {(SCORED, ""), (FAILED, "no such model")}


def test_settings_that_cannot_be_learnt_with_together_fail_alone(source, tmp_path, monkeypatch):
    kept = trial_run.at

    def at(recipe, space, point):
        if point["use_covariates"] == "false":
            return adjusted(recipe_named("cpa"), ["steps=2", "warmup_epochs=9"])
        return kept(recipe, space, point)

    monkeypatch.setattr(trial_run, "at", at)
    trials = searched(tmp_path / "search", source, trials=5).trials()
    failed = [trial for trial in trials if trial.state == FAILED]
    assert 0 < len(failed) < 5
    assert all("the adversary, whose warm-up" in trial.why for trial in failed)


@pytest.mark.long
@pytest.mark.slow
def test_a_model_too_large_for_the_memory_fails_alone(source, tmp_path, monkeypatch):
    kept = trial_run.at

    def at(recipe, space, point):
        if point["use_covariates"] == "false":
            return adjusted(recipe_named("mlp-tiny"), [f"hidden={10**6}"])
        return kept(recipe, space, point)

    monkeypatch.setattr(trial_run, "at", at)
    trials = searched(tmp_path / "search", source, trials=5).trials()
    assert {(trial.state, trial.why) for trial in trials} == {(SCORED, ""), (FAILED, trial_run.TOO_LARGE)}


def test_what_a_user_can_mend_ends_the_search_and_nothing_is_kept(source, tmp_path):
    made = replace(bench(tmp_path / "search", source), device="cuda:99")
    with pytest.raises(SettingError, match="no CUDA device"):
        list(run_trials(made, 2))
    assert made.store.trials() == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data_sha256": "other"}, "differs: data file"), ({"split_sha256": "other"}, "differs: split"),
        ({"metric": "mmd_gex"}, "differs: metric"), ({"cells": 17}, "differs: cells"), ({"seed": 1}, "differs: seed"),
        ({"recipe": recipe_named("latent")}, "differs: recipe"),
        ({"recipe": adjusted(recipe_named("linear"), [*PACE, "steps=9"])}, "differs: settings: training: steps"),
        ({"fixed": frozenset({"use_covariates"})}, "differs: space: use_covariates"),
        ({"reading": {"normalise": True}}, "differs: way of reading the data: normalise"),
    ],
)  # fmt: skip
def test_searches_are_not_mixed(source, tmp_path, change, said):
    bench(tmp_path / "search", source)
    with pytest.raises(SettingError, match=said):
        bench(tmp_path / "search", source, question(**change))
    bench(tmp_path / "search", source)


def test_another_version_is_another_search(source, tmp_path):
    bench(tmp_path / "search", source)
    path = tmp_path / "search" / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version of Optuna": "4.0.0"}))
    with pytest.raises(SettingError, match="differs: version of Optuna"):
        bench(tmp_path / "search", source)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metric": "loss"}, "'loss' is not a metric. Metrics: cosine_logfc"), ({"cells": 7}, "7 cells"),
        ({"seed": -1}, "seed is -1"), ({"recipe": recipe_named("additive")}, "closed form"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_is_refused(change, said):
    with pytest.raises(SettingError, match=said):
        question(**change)


def test_a_folder_with_something_else_is_refused(source, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingError, match="holds no search"):
        bench(tmp_path, source)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def kept_trials(folder, source, count=3):
    made = bench(folder, source)
    for number in range(count):
        trial = Trial(number, made.store.question.search.start, SCORED, float(number), (), 8, 1.0)
        made.store.keep(trial)
    return made.store


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"number": 1}', "[" * 100_000])
def test_a_damaged_trial_is_named(source, tmp_path, text):
    store = kept_trials(tmp_path / "search", source)
    (tmp_path / "search" / "trials" / "0001.json").write_text(text)
    with pytest.raises(DataError, match=r"0001\.json is damaged: .*[.] Delete it and every later trial"):
        store.trials()


def test_a_trial_that_is_missing_before_others_is_named(source, tmp_path):
    store = kept_trials(tmp_path / "search", source)
    (tmp_path / "search" / "trials" / "0001.json").unlink()
    with pytest.raises(DataError, match=r"0001\.json is missing"):
        store.trials()
    (tmp_path / "search" / "trials" / "0002.json").unlink()
    assert len(store.trials()) == 1


@pytest.mark.slow
def test_damaged_early_scores_are_made_again(source, whole, tmp_path, monkeypatch):
    kept = TrialStore.keep_early

    def dies(self, number, scores):
        kept(self, number, scores)
        if number == 1 and len(scores) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrialStore, "keep_early", dies)
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path / "search", source)
    (tmp_path / "search" / "models" / "0001" / "early.json").write_text("{")
    assert outcome(searched(tmp_path / "search", source)) == whole


@pytest.mark.parametrize(("steps", "found"), [(100, (25, 50, 75)), (3, (1, 2)), (2, (1,)), (1, ()), (5, (2, 3, 4))])
def test_checkpoints_lie_within_the_training(steps, found):
    assert checkpoint_steps(steps) == found


def test_the_table_and_the_summary_hold_what_was_tried(source, tmp_path):
    store = kept_trials(tmp_path / "search", source)
    store.keep(Trial(3, store.question.search.start, FAILED, None, (), 0, 0.0, "no such model"))
    rows = table(store.question, store.trials())
    assert list(rows) == ["trial", "state", "score", "use_covariates", "learning_rate", "weight_decay", "steps",
                          "seconds", "why"]  # fmt: skip
    assert rows["score"].tolist()[:3] == [0.0, 1.0, 2.0]
    assert rows["learning_rate"].tolist() == [0.02] * 4
    lines = summary(store).splitlines()
    assert lines[0].split("  ")[-1].strip() == "as given"
    assert lines[0].split()[:4] == ["trial", "0", "trial", "1"]
    assert lines[1].startswith("energy_distance (smaller is better)")
    assert lines[3].split()[0] == "learning_rate"


def test_how_much_settings_mattered_is_told_once_there_are_trials_enough(source, tmp_path):
    store = bench(tmp_path / "search", source).store
    search = store.question.search
    for number in range(30):
        point = search.proposal(store.trials()).point
        store.keep(Trial(number, point, SCORED, abs(np.log10(point["learning_rate"]) + 2), (), 8, 0.0))
    lines = summary(store).splitlines()
    assert lines[0].endswith("mattered")
    shares = {line.split()[0]: int(line.split()[-1].rstrip("%")) for line in lines[2:]}
    assert max(shares, key=shares.get) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(100, abs=2)


def test_without_a_score_there_is_no_best_row(source, tmp_path):
    store = bench(tmp_path / "search", source).store
    store.keep(Trial(0, store.question.search.start, DIVERGED, None, (), 8, 1.0))
    with pytest.raises(SettingError, match="came to a score"):
        write_best(tmp_path / "best.json", store)
    assert not (tmp_path / "best.json").exists()


@pytest.mark.slow
def test_only_the_best_model_stays(source, tmp_path):
    store = searched(tmp_path / "search", source, trials=4)
    assert [path.name for path in (store.folder / "models").iterdir()] == [f"{store.ranked()[0].number:04d}"]


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """A data file, a split whose pair is for validation, and one whose pair is for test."""
    folder, data = tmp_path_factory.mktemp("screen"), cells(per_condition=24)
    labels = [one.label for one in data.condition_list(np.arange(len(data)))]
    write_anndata(
        folder / "d.h5ad", as_anndata(data.dense(), data.genes, labels, {"cell_type": ["k562"] * len(data)}, {})
    )
    read = read_cells(folder / "d.h5ad")
    pair = next(one for one in read.conditions if one.label == PAIR.label)
    for part in (VAL, TEST):
        held_out_split(read, {pair: part}, seed=0).write(folder / f"{part}.csv")
    return folder


def asked(on_disk, out, *more, recipe="linear", trials=3, part=VAL):
    settings = [word for text in PACE for word in ("--set", text)]
    return [
        "tune", str(on_disk / "d.h5ad"), "--split", str(on_disk / f"{part}.csv"), "--recipe", recipe, "--trials",
        str(trials), "--cells", "16", "--device", "cpu", "--out", str(out), *settings, *more,
    ]  # fmt: skip


def test_the_command_writes_the_table_and_a_recipe_that_trains(on_disk, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(asked(on_disk, out)) == 0
    said = capsys.readouterr()
    assert "3 trials of linear, 0 of them finished; 3 settings searched" in said.err
    assert "Scored on 1 validation condition." in said.err
    assert "trials: 3 of 3" in said.err
    assert "left" in said.err
    assert "energy_distance (smaller is better)" in said.out
    rows = pd.read_csv(out / "trials.csv", float_precision="round_trip")
    assert len(rows) == 3
    told = json.loads((out / "best.json").read_text())["provenance"]
    assert told["trials"] == 3
    assert told["score"] == rows["score"].min()
    assert len(told["data_sha256"]) == len(told["split_sha256"]) == 64
    assert told["versions"]["optuna"]
    best = rows.loc[rows["score"].idxmin()]
    assert read_recipe(out / "best.json").training.learning_rate == best["learning_rate"]
    first = (out / "trials.csv").read_bytes()
    assert main(asked(on_disk, out)) == 0
    assert "3 trials of linear, 3 of them finished" in capsys.readouterr().err
    assert (out / "trials.csv").read_bytes() == first
    split = ["--split", str(on_disk / "val.csv")]
    assert main(["train", str(on_disk / "d.h5ad"), *split, "--recipe", str(out / "best.json"), "--out",
                 str(tmp_path / "model"), "--device", "cpu"]) == 0  # fmt: skip
    assert checkpoint.read_manifest(tmp_path / "model").recipe == "linear-tuned"


@pytest.mark.slow
def test_a_tuned_recipe_is_benchmarked_beside_others(on_disk, tmp_path, capsys):
    assert main(asked(on_disk, tmp_path / "out", trials=1)) == 0
    compared = f"additive,{tmp_path / 'out' / 'best.json'}"
    assert main(["benchmark", str(on_disk / "d.h5ad"), "--split", str(on_disk / "test.csv"), "--recipes", compared,
                 "--seeds", "1", "--cells", "16", "--out", str(tmp_path / "b")]) == 0  # fmt: skip
    assert "| linear-tuned | 1 | 1 |" in capsys.readouterr().out


def test_a_recipe_file_is_searched_on_and_keeps_its_name(on_disk, tmp_path):
    assert main(asked(on_disk, tmp_path / "one", trials=2)) == 0
    best = tmp_path / "one" / "best.json"
    assert main(asked(on_disk, tmp_path / "two", recipe=str(best), trials=1)) == 0
    again = read_recipe(tmp_path / "two" / "best.json")
    assert again.settings() == read_recipe(best).settings()
    assert again.name == "linear-tuned"


def test_another_recipe_in_the_same_folder_is_refused(on_disk, tmp_path, capsys):
    assert main(asked(on_disk, tmp_path / "out", trials=1)) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    for more in ({"recipe": "latent"}, {"part": TEST}):
        assert main(asked(on_disk, tmp_path / "out", **more)) == 2
        assert "holds another search; what differs: " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_two_searches_at_once_in_one_folder_are_refused(on_disk, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    with alone_in(tmp_path / "out"):
        assert main(asked(on_disk, tmp_path / "out", trials=1)) == 2
    assert "Another process works in" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--recipe", "none"], "There is no recipe 'none'"), (["--recipe", "none.json"], "none.json cannot be used"),
        (["--trials", "0"], "--trials is 0"), (["--metric", "loss"], "'loss' is not a metric"),
        (["--cells", "1"], "1 cells"), (["--seed", "-1"], "The seed is -1"),
        (["--set", "depth=3"], "'depth' is not a setting"),
        (["--set", "depth"], "write it as key=value"), (["--recipe", "ridge"], "is not a setting of ridge|closed form"),
        (["--device", "cuda:99"], "no CUDA device"), (["--split", "none.csv"], "none.csv"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(on_disk, tmp_path, capsys, more, said):
    assert main(asked(on_disk, tmp_path / "out", *more)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("primeflow: ")]
    assert any(one in line for one in said.split("|"))


def test_a_split_without_validation_conditions_is_refused(on_disk, tmp_path, capsys):
    assert main(asked(on_disk, tmp_path / "out", part=TEST)) == 2
    assert "has no validation conditions that training does not know" in capsys.readouterr().err


SHORT, LONG = {"steps": 60, "trials": 5}, {"steps": 400, "trials": 8}


def command(on_disk, out, steps=SHORT["steps"], trials=SHORT["trials"]):
    return asked(on_disk, out, "--set", f"steps={steps}", "--set", "log_every=5", trials=trials)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "size"), [(2, SHORT), pytest.param(6, LONG, marks=pytest.mark.long)], ids=["twice", "often"]
)
def test_killed_it_comes_to_the_same(on_disk, tmp_path, kills, size):
    moments, at_work = random.Random(0), []
    with forking() as start:
        whole = start(forked.command, *command(on_disk, tmp_path / "whole", **size))
        assert whole.ended() == 0, whole.said
        for _ in range(kills):
            process = start(forked.command, *command(on_disk, tmp_path / "killed", **size))
            wait_for_something_new(process, tmp_path / "killed")
            time.sleep(moments.uniform(0.0, 1.0 if kills > 2 else 0.3))
            at_work.append(process.kill())
        assert any(at_work)
        last = start(forked.command, *command(on_disk, tmp_path / "killed", **size))
        assert last.ended() == 0, last.said
    check_same(tmp_path / "killed", tmp_path / "whole")


MOMENTS_OF_THE_COMMAND = (
    "killed/study.json written", "killed/study.json in place", "training/state.safetensors in place",
    "0000/early.json written", "trials/0000.json begun", "trials/0000.json written", "trials/0000.json in place",
    "0002/early.json in place", "0003/weights.safetensors written", "trials/0004.json in place",
    "killed/trials.csv written", "killed/best.json written", "killed/best.json in place",
)  # fmt: skip


@pytest.mark.slow
def test_the_command_ended_at_each_moment_comes_to_the_same(on_disk, tmp_path):
    interrupted(command(on_disk, tmp_path / "whole"), [])
    interrupted(command(on_disk, tmp_path / "killed"), MOMENTS_OF_THE_COMMAND)
    check_same(tmp_path / "killed", tmp_path / "whole")


def check_same(out, whole):
    one, other = (pd.read_csv(folder / "trials.csv").drop(columns="seconds") for folder in (out, whole))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    best = [json.loads((folder / "best.json").read_text()) for folder in (out, whole)]
    for found in best:
        del found["provenance"]["created"]
    assert best[0] == best[1]
    assert not list(out.rglob("*.partial"))


def wait_for_something_new(process, out):
    """Until the program has written something, or has ended."""

    def newest():
        return max((path.stat().st_mtime_ns for path in out.rglob("*.json*") if path.exists()), default=0)

    before = newest()
    process.until(lambda: newest() != before)
