"""Doses of a prediction and of the truth are compared in one unit, whatever each file writes."""

import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main

DRUGS = ["DMSO"] * 30 + ["a"] * 30 + ["b"] * 30


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))


def written(path, **doses):
    """90 cells with each drug at two doses: columns by name, each a function of whether the dose is the higher one."""
    counts = np.random.default_rng(0).poisson(4.0, (90, 12)) + np.arange(90)[:, None] % 2
    values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 50).astype(np.float32)
    columns = {name: [value(i % 2) for i in range(90)] for name, value in doses.items()}
    obs = pd.DataFrame({"drug": DRUGS} | columns, index=[f"c{i}" for i in range(90)])
    anndata.AnnData(values, obs=obs).write_h5ad(path)
    return str(path)


FILES = {
    "micromolar as text": {"dose": lambda high: "10 uM" if high else "1 uM"},
    "nanomolar as text": {"dose": lambda high: "10000 nM" if high else "1000 nM"},
    "nanomolar by a column": {"dose": lambda high: 10000.0 if high else 1000.0, "dose_unit": lambda _: "nM"},
    "micromolar by a column": {"dose": lambda high: 10.0 if high else 1.0, "dose_unit": lambda _: "uM"},
    "nanomolar by name": {"dose_nM": lambda high: 10000.0 if high else 1000.0},
}


def scored(folder, prediction, truth, capsys, *more):
    out = folder / "scores.csv"
    asked = ["evaluate", "--prediction", prediction, "--truth", truth, "--out", str(out), "--resamples", "0", *more]
    code = main(asked)
    told = capsys.readouterr().err
    return code, (pd.read_csv(out) if code == 0 else None), told


@pytest.mark.parametrize("truth", FILES)
@pytest.mark.parametrize("prediction", FILES)
def test_the_same_doses_in_two_units_are_the_same(tmp_path, capsys, prediction, truth):
    predicted = written(tmp_path / "p.h5ad", **FILES[prediction])
    code, scores, _ = scored(tmp_path, predicted, written(tmp_path / "t.h5ad", **FILES[truth]), capsys)
    assert code == 0
    assert len(scores) == 5
    assert scores["rmse_mean"].max() == pytest.approx(0.0, abs=1e-6)


def test_doses_without_a_unit_are_taken_to_be_in_that_of_the_truth_with_a_warning(tmp_path, capsys):
    predicted = written(tmp_path / "p.h5ad", dose=lambda high: 10 if high else 1)
    code, scores, told = scored(
        tmp_path, predicted, written(tmp_path / "t.h5ad", **FILES["micromolar as text"]), capsys
    )
    assert code == 0
    assert len(scores) == 5
    assert "p.h5ad: WARNING: The doses of 60 cells have no unit; they are taken to be in uM" in told


@pytest.mark.slow
def test_a_model_of_micromolar_is_scored_on_a_file_of_nanomolar(tmp_path, capsys):
    learned = written(tmp_path / "learned.h5ad", **FILES["micromolar by a column"])
    model, cells = str(tmp_path / "model"), str(tmp_path / "cells.h5ad")
    split = ["split", learned, "--task", "named", "--hold-out", "a@1", "--out", str(tmp_path / "split.csv")]
    assert main(split) == 0
    train = ["train", learned, "--split", str(tmp_path / "split.csv"), "--recipe", "linear", "--steps", "20"]
    assert main([*train, "--out", model]) == 0
    assert main(["generate", "--model", model, "--held-out", "test", "--cells", "30", "--out", cells]) == 0
    for name in ("nanomolar as text", "nanomolar by name", "micromolar as text"):
        code, scores, _ = scored(tmp_path, cells, written(tmp_path / "t.h5ad", **FILES[name]), capsys)
        assert code == 0
        assert scores["condition"].tolist() == ["a@1", "mean"]


@pytest.mark.slow
def test_predicted_cells_whose_column_was_renamed_are_refused_in_words(tmp_path, capsys):
    truth = written(tmp_path / "t.h5ad", **FILES["micromolar as text"])
    model, cells = str(tmp_path / "model"), tmp_path / "cells.h5ad"
    assert main(["train", truth, "--recipe", "linear", "--steps", "2", "--out", model]) == 0
    made = ["generate", "--model", model, "--perturbation", "a@1", "--cells", "9", "--out", str(cells)]
    assert main(made) == 0
    adata = anndata.read_h5ad(cells)
    adata.obs = adata.obs.rename(columns={"condition": "label"})
    adata.write_h5ad(cells)
    code, _, told = scored(tmp_path, str(cells), truth, capsys)
    assert code == 2
    assert "cells.h5ad has no obs column 'condition', by which it is read. It has: label, origin" in told
