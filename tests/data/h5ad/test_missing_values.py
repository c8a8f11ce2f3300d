import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.reading import inspect, read_cells
from primeflow_core.errors import DataError

LABELS = ["control"] * 20 + ["A"] * 20 + ["B"] * 20


def save(folder, labels=LABELS, **columns):
    counts = np.random.default_rng(0).poisson(5.0, (len(labels), 6)).astype(np.float32)
    counts[:, 0] = np.arange(len(labels))
    obs = pd.DataFrame({"condition": labels, **columns}, index=[f" c{i}" for i in range(len(labels))])
    path = folder / "d.h5ad"
    anndata.AnnData(counts, obs=obs).write_h5ad(path)
    return path


def warning(found, code="set-aside"):
    return next(str(p) for p in found.problems if p.code == code and p.severity is Severity.WARNING)


@pytest.mark.parametrize(
    "word",
    ["nan", "NA", "N/A", "None", "null", "unassigned", "Unknown", "multiplet", "DOUBLET", "negative", "ambiguous",
     "no guide", "no_guide", "", None],
)  # fmt: skip
def test_cells_with_a_word_for_no_perturbation_are_set_aside_with_their_values_and_names(tmp_path, word):
    path = save(tmp_path, [*LABELS[:30], word, word, *LABELS[30:]])
    found = inspect(path)
    assert found.ready
    assert [(one.column, one.cells) for one in found.set_aside] == [("condition", 2)]
    assert "2 cells have no value in obs column 'condition'" in warning(found)
    assert (repr(word) if word else "empty 2") in warning(found)
    cells = read_cells(path)
    assert len(cells) == 60
    assert [condition.label for condition in cells.conditions] == ["control", "A", "B"]
    assert cells.names.tolist() == [f" c{i}" for i in range(62) if i not in (30, 31)]
    assert cells.values.shape[0] == len(cells.condition_of) == 60
    whole = read_cells(save(tmp_path, [*LABELS[:30], "A", "A", *LABELS[30:]]), control="control")
    kept = [i for i in range(62) if i not in (30, 31)]
    ranks = [np.argsort(np.argsort(one[:, 0])) for one in (cells.dense(), whole.dense(kept))]
    np.testing.assert_array_equal(*ranks)


@pytest.mark.parametrize("value", [None, "nan", "NA"])
def test_a_cell_without_a_context_is_set_aside_and_the_contexts_stay_apart(tmp_path, value):
    contexts = ["k562", "rpe1"] * 30
    contexts[7] = value
    found = inspect(save(tmp_path, cell_type=contexts))
    assert found.layout.covariates == ("cell_type",)
    assert found.contexts == ("k562", "rpe1")
    assert "1 cell has no value in obs column 'cell_type'" in warning(found)


def test_none_is_a_value_of_a_covariate(tmp_path):
    found = inspect(save(tmp_path, treatment=["none", "IFN"] * 30))
    assert found.contexts == ("none", "IFN")
    assert not found.set_aside


@pytest.mark.parametrize("word", ["negative", "None"])
def test_a_word_that_is_told_to_be_the_control_is_the_control(tmp_path, word):
    labels = [word if label == "control" else label for label in LABELS]
    path = save(tmp_path, labels)
    assert not inspect(path).ready
    assert inspect(path, control=word).control_cells == 20


def test_a_file_that_would_lose_most_of_its_cells_is_refused(tmp_path):
    path = save(tmp_path, ["control"] * 10 + ["A"] * 10 + ["unassigned"] * 40)
    with pytest.raises(DataError, match="40 of 60 cells have no value in obs column 'condition': more than half"):
        read_cells(path)
