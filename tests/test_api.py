"""The Python interface reads, refuses and computes what the command line does, and leaves its inputs as they are."""

import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

import primeflow_core.api as pf
from primeflow_core.__main__ import main
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.errors import (
    CheckpointError,
    ConditionError,
    DataError,
    PrimeflowWarning,
    SettingError,
    StorageError,
)
from primeflow_core.screening.screen_file import read_screen

GENES = 14
HELD_OUT = ("A+B", "B+C", "A+D", "C+D")
LABELS = ("control", "A", "B", "C", "D", "A+B", "A+C", "A+D", "B+C", "B+D", "C+D")
CONTEXT = {"cell_type": "k562"}
QUIET = {"progress": False}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


def screen_of_counts(cells=40):
    """Counts in X and in a layer, text and numbers in obs, things of every kind beside them."""
    labels = [label for label in LABELS for _ in range(cells * (2 if label == "control" else 1))]
    rates = np.full((len(labels), GENES), 5.0)
    for row, label in enumerate(labels):
        for part in label.split("+") if label != "control" else ():
            first = 3 * "ABCD".index(part)
            rates[row, first : first + 3] *= 2.5
    counts = np.random.default_rng(0).poisson(rates).astype(np.float32)
    obs = pd.DataFrame(
        {"condition": labels, "cell_type": ["k562", "hek"] * (len(labels) // 2), "depth": counts.sum(1)},
        index=[f"cell {i}" for i in range(len(labels))],
    )
    var = pd.DataFrame({"symbol": [f"S{i}" for i in range(GENES)]}, index=[f"G{i}" for i in range(GENES)])
    adata = anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=var, uns={"note": {"by": "me"}})
    adata.raw = adata.copy()
    adata.layers["umi"] = adata.X.copy()
    adata.obsm["X_umap"] = np.zeros((len(labels), 2))
    return adata


def everything_in(adata):
    """All that an AnnData holds, as bytes."""
    held = (adata.X, adata.obs, adata.var, dict(adata.uns), dict(adata.obsm), dict(adata.layers), adata.raw.X)
    return [pickle.dumps(one) for one in (*held, adata.raw.var)]


@pytest.fixture(scope="module")
def adata():
    return screen_of_counts()


@pytest.fixture(scope="module")
def place(tmp_path_factory, adata):
    """The same cells as a file, with what the command line made of them."""
    folder = tmp_path_factory.mktemp("screen")
    adata.copy().write_h5ad(folder / "adata.h5ad")
    hold_out = [word for label in HELD_OUT for word in ("--hold-out", label)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PRIMEFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        named = ["split", str(folder / "adata.h5ad"), "--task", "named", *hold_out]
        assert main([*named, "--out", str(folder / "split.csv")]) == 0
        trained = ["train", str(folder / "adata.h5ad"), "--split", str(folder / "split.csv"), "--recipe", "linear"]
        assert main([*trained, "--out", str(folder / "model")]) == 0
    return folder


@pytest.fixture(scope="module")
def parts(adata):
    return pf.split(adata, "named", hold_out=HELD_OUT)


@pytest.fixture(scope="module")
def model(adata, parts, tmp_path_factory):
    return pf.train(adata, parts, recipe="linear", out=tmp_path_factory.mktemp("own") / "model", progress=False)


def test_an_anndata_in_memory_is_read_as_its_file_is(adata, place):
    in_memory, from_file = pf.read(adata), pf.read(place / "adata.h5ad")
    assert in_memory.sha256 == from_file.sha256 == sha256_of(place / "adata.h5ad")
    assert in_memory.reading == from_file.reading
    assert str(in_memory.report) == str(from_file.report)
    np.testing.assert_array_equal(in_memory.cells.dense(), from_file.cells.dense())
    assert (in_memory.n_obs, in_memory.n_vars) == adata.shape
    assert list(in_memory.obs_names) == list(adata.obs_names)
    assert list(in_memory.var_names) == list(adata.var_names)


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, np.asarray])
def test_views_and_every_kind_of_matrix_are_read(adata, form, tmp_path):
    dense = adata.X.toarray()
    view = anndata.AnnData(form(dense) if form is not np.asarray else dense, obs=adata.obs, var=adata.var)[::2]
    assert view.is_view
    found = pf.read(view)
    view.copy().write_h5ad(tmp_path / "adata.h5ad")
    assert found.sha256 == sha256_of(tmp_path / "adata.h5ad")
    assert found.n_obs == view.n_obs
    assert view.is_view


