"""Labels that people write in many ways are read alike by check, split, train and evaluate."""

import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main
from primeflow_core.data.split_record import read_record
from primeflow_core.models.checkpoint import read_manifest

CELLS = {
    "NTC_1": 30,
    "NTC_2": 30,
    "safe_a": 20,
    "G1_1": 20,
    "G1_2": 20,
    "G2_1": 20,
    "G2_2": 20,
    "G3_1": 40,
    "doublet": 9,
}
ASKED = ["--control", "NTC_1", "--control", "safe_*", "--merge-guides"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


@pytest.fixture
def screen(tmp_path):
    labels = [label for label, cells in CELLS.items() for _ in range(cells)]
    counts = np.random.default_rng(0).poisson(4.0, (len(labels), 12)).astype(np.float32)
    obs = pd.DataFrame({"guide_id": labels}, index=[f"c{i}" for i in range(len(labels))])
    anndata.AnnData(counts, obs=obs).write_h5ad(tmp_path / "screen.h5ad")
    return tmp_path / "screen.h5ad"


def test_check_says_what_is_joined_merged_and_set_aside(screen, capsys):
    assert main(["check", str(screen), "--condition", "guide_id", *ASKED]) == 0
    told = capsys.readouterr().out
    assert "guide_id (3 conditions)" in told
    assert "(80 cells)" in told
    assert "NTC_1 (30), NTC_2 (30), safe_a (20)" in told
    assert "9 cells have no value in obs column 'guide_id' ('doublet' 9) and are set aside" in told


def test_split_and_train_read_it_so_and_the_model_keeps_it(screen, tmp_path, capsys):
    out, model = tmp_path / "split.csv", tmp_path / "model"
    split = ["split", str(screen), "--task", "named", "--hold-out", "G3", "--condition", "guide_id", *ASKED]
    assert main([*split, "--out", str(out)]) == 0
    assert "set aside" in capsys.readouterr().err
    assert len(pd.read_csv(out)) == sum(CELLS.values()) - 9
    layout = read_record(out).reading.layout
    assert layout.control_labels == ("NTC_1", "safe_*")
    assert layout.guides
    assert main(["train", str(screen), "--split", str(out), "--recipe", "linear", "--out", str(model)]) == 0
    manifest = read_manifest(model)
    assert manifest.layout == layout
    assert {condition.label for condition in manifest.trained_on} == {"control", "G1", "G2"}
    made = ["generate", "--model", str(model), "--perturbation", "G1", "--cells", "30"]
    assert main([*made, "--out", str(tmp_path / "p.h5ad")]) == 0
    scored = ["evaluate", "--prediction", str(tmp_path / "p.h5ad"), "--truth", str(screen)]
    assert main([*scored, "--out", str(tmp_path / "scores.csv")]) == 0
    assert "G1" in (tmp_path / "scores.csv").read_text()
