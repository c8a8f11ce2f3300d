import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.reading import examine, inspect, read_cells
from primeflow_core.data.h5ad.scale import Scale
from primeflow_core.data.h5ad.storage import opened
from primeflow_core.data.h5ad.value_range import value_range
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError

FORMS = [np.asarray, sp.csr_matrix, sp.csc_matrix]


def counts(cells=90, genes=40):
    draw = np.random.default_rng(0)
    depth = draw.uniform(0.3, 2.0, (cells, 1))
    return draw.poisson(depth * draw.gamma(0.6, 3.0, genes)).astype(np.float32)


def shares(total=1e4):
    found = counts()
    return found / found.sum(axis=1, keepdims=True) * total


def save(folder, x):
    obs = pd.DataFrame({"condition": ["control", "A", "B"] * 30}, index=[f"c{i}" for i in range(90)])
    path = folder / "d.h5ad"
    anndata.AnnData(x, obs=obs).write_h5ad(path)
    return path


VALUES = {
    "fractions of each cell": (shares(1.0), Scale.LINEAR, {"linear"}),
    "per ten thousand, small": (shares(10.0), Scale.LINEAR, {"linear"}),
    "log1p of parts per ten thousand": (np.log1p(shares()), Scale.LOG, set()),
    "log1p of parts per million": (np.log1p(shares(1e6)), Scale.LOG, set()),
    "log2": (np.log2(1 + shares()), Scale.LOG, {"log2"}),
    "log1p of counts": (np.log1p(counts()), Scale.LOG, {"log-of-counts"}),
    "log2 of counts": (np.log2(1 + counts()), Scale.LOG, {"log-of-counts"}),
    "log1p, some of the genes": (np.log1p(shares())[:, ::2], Scale.LOG, set()),
    "fractions, some of the genes": (shares(10.0)[:, ::2], Scale.LINEAR, {"linear"}),
    "log1p with three decimals": (np.log1p(shares()).round(3), Scale.LOG, set()),
    "square roots": (np.sqrt(counts()), Scale.LOG, {"scale-unclear"}),
    "scaled without centring": (
        np.log1p(shares()) / np.maximum(np.log1p(shares()).std(axis=0), 1e-9),
        Scale.SCALED,
        {"scaled"},
    ),
    "counts": (counts(), Scale.COUNTS, {"counts"}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_the_scale_is_found_from_the_sums_and_steps_of_the_cells(tmp_path, name, form):
    x, scale, codes = VALUES[name]
    found = inspect(save(tmp_path, form(x.astype(np.float32))))
    assert found.scale is scale
    assert {problem.code for problem in found.problems} == codes


@pytest.mark.parametrize("name", ["log1p of parts per ten thousand", "square roots", "scaled without centring"])
def test_normalise_told_explicitly_wins_with_a_warning(tmp_path, name):
    path = save(tmp_path, VALUES[name][0].astype(np.float32))
    found = inspect(path, normalise=True)
    assert found.ready
    assert any(p.severity is Severity.WARNING and "as you say" in str(p) for p in found.problems)
    assert read_cells(path, normalise=True).reading.repair.normalise is True


def test_values_below_zero_are_not_normalised_whatever_is_said(tmp_path):
    with pytest.raises(DataError, match="the data are scaled"):
        read_cells(save(tmp_path, counts() - 1.0), normalise=True)


def repeated(x):
    """CSR with every entry stored twice, half its value each time."""
    once = sp.csr_matrix(x / 2)
    return sp.csr_matrix((np.repeat(once.data, 2), np.repeat(once.indices, 2), once.indptr * 2), shape=once.shape)


@pytest.mark.parametrize("turned", [False, True])
def test_repeated_entries_are_added_up_before_anything_is_judged(tmp_path, turned):
    x = counts()
    stored = repeated(x.T).T if turned else repeated(x)
    path = save(tmp_path, stored)
    with h5py.File(path) as file:
        assert file["X/data"].shape[0] == 2 * np.count_nonzero(x)
    found = inspect(path)
    assert found.scale is Scale.COUNTS
    assert found.highest == x.max()
    assert found.zeros == pytest.approx((x == 0).mean())


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("form", FORMS)
def test_the_range_does_not_depend_on_the_blocks(tmp_path, monkeypatch, form, block):
    x = np.log1p(shares()).astype(np.float32)
    monkeypatch.setattr("primeflow_core.data.h5ad.storage.BLOCK", block)
    path = save(tmp_path, form(x))
    with opened(path) as file:
        found = value_range(file, path)
    assert (found.lowest, found.highest, found.nonzero) == (0.0, x.max(), np.count_nonzero(x))
    assert found.form == "natural"


def test_starts_of_cells_that_cannot_be_are_refused(tmp_path):
    path = save(tmp_path, sp.csr_matrix(counts()))
    with h5py.File(path, "a") as file:
        file["X/indptr"][3] = 10**9
    with pytest.raises(DataError, match="points outside the matrix"):
        examine(path, Wishes(), Repair())


def test_scaled_values_name_the_other_matrices_of_the_file(tmp_path):
    x = np.log1p(shares())
    scaled = anndata.AnnData(x - x.mean(axis=0), layers={"logged": x})
    scaled.obs["condition"] = ["control", "A", "B"] * 30
    scaled.raw = anndata.AnnData(x[:, :20])
    scaled.write_h5ad(tmp_path / "d.h5ad")
    (problem,) = inspect(tmp_path / "d.h5ad").problems
    assert problem.remedy == "The file has other values too: read them with --raw or --layer logged."
