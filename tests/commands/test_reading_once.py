"""How a file is read is said once: the split keeps it, the model keeps it, and later commands take it from there."""

import json
import shutil

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from primeflow_core.__main__ import main
from primeflow_core.data.h5ad.writing import read_provenance
from primeflow_core.data.split_record import read_record
from primeflow_core.models.checkpoint import read_manifest
from primeflow_core.screening.target_file import TargetFile, read_target

SAID = ["--condition", "guide", "--covariates", "line", "--control", "nobody", "--separator", "_", "--layer", "umi"]
LABELS = ("nobody", "G1", "G2", "G3", "G1_G2", "G1_G3", "G2_G3")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


def counts_of(labels, genes=12, seed=0):
    draw = np.random.default_rng(seed)
    rates = np.full((len(labels), genes), 4.0)
    for row, label in enumerate(labels):
        for part in label.split("_") if label != "nobody" else ():
            rates[row, int(part[1]) * 3 : int(part[1]) * 3 + 3] *= 3
    return draw.poisson(rates).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Counts in a layer, other words for everything: nothing here is found without being told."""
    folder = tmp_path_factory.mktemp("mine own")
    labels = [label for label in LABELS for _ in range(30)]
    x = counts_of(labels)
    obs = pd.DataFrame({"guide": labels, "line": ["l1"] * len(labels)}, index=[f"c {i}" for i in range(len(labels))])
    var = pd.DataFrame(index=[f"G{i}" for i in range(x.shape[1])])
    adata = anndata.AnnData(sp.csr_matrix(x / 7 - 1), obs=obs, var=var, layers={"umi": sp.csr_matrix(x)})
    adata.write_h5ad(folder / "screen.h5ad")
    return folder


@pytest.fixture(scope="module")
def model(place, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PRIMEFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        split = ["split", str(place / "screen.h5ad"), "--task", "named", "--hold-out", "G1_G2", "--hold-out", "G1_G3"]
        assert main([*split, "--out", str(place / "split.csv"), *SAID]) == 0
        train = ["train", str(place / "screen.h5ad"), "--split", str(place / "split.csv"), "--recipe", "linear"]
        assert main([*train, "--out", str(place / "model")]) == 0
    return place / "model"


def test_the_model_read_the_file_as_the_split_did(place, model):
    record, manifest = read_record(place / "split.csv"), read_manifest(model)
    assert record is not None
    assert record.reading.layout.separator == "_"
    assert record.reading.repair.matrix == "layers/umi"
    assert manifest.layout == record.reading.layout
    assert manifest.reading.repair == record.reading.repair
    assert manifest.reading.repair.total == np.median(counts_of([label for label in LABELS for _ in range(30)]).sum(1))


def test_the_card_finds_the_file_and_reads_it_as_the_training_did(model, capsys):
    assert main(["card", "--model", str(model), "--cells", "20"]) == 0
    assert "G1+G2" in json.dumps(json.loads((model / "metrics.json").read_text()))


def evaluated(place, model, out, truth, *more):
    cells = out.with_suffix(".h5ad")
    made = ["generate", "--model", str(model), "--held-out", "test", "--cells", "40", "--out", str(cells)]
    assert main(made) == 0
    arguments = ["evaluate", "--prediction", str(cells), "--truth", str(truth), "--out", str(out)]
    return main([*arguments, *more])


def test_evaluate_reads_the_truth_as_the_model_did_without_an_option(place, model, tmp_path):
    assert evaluated(place, model, tmp_path / "m.csv", place / "screen.h5ad", "--split", str(place / "split.csv")) == 0
    table = pd.read_csv(tmp_path / "m.csv")
    assert set(table["condition"]) == {"G1_G2", "G1_G3", "mean"}
    assert table["rmse_mean"].iloc[-1] < 0.3
    assert read_provenance(tmp_path / "m.h5ad")["trained_reading"]["repair"]["matrix"] == "layers/umi"


def test_counts_of_another_file_are_brought_to_the_total_of_the_model(place, model, tmp_path, capsys):
    labels = ["nobody"] * 40 + ["G1+G2"] * 40
    obs = pd.DataFrame({"condition": labels}, index=[f"d{i}" for i in range(80)]).replace("nobody", "control")
    x = counts_of([label.replace("+", "_") for label in labels], seed=1)
    other = anndata.AnnData(3 * x, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(12)]))
    other.write_h5ad(tmp_path / "truth.h5ad")
    assert evaluated(place, model, tmp_path / "m.csv", tmp_path / "truth.h5ad") == 0
    assert "holds counts: read as the prediction's model read its own" in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "m.csv")["rmse_mean"].iloc[-1] < 0.3


def test_a_target_in_counts_is_brought_to_the_total_of_the_model(place, model, tmp_path, capsys):
    """Other genes of the file, of which the model knows nothing, change nothing."""
    x, path = counts_of(["G1_G2"] * 20, seed=2), tmp_path / "state.h5mu"
    names = pd.DataFrame(index=[f"G{i}" for i in range(12)] + ["OTHER1", "OTHER2"])
    parts = {
        "one": anndata.AnnData(np.hstack([3 * x, np.full((20, 2), 50, np.float32)]), var=names),
        "two": anndata.AnnData(np.ones((20, 3), np.float32)),
    }
    mudata.MuData(parts).write(path)
    asked = ["screen", "--model", str(model), "--candidates", "all-singles", "--goal", "target", "--cells", "10"]
    asked += ["--target-data", str(path), "--out", str(tmp_path / "hits.parquet")]
    assert main(asked) == 2
    assert "Choose one, for instance: --modality" in capsys.readouterr().err
    assert main([*asked, "--modality", "one"]) == 0
    manifest, said = read_manifest(model), capsys.readouterr().err
    total = manifest.reading.repair.total
    assert f"log1p at a total of {total:,.6g}, over the 12 of 12 model genes" in said
    assert "Modality 'one' is read. Not read: two" in said
    found = read_target(TargetFile(path, "one"), manifest, lambda _: None)
    np.testing.assert_allclose(np.expm1(found).sum(axis=1), total, rtol=1e-5)
    np.testing.assert_allclose(found, np.log1p(x / x.sum(axis=1, keepdims=True) * total), rtol=1e-5)


def test_an_option_beats_what_was_kept_and_another_column_starts_anew(place, tmp_path, capsys):
    arguments = ["train", str(place / "screen.h5ad"), "--split", str(place / "split.csv"), "--recipe", "linear"]
    assert main([*arguments, "--out", str(tmp_path / "m"), "--control", "nothing"]) == 2
    assert "No cell of obs column 'guide' is labelled 'nothing'" in capsys.readouterr().err
    assert main([*arguments, "--out", str(tmp_path / "m"), "--condition", "line"]) == 2
    assert "No control label in obs column 'line'" in capsys.readouterr().err


def test_a_split_of_another_file_does_not_say_how_this_one_is_read(place, tmp_path, capsys):
    adata = anndata.read_h5ad(place / "screen.h5ad")
    adata.obs["extra"] = 1
    adata.write_h5ad(tmp_path / "other.h5ad")
    arguments = ["train", str(tmp_path / "other.h5ad"), "--split", str(place / "split.csv"), "--recipe", "linear"]
    assert main([*arguments, "--out", str(tmp_path / "m")]) == 2
    said = capsys.readouterr().err
    assert "was made for another file (screen.h5ad)" in said
    assert "No obs column says" in said


def test_a_model_whose_file_is_gone_says_where_it_was_looked_for(place, model, tmp_path, capsys, monkeypatch):
    moved = tmp_path / "model"
    shutil.copytree(model, moved)
    monkeypatch.chdir(tmp_path)
    assert main(["card", "--model", str(moved)]) == 2
    said = capsys.readouterr().err
    assert "The file that model was trained on (screen.h5ad) was looked for by its content" in said
    assert said.rstrip().endswith("Name it with --data.")
