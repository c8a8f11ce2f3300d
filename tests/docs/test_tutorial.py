"""The tutorial runs from top to bottom, shows what its text speaks of, and is stored with what it shows."""

import json

import anndata
import pandas as pd
import pytest

from docs.run_tutorial import MOST_LINES, NOTEBOOK, run_cells, with_outputs

MOST_BYTES = 40_000


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_tutorial_runs_and_leads_to_ranked_candidates(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    names = {}
    shown = "\n".join(run_cells(notebook, names))
    for said in ("No obs column says", "named by you", "sum-of-singles", "held-out combinations", "rank_low"):
        assert said in shown, said
    ranked = pd.read_csv(tmp_path / "ranked.csv")
    assert list(ranked["rank"]) == list(range(1, 16))
    assert anndata.read_h5ad(tmp_path / "predicted.h5ad").n_obs == names["predicted"].n_obs
    assert names["again"].conditions().equals(names["model"].conditions())


def test_the_notebook_is_small_and_every_cell_was_run(notebook):
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell["outputs"]) for cell in cells) >= len(cells) - 2
    assert NOTEBOOK.stat().st_size < MOST_BYTES


def test_outputs_are_kept_cell_by_cell():
    source = {"cell_type": "code", "source": ["a = 1\n", "print(a)\n", "a + 1"], "outputs": [], "execution_count": None}
    text = {"cell_type": "markdown", "source": ["no code"]}
    long = {"cell_type": "code", "source": [f"print('\\n' * {MOST_LINES})\nb = a"]}
    names = {}
    found = with_outputs({"cells": [text, source, long]}, run_cells({"cells": [text, source, long]}, names))
    assert found["cells"][1]["outputs"][0]["text"] == ["1\n", "2\n"]
    assert len(found["cells"][2]["outputs"][0]["text"]) == MOST_LINES
    assert names["b"] == 1
