"""A covariate that is called like a column of the product's own tables and files stays a covariate in all of them."""

import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main

pytestmark = pytest.mark.slow

LABELS = (["control"] * 30 + ["A"] * 20 + ["B"] * 20) * 2
STATES = ["untreated"] * 70 + ["IFN"] * 70


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("called")
        patch.setenv("PRIMEFLOW_CACHE", str(folder / "cache"))
        counts = np.random.default_rng(0).poisson(4.0, (140, 15)).astype(np.float32)
        obs = pd.DataFrame({"perturbation": LABELS, "condition": STATES}, index=[f"c{i}" for i in range(140)])
        anndata.AnnData(counts, obs=obs).write_h5ad(folder / "screen.h5ad")
        data, split, model = (str(folder / name) for name in ("screen.h5ad", "split.csv", "model"))
        assert main(["split", data, "--task", "transfer", "--context", "IFN", "--out", split]) == 0
        train = ["train", data, "--split", split, "--recipe", "linear", "--steps", "20", "--out", model]
        assert main(train) == 0
        cells = str(folder / "cells.h5ad")
        assert main(["generate", "--model", model, "--held-out", "test", "--cells", "20", "--out", cells]) == 0
        yield folder


def test_predicted_cells_keep_label_and_covariate(place):
    obs = anndata.read_h5ad(place / "cells.h5ad").obs
    assert set(obs["condition"]) == {"IFN"}
    assert set(obs["perturbation"]) <= {"A", "B"}


def test_scores_and_baselines_name_both(place):
    out, baselines = place / "scores.csv", place / "baselines.csv"
    asked = ["--prediction", str(place / "cells.h5ad"), "--truth", str(place / "screen.h5ad"), "--resamples", "0"]
    split = ["--split", str(place / "split.csv"), "--baselines", str(baselines)]
    assert main(["evaluate", *asked, *split, "--out", str(out)]) == 0
    scores = pd.read_csv(out)
    assert set(scores["condition"][:-1]) <= {"A", "B"}
    assert set(scores["condition (covariate)"][:-1]) == {"IFN"}
    assert set(pd.read_csv(baselines)["condition (covariate)"].dropna()) == {"IFN"}


def test_card_ranking_and_report_take_it(place):
    model = str(place / "model")
    assert main(["card", "--model", model, "--cells", "20"]) == 0
    assert "IFN" in (place / "model" / "README.md").read_text()
    hits = place / "hits.csv"
    screen = ["screen", "--model", model, "--candidates", "all-singles", "--covariate", "condition=IFN"]
    assert main([*screen, "--cells", "20", "--out", str(hits)]) == 0
    ranked = pd.read_csv(hits)
    assert set(ranked["perturbation"]) == {"A", "B"}
    assert set(ranked["condition"]) == {"IFN"}
    assert main(["report", "--model", model, "--cells", "20", "--out", str(place / "report.html")]) == 0