def test_a_backed_anndata_is_read(place):
    backed = anndata.read_h5ad(place / "adata.h5ad", backed="r")
    assert pf.read(backed).n_obs == backed.n_obs
    backed.file.close()


def test_what_the_command_says_the_report_says(adata, place, capsys):
    assert main(["check", str(place / "adata.h5ad")]) == 0
    report = pf.check(adata)
    said, _, tasks = capsys.readouterr().out.partition("  What can be held out:\n")
    assert str(report) == said.rstrip("\n")
    assert [task.text for task in report.tasks if task.text not in tasks] == []
    assert [task.name for task in report.tasks if task.possible] == ["combo", "transfer", "named"]
    assert report.ready
    frame = report.to_frame()
    assert list(frame.columns) == ["severity", "code", "text", "remedy"]
    assert frame["code"].tolist() == [problem.code for problem in report.problems]


def test_choices_are_taken_and_problems_are_the_commands(adata, place, capsys):
    other = adata.copy()
    other.obs = other.obs.rename(columns={"condition": "guide"}).replace({"guide": {"control": "nobody"}})
    report = pf.check(other, condition="guide", control="nobody", separator="+", covariates=["cell_type"], layer="umi")
    assert report.reading.layout.condition == "guide"
    assert report.reading.repair.matrix == "layers/umi"
    assert pf.check(adata, raw=True).reading.repair.matrix == "raw/X"
    with pytest.raises(DataError) as refused:
        pf.read(place / "adata.h5ad", control="nothing")
    assert main(["check", str(place / "adata.h5ad"), "--control", "nothing"]) == 2
    assert str(refused.value) in capsys.readouterr().err
    assert not pf.check(adata, control="nothing").ready


def test_a_warning_of_the_file_is_a_python_warning(adata):
    other = adata.copy()
    other.obs["condition"] = other.obs["condition"].astype(str)
    other.obs.loc[other.obs_names[:10], "condition"] = "vehicle"
    with pytest.warns(PrimeflowWarning) as said:
        pf.read(other)
    assert any("could be one too" in str(one.message) for one in said)
    assert {one.filename for one in said} == {__file__}


def test_what_is_no_data_is_refused(tmp_path):
    with pytest.raises(DataError, match="not list"):
        pf.read([1, 2])
    with pytest.raises(DataError, match="does not exist"):
        pf.read(tmp_path / "none.h5ad")
    strange = screen_of_counts(4)
    strange.uns["strange"] = object()
    with pytest.raises(DataError, match=r"cannot be written as \.h5ad"):
        pf.read(strange)


