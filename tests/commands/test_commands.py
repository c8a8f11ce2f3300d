"""The command line as a user meets it: what it writes, what it says, and never a traceback."""

import json
import shutil
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main
from primeflow_core.data.datasets import DATASETS
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import as_anndata, read_provenance, write_anndata
from primeflow_core.models.baselines import registry
from primeflow_core.models.checkpoint import read_manifest, read_preview
from tests.full_disk import files_of_at_most
from tests.tiny import cells

NAMES = tuple(baseline.name for baseline in registry.BASELINES)

SMALL = ["channels=16", "channel_mult=[1,2]", "attention_at=[2]", "heads=2", "gene_features=8", "num_res_blocks=1"]
COMMANDS = (
    "datasets", "fetch", "simulate", "check", "split", "train", "distill", "generate", "screen", "evaluate", "card",
    "report", "benchmark", "tune", "app",
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A data file whose pair A+B is held out, its split and a model trained for a moment."""
    folder = tmp_path_factory.mktemp("screen")
    data = cells(per_condition=40)
    listed = data.condition_list(np.arange(len(data)))
    labels = [condition.label for condition in listed]
    context = {"cell_type": ["k562"] * len(data)}
    write_anndata(folder / "data.h5ad", as_anndata(data.values, data.genes, labels, context, {}, names=data.names))
    parts = ["test" if label == "A+B" or (label == "control" and i % 2) else "train" for i, label in enumerate(labels)]
    pd.DataFrame({"cell": data.names, "split": parts}).to_csv(folder / "split.csv", index=False)
    assert run_train(folder) == 0
    return folder


def run_train(folder, *more):
    settings = [word for text in SMALL for word in ("--set", text)]
    return main(
        ["train", str(folder / "data.h5ad"), "--split", str(folder / "split.csv"), "--out", str(folder / "model"),
         "--steps", "5", "--covariates", "cell_type", *settings, *more]
    )  # fmt: skip


def generate(screen, out, *more):
    return main(
        ["generate", "--model", str(screen / "model"), "--perturbation", "B+A", "--covariate", "cell_type=k562",
         "--cells", "12", "--out", str(out), *more]
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert "example:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"), [([], "required"), (["dance"], "invalid choice"), (["fetch"], "required")]
)
def test_wrong_arguments_give_one_line(arguments, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    told = capsys.readouterr().err
    assert left.value.code == 2
    assert said in told
    assert told.count("\n") == 1


def test_datasets_lists_every_data_set(capsys):
    assert main(["datasets", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == [dataset.name for dataset in DATASETS]


def test_generate_writes_cells_with_condition_context_and_provenance(screen, tmp_path):
    assert generate(screen, tmp_path / "a.h5ad", "--seed", "3", "--guidance", "2") == 0
    made = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert made.shape == (12, 11)
    values = made.to_df().to_numpy()
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert set(made.obs["condition"]) == {"B+A"}
    assert set(made.obs["cell_type"]) == {"k562"}
    told = read_provenance(tmp_path / "a.h5ad")
    assert (told["sampling"]["seed"], told["sampling"]["guidance"]) == (3, 2.0)
    assert told["novelty"] == {"A+B": "each part seen alone, the combination was not"}
    assert {"model", "recipe", "data_sha256", "versions", "training_seed"} <= told.keys()


def test_generate_twice_is_identical_and_another_seed_is_not(screen, tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert generate(screen, tmp_path / f"{name}.h5ad", "--seed", seed) == 0
    a, b, c = (anndata.read_h5ad(tmp_path / f"{name}.h5ad").to_df().to_numpy() for name in "abc")
    assert np.array_equal(a, b)
    assert (tmp_path / "a.h5ad").read_bytes() == (tmp_path / "b.h5ad").read_bytes()
    assert not np.array_equal(a, c)


@pytest.mark.slow
def test_the_papers_setting_is_euler_with_100_steps(screen, tmp_path):
    assert generate(screen, tmp_path / "a.h5ad", "--sampler", "euler") == 0
    assert read_provenance(tmp_path / "a.h5ad")["sampling"]["steps"] == 100


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--perturbation", "A+C"], "C is not a perturbation this model knows"),
        (["--perturbation", "A+A"], "You chose A twice"),
        (["--covariate", "cell_type"], "NAME=VALUE"),
        (["--covariate", "line=k562"], "needs --covariate cell_type=k562"),
        (["--cells", "0"], "ask for 1 to"),
        (["--steps", "0"], "steps is 0"),
        (["--guidance", "-1"], "guidance weight is -1"),
        (["--model", "nowhere"], "is no model"),
    ],
)
def test_generate_says_what_is_wrong_and_writes_nothing(screen, tmp_path, capsys, more, said):
    assert generate(screen, tmp_path / "a.h5ad", *more) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_evaluate_prints_and_writes_the_table(screen, tmp_path, capsys):
    assert generate(screen, tmp_path / "a.h5ad") == 0
    arguments = ["evaluate", "--prediction", str(tmp_path / "a.h5ad"), "--truth", str(screen / "data.h5ad")]
    assert main([*arguments, "--out", str(tmp_path / "m.csv"), "--covariates", "cell_type"]) == 0
    table = pd.read_csv(tmp_path / "m.csv")
    assert list(table["condition"]) == ["A+B", "mean"]
    assert {"mmd_gex", "mmd_pca", "deg_recall", "mmd_gex_rank"} <= set(table.columns)
    assert np.isfinite(table["mmd_gex"]).all()
    assert "mmd_gex" in capsys.readouterr().out


def evaluated(screen, folder, *more):
    data, prediction = str(screen / "data.h5ad"), str(folder / "a.h5ad")
    assert generate(screen, folder / "a.h5ad") == 0
    arguments = ["evaluate", "--prediction", prediction, "--truth", data, "--covariates", "cell_type"]
    return main([*arguments, "--out", str(folder / "m.csv"), *more])


@pytest.mark.slow
def test_evaluate_writes_bounds_baselines_and_genes_beside_the_table(screen, tmp_path, capsys):
    files = [word for name in ("bounds", "baselines", "genes") for word in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    assert evaluated(screen, tmp_path, "--split", str(screen / "split.csv"), *files) == 0
    told = capsys.readouterr().out
    bounds, baselines, genes = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("bounds", "baselines", "genes"))
    ends = ("", "_floor", "_ceiling", "_wrong", "_low", "_high")
    assert {f"mmd_gex{end}" for end in ends} <= set(bounds.columns)
    assert set(baselines["baseline"]) == set(NAMES)
    assert list(baselines.columns[:3]) == ["baseline", "condition", "cell_type"]
    assert np.isfinite(baselines[["mmd_gex", "energy_distance"]]).all(axis=None)
    assert list(genes.groupby("side").size()) == [11, 11]
    assert all(name in told for name in ("ceiling", "wrong", "sum-of-singles"))
    assert {f"mmd_gex{end}" for end in ("_baseline", "_replicate", "_calibrated", "_standard_errors")} <= set(bounds)
    assert "replicate better than baseline" in told


@pytest.mark.slow
def test_evaluate_without_a_split_has_no_calibrated_score_and_says_why(screen, tmp_path, capsys):
    assert evaluated(screen, tmp_path, "--bounds", str(tmp_path / "b.csv")) == 0
    assert "No calibrated score: it needs --split" in capsys.readouterr().out
    assert not any(name.endswith("_baseline") for name in pd.read_csv(tmp_path / "b.csv"))


@pytest.mark.slow
def test_evaluate_scores_the_virtual_cell_challenges_metrics(screen, tmp_path, capsys):
    assert evaluated(screen, tmp_path, "--suite", "vcc", "--split", str(screen / "split.csv")) == 0
    table = pd.read_csv(tmp_path / "m.csv")
    assert list(table.columns[:5]) == ["condition", "cell_type", "mae", "pds", "des"]
    assert "A+B" in set(table["condition"])
    assert "pds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--baselines", "r.csv"], "--baselines and --part need --split"),
        (["--part", "val"], "--baselines and --part need --split"),
        (["--suite", "vcc", "--bounds", "b.csv"], "run evaluate once for each suite"),
        (["--resamples", "-1"], "--resamples and --seed must be 0 or more"),
        (["--seed", "-1"], "--resamples and --seed must be 0 or more"),
        (["--bounds", "m.csv"], "m.csv is named twice"),
        (["--bounds", "a.h5ad"], "a.h5ad is named twice"),
        (["--covariates", "batch"], "'batch'. --covariates can be one of: condition, cell_type"),
        (["--pcs", "0"], "--pcs and --top-genes must be 1 or more"),
    ],
)
def test_evaluate_refuses_options_that_do_not_fit(screen, tmp_path, capsys, monkeypatch, more, said):
    monkeypatch.chdir(tmp_path)
    assert evaluated(screen, tmp_path, *more) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5ad"]


def rewritten(screen, folder, change):
    """A copy of the screen's truth whose obs and X were changed."""
    adata = anndata.read_h5ad(screen / "data.h5ad")
    change(adata)
    adata.write_h5ad(folder / "truth.h5ad")
    return str(folder / "truth.h5ad")


def scored_against(screen, folder, truth, *more):
    if not (folder / "a.h5ad").exists():
        assert generate(screen, folder / "a.h5ad") == 0
    arguments = ["evaluate", "--prediction", str(folder / "a.h5ad"), "--truth", truth, "--out", str(folder / "m.csv")]
    return main([*arguments, *more])


def test_evaluate_says_which_columns_it_took(screen, tmp_path, capsys):
    assert evaluated(screen, tmp_path) == 0
    assert "columns: condition 'condition', covariates 'cell_type', dose none" in capsys.readouterr().err


def test_a_covariate_that_the_prediction_lacks_is_not_left_out_in_silence(screen, tmp_path, capsys):
    def add_donor(adata):
        adata.obs["donor"] = ["d1", "d2"] * (len(adata) // 2)

    truth = rewritten(screen, tmp_path, add_donor)
    assert scored_against(screen, tmp_path, truth, "--covariates", "cell_type,donor") == 2
    assert "a.h5ad has no obs column 'donor'. Add it, or name the covariates to score within" in capsys.readouterr().err
    assert not (tmp_path / "m.csv").exists()
    assert scored_against(screen, tmp_path, truth, "--covariates", "") == 0


def test_counts_are_not_scored_against_log_values_unasked(screen, tmp_path, capsys):
    def as_counts(adata):
        adata.X = np.round(adata.X * 10)

    truth = rewritten(screen, tmp_path, as_counts)
    assert scored_against(screen, tmp_path, truth, "--covariates", "cell_type") == 2
    assert "truth.h5ad holds counts and the prediction does not say" in capsys.readouterr().err
    assert scored_against(screen, tmp_path, truth, "--covariates", "cell_type", "--normalise") == 0


def test_a_stated_layout_keeps_dose_and_separator(screen, tmp_path, capsys):
    def drug(adata):
        labels = adata.obs["condition"].astype(str)
        adata.obs["condition"] = labels.replace({"A+B": "A_B"})

    truth = rewritten(screen, tmp_path, drug)
    stated = ["--condition-column", "condition", "--covariates", "cell_type", "--control", "control"]
    assert scored_against(screen, tmp_path, truth, *stated, "--separator", "_") == 0
    assert "separator '_'" in capsys.readouterr().err
    assert list(pd.read_csv(tmp_path / "m.csv")["condition"]) == ["A_B", "mean"]


def test_held_out_conditions_with_training_cells_are_told_of(screen, tmp_path, capsys):
    split = pd.read_csv(screen / "split.csv")
    leaky = np.flatnonzero(split["split"] == "test")[-3:]
    split.loc[leaky, "split"] = "train"
    split.to_csv(tmp_path / "leaky.csv", index=False)
    assert evaluated(screen, tmp_path, "--split", str(tmp_path / "leaky.csv")) == 0
    assert "1 conditions of test have training cells too, so they are not held out: A+B" in capsys.readouterr().err


def test_another_dose_in_training_is_no_leak(screen, tmp_path, capsys):
    def dosed(adata):
        labels = adata.obs["condition"].astype(str)
        adata.obs["dose"] = np.where(labels == "B", 2.0, np.where(labels == "A+B", 1.0, np.nan)).astype(object)
        adata.obs["dose"] = adata.obs["dose"].astype(str)
        adata.obs["condition"] = labels.replace({"A+B": "B"})

    truth = rewritten(screen, tmp_path, dosed)
    prediction = anndata.read_h5ad(truth)[-40:].copy()
    prediction.write_h5ad(tmp_path / "a.h5ad")
    split = ["--split", str(screen / "split.csv"), "--covariates", "cell_type"]
    assert scored_against(screen, tmp_path, truth, *split, "--dose", "dose") == 0
    assert "have training cells too" not in capsys.readouterr().err
    assert scored_against(screen, tmp_path, truth, *split, "--dose", "none") == 0
    assert "1 conditions of test have training cells too" in capsys.readouterr().err


def test_a_part_without_controls_is_named(screen, tmp_path, capsys):
    split = pd.read_csv(screen / "split.csv")
    split.loc[split["cell"].isin([f"cell{i}" for i in range(40)]), "split"] = "train"
    split.to_csv(tmp_path / "s.csv", index=False)
    assert evaluated(screen, tmp_path, "--split", str(tmp_path / "s.csv")) == 2
    assert "s.csv puts none of the 40 control cells of data.h5ad ('control') into test" in capsys.readouterr().err


def test_nothing_is_written_where_one_of_the_tables_cannot_be_made(screen, tmp_path, capsys):
    split = pd.read_csv(screen / "split.csv")
    split.loc[len(split)] = ["a cell of another file", "train"]
    split.to_csv(tmp_path / "s.csv", index=False)
    files = [word for name in ("baselines", "genes") for word in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    assert evaluated(screen, tmp_path, "--split", str(tmp_path / "s.csv"), *files) == 2
    assert "names 1 cells that are not in" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5ad", "s.csv"]


def test_settings_that_say_nothing_are_told_of(screen, tmp_path, capsys):
    assert evaluated(screen, tmp_path, "--pcs", "99", "--top-genes", "11") == 0
    told = capsys.readouterr().err
    assert "deg_recall says nothing: all 11 genes are top genes" in told
    assert "mmd_pca uses 11 principal components" in told


def test_train_refuses_a_folder_that_holds_a_model_and_resumes_when_told(screen, capsys):
    assert run_train(screen) == 2
    assert "--resume" in capsys.readouterr().err
    assert run_train(screen, "--resume") == 0
    assert run_train(screen, "--resume", "--seed", "5") == 2
    assert "another seed" in capsys.readouterr().err


def test_split_and_check_speak_of_the_file(screen, tmp_path, capsys):
    assert main(["check", str(screen / "data.h5ad"), "--json", "--covariates", "cell_type"]) == 0
    assert json.loads(capsys.readouterr().out)["ready"] is True
    assert main(["check", str(screen / "split.csv")]) == 2
    assert "not a readable AnnData file" in capsys.readouterr().err
    out = str(tmp_path / "s.csv")
    assert main(["split", str(screen / "data.h5ad"), "--task", "combo", "--out", out, "--covariates", "cell_type"]) == 2
    assert "too few" in capsys.readouterr().err


@pytest.mark.slow
def test_a_student_without_room_is_told_and_the_model_stays_as_it_was(screen, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(screen / "model", folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    few = [word for text in ("questions=3", "answers=6", "cells=4", "groups=1") for word in ("--set", text)]
    with files_of_at_most(100):
        code = main(["distill", "--model", str(folder), "--data", str(screen / "data.h5ad"), "--steps", "2", *few])
    assert code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"{folder / 'config.json'} could not be written: the file is larger than is allowed there" in last
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.slow
def test_a_student_is_taught_judged_and_used(screen, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(screen / "model", folder)
    few = [word for text in ("questions=3", "answers=6", "cells=4", "groups=1") for word in ("--set", text)]
    reading = ["--data", str(screen / "data.h5ad"), "--covariates", "cell_type"]
    assert main(["distill", "--model", str(folder), *reading, "--steps", "2", *few]) == 0
    told = capsys.readouterr().out
    assert told.count("control cells") == 4
    assert "student.safetensors" in told
    out = tmp_path / "cells.h5ad"
    asked = ["--perturbation", "A+B", "--covariate", "cell_type=k562", "--cells", "5", "--out", str(out)]
    assert main(["generate", "--model", str(folder), *asked, "--sampler", "student"]) == 0
    sampling = read_provenance(out)["sampling"]
    assert (sampling["sampler"], sampling["steps"]) == ("student", 1)
    assert main(["generate", "--model", str(folder), *asked, "--sampler", "student", "--guidance", "9"]) == 2
    assert "from 1 to 5" in capsys.readouterr().err
    assert main(["card", "--model", str(folder), *reading, "--cells", "8"]) == 0
    assert "## Student" in (folder / "README.md").read_text()
    assert main(["distill", "--model", str(folder), *reading, "--set", "steps=0"]) == 2
    assert "steps is 0" in capsys.readouterr().err
    assert main(["distill", "--model", str(folder), *reading, "--set", "stpes=3"]) == 2
    assert "'stpes' is not a setting" in capsys.readouterr().err


@pytest.mark.slow
def test_a_card_leaves_out_what_the_model_cannot_be_asked_for(screen, tmp_path, capsys):
    data, split, folder = str(screen / "data.h5ad"), str(tmp_path / "split.csv"), tmp_path / "model"
    reading = ["--covariates", "cell_type"]
    hold_out = ["--hold-out", "B", "--hold-out", "A+B"]
    assert main(["split", data, *reading, "--task", "named", *hold_out, "--out", split]) == 0
    settings = [word for text in SMALL for word in ("--set", text)]
    train = ["train", data, *reading, "--split", split, "--out", str(folder), "--steps", "2", *settings]
    assert main(train) == 0
    assert main(["card", "--model", str(folder), "--data", data, *reading, "--cells", "8"]) == 0
    card = (folder / "README.md").read_text()
    assert "never seen in training: B, A+B." in card
    assert "No condition." in card


def test_without_a_student_its_sampler_says_how_to_make_one(screen, tmp_path, capsys):
    assert generate(screen, tmp_path / "cells.h5ad", "--sampler", "student") == 2
    assert "primeflow distill" in capsys.readouterr().err


def test_named_conditions_are_held_out(screen, tmp_path):
    data, out = str(screen / "data.h5ad"), tmp_path / "named.csv"
    command = ["split", data, "--covariates", "cell_type", "--task", "named", "--out", str(out)]
    assert main([*command, "--hold-out", "B+A", "--hold-out", "A", "--covariate", "cell_type=k562"]) == 0
    split = pd.read_csv(out).set_index("cell")["split"]
    read = read_cells(screen / "data.h5ad", covariates=("cell_type",))
    labels = np.array([read.conditions[i].label for i in read.condition_of])
    parts = {label: set(split.loc[read.names[labels == label]]) for label in dict.fromkeys(labels.tolist())}
    assert parts["A"] == parts["A+B"] == {"test"}
    assert parts["B"] == {"train"}
    assert parts["control"] == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--task", "named"], "needs --hold-out LABEL"),
        (["--task", "named", "--hold-out", "A+Z"], "no perturbed cells of 'A+Z'"),
        (["--task", "named", "--hold-out", "control"], "no perturbed cells of 'control'"),
        (["--task", "named", "--hold-out", "A", "--covariate", "cell_type=x"], "with cell_type=x"),
        (["--task", "named", "--hold-out", "A", "--covariate", "k562"], "must be NAME=VALUE"),
        (["--task", "combo", "--hold-out", "A"], "belong to --task named"),
    ],
)
def test_what_cannot_be_held_out_is_said(options, said, screen, tmp_path, capsys):
    out = tmp_path / "named.csv"
    data = str(screen / "data.h5ad")
    assert main(["split", data, "--covariates", "cell_type", *options, "--out", str(out)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_card_scores_the_held_out_pair_and_ships_its_cells(screen, tmp_path, capsys):
    shutil.copytree(screen / "model", tmp_path / "model")
    card = ["card", "--model", str(tmp_path / "model"), "--data", str(screen / "data.h5ad"), "--cells", "20", "--half"]
    assert main([*card, "--covariates", "cell_type"]) == 0
    told = capsys.readouterr().out
    assert "A+B k562" in told
    assert "| MMD GEX (smaller is better) |" in told
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert [row["condition"] for row in metrics["scored"]["test"]] == ["A+B", "mean"]
    assert {row["rival"] for row in metrics["rivals"]["test"]} == set(NAMES)
    assert "| sum-of-singles |" in told
    assert (tmp_path / "model" / "README.md").read_text() in told + "\n"
    preview = read_preview(tmp_path / "model")
    assert [condition.label for condition in preview] == ["A+B"]
    assert next(iter(preview.values())).shape == (20, 11)
    half, whole = ((folder / "model" / "weights.safetensors").stat().st_size for folder in (tmp_path, screen))
    assert half < 0.6 * whole


def test_a_model_of_simulated_cells_says_so(tmp_path):
    assert main(["simulate", str(tmp_path / "s.h5ad"), "--cells", "1500", "--genes", "64"]) == 0
    assert main(["split", str(tmp_path / "s.h5ad"), "--task", "combo", "--out", str(tmp_path / "s.csv")]) == 0
    settings = [word for text in SMALL for word in ("--set", text)]
    train = ["train", str(tmp_path / "s.h5ad"), "--split", str(tmp_path / "s.csv"), "--out", str(tmp_path / "m")]
    assert main([*train, "--steps", "2", "--unlisted", "leave-out", *settings]) == 0
    assert read_manifest(tmp_path / "m").simulated


def test_simulate_writes_a_file_that_check_accepts(tmp_path, capsys):
    assert main(["simulate", str(tmp_path / "s.h5ad"), "--cells", "2000", "--genes", "100", "--seed", "4"]) == 0
    assert "simulated" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "s.h5ad")]) == 0


def test_an_unwritable_place_gives_one_line(screen, capsys):
    assert generate(screen, "/proc/nowhere/a.h5ad") == 2
    told = capsys.readouterr().err
    assert "/proc/nowhere cannot be made" in told
    assert told.count("\n") == 1


@pytest.mark.slow
def test_a_model_too_large_for_the_memory_gives_one_line_and_leaves_nothing(screen, tmp_path, capsys):
    asked = ["train", str(screen / "data.h5ad"), "--split", str(screen / "split.csv"), "--recipe", "mlp-tiny"]
    assert main([*asked, "--set", "hidden=1000000", "--device", "cpu", "--out", str(tmp_path / "m")]) == 2
    told = capsys.readouterr().err
    assert "there was not enough memory for this" in told.splitlines()[-1]
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_installed_program_ends_with_its_status_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "primeflow_core", "check", str(tmp_path / "none.h5ad")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