def test_no_room_for_an_anndata_is_said_before_anything_is_written(adata, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(StorageError, match="TMPDIR"):
        pf.read(adata)
    assert list(tmp_path.rglob("*.h5ad")) == []


def test_the_read_cells_are_an_anndata_again(adata):
    found = pf.read(adata)
    back = found.to_anndata()
    assert back.obs["condition"].tolist() == adata.obs["condition"].tolist()
    back.X.data[:] = 0
    assert found.cells.values.sum() > 0
    again = pf.read(found.to_anndata(), covariates=[])
    np.testing.assert_array_equal(again.cells.dense(), found.cells.dense())


@pytest.mark.parametrize("task", ["combo", "named", "transfer", "cells"])
def test_a_split_is_the_commands_byte_by_byte(tmp_path, task):
    adata = screen_of_counts(240 if task == "cells" else 40)
    adata.copy().write_h5ad(tmp_path / "adata.h5ad")
    hold_out = HELD_OUT if task == "named" else ()
    words = [word for label in hold_out for word in ("--hold-out", label)]
    asked = ["split", str(tmp_path / "adata.h5ad"), "--task", task, "--seed", "7", *words]
    assert main([*asked, "--out", str(tmp_path / "theirs.csv")]) == 0
    series = pf.split(adata, task, seed=7, hold_out=hold_out, out=tmp_path / "ours.csv")
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()
    written = pd.read_csv(tmp_path / "ours.csv", index_col="cell")["split"]
    pd.testing.assert_series_equal(series, written, check_names=False)
    assert {one["perturbation"] for one in series.attrs["held_out"]} >= set(hold_out)
    assert series.index.equals(pf.read(adata).obs_names)


def test_a_split_says_what_it_cannot_do(adata, tmp_path):
    with pytest.raises(SettingError, match="--hold-out"):
        pf.split(adata, "named")
    with pytest.raises(SettingError, match="not a task of a split"):
        pf.split(adata, "random")
    with pytest.raises(DataError, match="no perturbed cells of 'Z'"):
        pf.split(adata, "named", hold_out="Z")
    with pytest.raises(SettingError, match="csv"):
        pf.split(adata, "named", hold_out="A+B", out=tmp_path / "split.txt")


def test_a_model_is_the_commands(model, place):
    theirs = pf.load(place / "model")
    ours = model.manifest
    for name in ("settings", "genes", "trained_on", "tested_on", "data_sha256", "reading", "sampling", "dataset"):
        assert getattr(ours, name) == getattr(theirs.manifest, name), name
    assert model.conditions().equals(theirs.conditions())
    assert set(model.conditions().query("part == 'test'")["perturbation"]) == set(HELD_OUT)
    assert "recipe linear" in repr(model)


def test_a_split_as_table_and_as_file_give_the_same_model(adata, place, parts, tmp_path, model):
    table = parts.rename("split").rename_axis("cell").reset_index()
    for i, given in enumerate((table, place / "split.csv", parts.sample(frac=1, random_state=0))):
        found = pf.train(pf.read(adata), given, recipe="additive", out=tmp_path / str(i), progress=False)
        assert found.manifest.trained_on == model.manifest.trained_on


def test_training_refuses_as_the_command_does(adata, parts, tmp_path, model):
    with pytest.raises(SettingError, match="already holds a model"):
        pf.train(adata, parts, recipe="linear", out=model.folder, progress=False)
    with pytest.raises(SettingError, match="There is no recipe"):
        pf.train(adata, parts, recipe="magic", out=tmp_path / "m", progress=False)
    with pytest.raises(SettingError, match="minutes"):
        pf.train(adata, parts, out=tmp_path / "m", minutes=0, progress=False)
    with pytest.raises(DataError, match="does not name"):
        pf.train(adata, parts[:-5], recipe="linear", out=tmp_path / "m", progress=False)
    with pytest.raises(SettingError, match="columns cell and split"):
        pf.train(adata, parts.to_frame(), recipe="linear", out=tmp_path / "m", progress=False)
    with pytest.raises(CheckpointError):
        pf.load(tmp_path)


def test_training_without_a_split_chooses_one_and_warns_of_it(adata, tmp_path):
    with pytest.warns(PrimeflowWarning, match="No split given: chosen by train, seed 0. Held out: "):
        model = pf.train(adata, recipe="linear", steps=2, out=tmp_path / "m", progress=False)
    assert model.manifest.provenance["split"].startswith("No split given: chosen by train")


def test_predicted_cells_are_the_commands(model, place, tmp_path):
    given = ["--perturbation", "A+B", "--covariate", "cell_type=k562", "--cells", "30", "--seed", "3"]
    out = tmp_path / "cells.h5ad"
    assert main(["generate", "--model", str(place / "model"), *given, "--out", str(out)]) == 0
    theirs = anndata.read_h5ad(out)
    ours = pf.load(place / "model").generate("A+B", covariates=CONTEXT, cells=30, seed=3, progress=False)
    np.testing.assert_array_equal(ours.X, theirs.X)
    np.testing.assert_array_equal(ours.obsm["X_pca"], theirs.obsm["X_pca"])
    assert ours.uns["provenance"] == theirs.uns["provenance"]
    assert ours.obs.astype(str).equals(theirs.obs.astype(str))
    both = pf.generate(model, ["A", "A+B"], covariates=CONTEXT, cells=30, seed=3, progress=False)
    np.testing.assert_array_equal(both.X[30:], ours.X)
    assert both.obs["condition"].tolist() == ["A"] * 30 + ["A+B"] * 30


def test_generate_refuses_what_it_cannot_predict(model):
    with pytest.raises(ConditionError, match="--covariate cell_type="):
        model.generate("A", progress=False)
    with pytest.raises(ConditionError):
        model.generate("ZZ", covariates=CONTEXT, progress=False)
    with pytest.raises(SettingError, match="one of the two"):
        model.generate("A", held_out="test", progress=False)
    with pytest.raises(SettingError, match="'val' or 'test'"):
        model.generate(held_out="train", progress=False)


@pytest.fixture(scope="module")
def predicted(model):
    return model.generate(held_out="test", cells=40, progress=False)


@pytest.mark.slow
def test_an_evaluation_is_the_commands(predicted, adata, parts, place, tmp_path):
    predicted.write_h5ad(tmp_path / "cells.h5ad")
    files = {name: tmp_path / f"{name}.csv" for name in ("out", "bounds", "baselines")}
    asked = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    inputs = ["--prediction", str(tmp_path / "cells.h5ad"), "--truth", str(place / "adata.h5ad")]
    assert main(["evaluate", *inputs, "--split", str(place / "split.csv"), *asked]) == 0
    found = pf.evaluate(predicted, adata, split=parts, baselines=True)
    for name, table in (("out", found.scores), ("bounds", found.bounds), ("baselines", found.baselines.scores)):
        assert table.to_csv(index=False) == files[name].read_text(), name
    assert found.scores["condition"].tolist()[-1] == "mean"
    with pytest.raises(SettingError, match="--split"):
        pf.evaluate(predicted, adata, baselines=True)
    with pytest.raises(SettingError, match="not said again"):
        pf.evaluate(predicted, pf.read(adata), control="control")


def test_what_evaluate_says_aside_is_a_warning(predicted, adata, parts):
    with pytest.warns(PrimeflowWarning, match="not scored"):
        pf.evaluate(predicted, adata[:-80].copy(), split=parts, resamples=0)


SCREEN = {"covariates": CONTEXT, "parts": ["A", "B", "C", "D"], "cells": 12, "seed": 1}


@pytest.mark.slow
def test_a_screen_is_the_commands(model, place, adata, tmp_path):
    asked = [
        "--candidates",
        "all-pairs",
        "--parts",
        "A,B,C,D",
        "--covariate",
        "cell_type=k562",
        "--cells",
        "12",
        "--seed",
        "1",
    ]
    given = ["--model", str(place / "model"), "--data", str(place / "adata.h5ad")]
    assert main(["screen", *given, *asked, "--out", str(tmp_path / "hits.parquet")]) == 0
    theirs = read_screen(tmp_path / "hits.parquet")
    for ours in (
        pf.load(place / "model").screen("all-pairs", **SCREEN, data=adata, **QUIET),
        model.screen("all-pairs", **SCREEN, **QUIET),
    ):
        pd.testing.assert_frame_equal(ours.table, theirs.table)
        pd.testing.assert_frame_equal(ours.next, theirs.next)
        assert json.dumps(ours.trust.to_json()) == json.dumps(theirs.trust.to_json())
    assert len(theirs.table) == 6


@pytest.mark.slow
def test_candidates_are_labels_tables_or_files(model, tmp_path):
    table = pd.DataFrame({"perturbation": ["A+B", "A+C", "B+D"]})
    table.to_csv(tmp_path / "list.csv", index=False)
    kept = tmp_path / "hits.parquet"
    first = model.screen(table, cells=12, out=kept, **QUIET)
    for given in (["A+B", "A+C", "B+D"], tmp_path / "list.csv"):
        pd.testing.assert_frame_equal(model.screen(given, cells=12, **QUIET).table, first.table)
    with pytest.warns(PrimeflowWarning, match="nothing was computed again"):
        again = model.screen(table, cells=12, out=kept, **QUIET)
    pd.testing.assert_frame_equal(again.table, first.table)


def test_screen_refuses_as_the_command_does(model, adata, tmp_path):
    with pytest.raises(SettingError, match="--goal target needs"):
        model.screen(goal="target", **QUIET)
    with pytest.raises(SettingError, match="noise-seeds"):
        model.screen(noise_seeds=1, **QUIET)
    with pytest.raises(SettingError, match="parquet"):
        model.screen(out=tmp_path / "hits.csv", **QUIET)
    with pytest.raises(DataError, match="is not the file that"):
        model.screen(data=adata[:-1].copy(), **QUIET)


@pytest.mark.slow
def test_a_benchmark_is_the_commands(adata, parts, place, tmp_path):
    given = ["--recipes", "linear,additive", "--seeds", "2", "--cells", "20"]
    files = [str(place / "adata.h5ad"), "--split", str(place / "split.csv")]
    assert main(["benchmark", *files, *given, "--out", str(tmp_path / "theirs")]) == 0
    ours = tmp_path / "ours"
    table = pf.benchmark(adata, parts, recipes=["linear", "additive"], seeds=2, cells=20, out=ours, **QUIET)
    theirs = pd.read_csv(tmp_path / "theirs" / "benchmark.csv")
    timed = [name for name in theirs if "seconds" in name or "minutes" in name]
    pd.testing.assert_frame_equal(
        table.drop(columns=timed).reset_index(drop=True), theirs.drop(columns=timed), check_dtype=False
    )
    assert isinstance(table.attrs["notes"], list)


@pytest.mark.slow
def test_a_card_is_written_from_what_the_model_learned_from(adata, parts, tmp_path):
    own = pf.train(adata, parts, recipe="linear", out=tmp_path / "model", progress=False)
    text = own.card(cells=20)
    assert text == (tmp_path / "model" / "README.md").read_text()
    assert "primeflow_core.api.train(recipe='linear'" in text
    with pytest.raises(DataError, match="was looked for by its content"):
        pf.load(tmp_path / "model").card(cells=20)


@pytest.mark.slow
def test_inputs_and_the_process_stay_as_they_were(adata, tmp_path, capfd):
    given, table = adata.copy(), pd.DataFrame({"perturbation": ["A+B", "C+D"]})
    environment, folder = dict(os.environ), os.getcwd()
    before = everything_in(given)
    states = pickle.dumps((random.getstate(), np.random.get_state())), torch.get_rng_state()
    threads, listed = torch.get_num_threads(), table.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = pf.read(given)
        parts = pf.split(given, "named", hold_out=HELD_OUT)
        split_before = parts.copy()
        settings = {"channels": 16, "channel_mult": [1, 2], "attention_at": [2], "heads": 2, "gene_features": 8}
        model = pf.train(given, parts, out=tmp_path / "m", steps=3, settings=settings, device="cpu", progress=False)
        made = model.generate(held_out="test", cells=30, progress=False)
        made_before = [pickle.dumps(one) for one in (made.X, made.obs, dict(made.uns))]
        pf.evaluate(made, given, split=parts)
        model.screen(table, covariates=CONTEXT, cells=12, **QUIET)
    assert everything_in(given) == before
    assert [pickle.dumps(one) for one in (made.X, made.obs, dict(made.uns))] == made_before
    pd.testing.assert_series_equal(parts, split_before)
    pd.testing.assert_frame_equal(table, listed)
    assert pickle.dumps((random.getstate(), np.random.get_state())) == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])
    assert (dict(os.environ), os.getcwd(), torch.get_num_threads()) == (environment, folder, threads)
    assert capfd.readouterr() == ("", "")
    place = data.held.file.path.parent
    assert place.is_dir()
    del data
    assert not place.exists()


def test_progress_is_shown_unless_it_is_not_wanted(model, capfd):
    model.generate("A", covariates=CONTEXT, cells=5)
    assert "cells × solver steps" in capfd.readouterr().err
    model.generate("A", covariates=CONTEXT, cells=5, progress=False)
    assert capfd.readouterr().err == ""


def test_importing_loads_nothing_slow():
    slow = "import sys, primeflow_core.api; print([m for m in ('torch', 'scanpy', 'matplotlib', 'dask.distributed', "
    slow += "'umap', 'streamlit', 'optuna', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
