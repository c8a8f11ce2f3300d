import gzip
import json
import pickle

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp

from primeflow_core.data.h5ad.reading import inspect, read_as, read_cells, read_mended
from primeflow_core.data.h5ad.scale import Scale, log_normalised
from primeflow_core.data.h5ad.survey import surveyed
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.h5ad.writing import as_anndata, read_provenance, sha256_of, write_anndata
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError

LABELS = ["control", "A", "B", "A+B"] * 12
CONTEXTS = ["k562"] * 24 + ["hap1"] * 24


def values(cells=48, genes=5):
    """Half zeros, the rest on the log scale."""
    draw = np.random.default_rng(0)
    return (draw.uniform(0.1, 3.0, (cells, genes)) * (draw.random((cells, genes)) < 0.5)).astype(np.float32)


def frame(labels=LABELS, contexts=CONTEXTS):
    index = [f"c{i}" for i in range(len(labels))]
    return pd.DataFrame({"condition": labels, "cell_type": contexts[: len(labels)]}, index=index)


def save(path, x=None, obs=None, genes=("g0", "g1", "g2", "g3", "g4")):
    obs = frame() if obs is None else obs
    x = values(len(obs), len(genes)) if x is None else x
    adata = anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=pd.Index(list(genes))))
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix, lambda x: np.asarray(x, dtype=np.float64)])
def test_cells_are_read_whatever_form_the_matrix_has(tmp_path, form):
    path = save(tmp_path / "d.h5ad", form(values()))
    cells = read_cells(path)
    assert sp.issparse(cells.values)
    assert cells.values.format == "csr"
    assert cells.values.dtype == np.float32
    np.testing.assert_array_equal(cells.dense(), values())
    assert cells.genes == ("g0", "g1", "g2", "g3", "g4")
    assert cells.names[:2].tolist() == ["c0", "c1"]
    assert cells.layout == Layout("condition", ("cell_type",))
    assert [c.label for c in cells.conditions[:4]] == ["control", "A", "B", "A+B"]
    assert [c.context for c in cells.condition_list([0, 47])] == ["k562", "hap1"]
    assert cells.source == "d.h5ad"
    assert cells.sha256 == sha256_of(path)


@pytest.mark.parametrize("name", ["not HDF5", "gzip", "zip", "pickle", "web page", "empty file", "unknown"])
def test_what_is_not_hdf5_is_named_by_its_looks(tmp_path, name):
    contents, said = {
        "not HDF5": (b"gene,cell\nA,1\n", r"is not a readable AnnData file \(it looks like text, for instance a csv"),
        "gzip": (gzip.compress(b"x"), ", unpacked: d is in no format that is read here"),
        "zip": (b"PK\x03\x04rest", "is cut short or damaged: it cannot be unpacked"),
        "pickle": (pickle.dumps({}), "is a Python pickle, which is never loaded"),
        "web page": (b"<!DOCTYPE html><html>", "is a web page"),
        "empty file": (b"", "is an empty file"),
        "unknown": (bytes(range(256)), r"is not a readable AnnData file \(it looks like something unknown"),
    }[name]
    path = tmp_path / "d.h5ad"
    path.write_bytes(contents)
    with pytest.raises(DataError, match=f"d.h5ad ?{said}"):
        read_cells(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*nothing\.h5ad"):
        inspect(tmp_path / "nothing.h5ad")
    with pytest.raises(DataError, match=r"is a folder, and neither a \.zarr store nor"):
        inspect(tmp_path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, kept):
    path = save(tmp_path / "d.h5ad")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match=r"d\.h5ad is cut short or damaged"):
        inspect(path)


def test_hdf5_that_is_no_anndata_says_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "d.h5ad", "w") as file:
        file["counts"] = np.ones(3)
    with pytest.raises(DataError, match="is HDF5 but not AnnData: obs, var missing, it holds counts"):
        inspect(tmp_path / "d.h5ad")


def test_a_10x_file_gets_its_own_advice(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.create_group("matrix")
    with pytest.raises(DataError, match="looks like a 10x or loom file"):
        inspect(tmp_path / "d.h5")


def test_without_x_the_layers_are_listed(tmp_path):
    path = save(tmp_path / "d.h5ad")
    with h5py.File(path, "a") as file:
        file["layers/counts"] = np.ones((48, 5))
        del file["X"]
    with pytest.raises(DataError, match=r"d\.h5ad has no X\. Its values can be read with --layer counts\."):
        inspect(path)
    assert read_mended(path, Wishes(), Repair(matrix="layers/counts", normalise=True)).dense().shape == (48, 5)


def test_an_empty_x_beside_raw_is_read_from_raw_with_its_own_genes(tmp_path):
    counts = values()
    path = save(tmp_path / "d.h5ad", counts)
    adata = anndata.read_h5ad(path)
    adata.raw = anndata.AnnData(counts[:, ::-1], var=pd.DataFrame(index=list("vwxyz")))
    adata.X = None
    adata.write_h5ad(path)
    with pytest.raises(DataError, match=r"X.*Its values can be read with --raw\."):
        inspect(path)
    cells = read_mended(path, Wishes(), Repair(matrix="raw/X"))
    assert cells.genes == tuple("vwxyz")
    np.testing.assert_array_equal(cells.dense(), counts[:, ::-1])
    assert cells.reading.repair.matrix == "raw/X"


def test_a_link_to_another_file_is_refused(tmp_path):
    save(tmp_path / "secret.h5ad")
    path = save(tmp_path / "d.h5ad")
    with h5py.File(path, "a") as file:
        del file["X"]
        file["X"] = h5py.ExternalLink(str(tmp_path / "secret.h5ad"), "X")
    with pytest.raises(DataError, match="takes 'X' from another file"):
        inspect(path)


def test_a_link_deep_in_a_table_is_refused(tmp_path):
    save(tmp_path / "secret.h5ad")
    path = save(tmp_path / "d.h5ad")
    with h5py.File(path, "a") as file:
        del file["obs/condition/categories"]
        file["obs/condition/categories"] = h5py.ExternalLink(str(tmp_path / "secret.h5ad"), "obs/condition/categories")
    with pytest.raises(DataError, match="takes 'obs/condition/categories' from another file"):
        inspect(path)


@pytest.mark.parametrize("form", ["raw bytes", "a virtual matrix"])
def test_values_kept_in_another_file_are_refused(tmp_path, form):
    secret = save(tmp_path / "secret.h5ad")
    path = save(tmp_path / "d.h5ad")
    with h5py.File(path, "a") as file:
        del file["X"]
        if form == "raw bytes":
            file.create_dataset("X", (48, 5), "u1", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        else:
            layout = h5py.VirtualLayout((48, 5), "f4")
            layout[:] = h5py.VirtualSource(str(secret), "X", (48, 5))
            file.create_virtual_dataset("X", layout)
    with pytest.raises(DataError, match="takes 'X' from another file"):
        inspect(path)


def test_indices_outside_the_matrix_are_refused(tmp_path):
    path = save(tmp_path / "d.h5ad", sp.csr_matrix(values()))
    with h5py.File(path, "a") as file:
        file["X/indices"][3] = 1_000_000
    with pytest.raises(DataError, match=r"d\.h5ad is damaged: X points outside the matrix"):
        read_cells(path)


def test_tables_of_another_length_than_x_are_refused(tmp_path):
    path = save(tmp_path / "d.h5ad")
    with h5py.File(path, "a") as file:
        del file["X"]
        file["X"] = values(47)
    with pytest.raises(DataError, match="X is 47 × 5, obs has 48 rows and var 5"):
        inspect(path)


@pytest.mark.parametrize(("cells", "genes"), [(0, 5), (48, 0)])
def test_an_empty_file_is_named(tmp_path, cells, genes):
    obs = frame(LABELS[:cells])
    path = save(tmp_path / "d.h5ad", np.zeros((cells, genes), np.float32), obs, [f"g{i}" for i in range(genes)])
    with pytest.raises(DataError, match=f"d.h5ad is empty: {cells} cells, {genes} genes"):
        read_cells(path)


def spoilt(value, cell=7, gene=3):
    x = values()
    x[cell, gene] = value
    return x


BROKEN = {
    "unknown column": ({}, {"covariates": ("batch",)}, "unknown-column", r"no obs column 'batch'\. --covariates"),
    "no condition": (
        {"obs": frame().rename(columns={"condition": "guide"})}, {}, "no-condition",
        r"No obs column says which perturbation a cell met\. Name it with --condition; there are: guide, cell_type",
    ),
    "no control": (
        {"obs": frame([label.replace("control", "C") for label in LABELS])}, {}, "no-control",
        r"No control label in obs column 'condition'; labels seen: C, A, B, A\+B\. .* with --control",
    ),
    "one condition": (
        {"obs": frame(["control"] * 48)}, {}, "one-condition", "one condition only: all cells are 'control'"
    ),
    "negative": ({"x": spoilt(-2.5)}, {}, "scaled", r"negative, down to -2\.5: the data are scaled\. Save the values"),
    "NaN": ({"x": spoilt(np.nan)}, {}, "not-a-number", "NaN or infinite.*first in cell c7, gene g3"),
    "NaN, sparse": ({"x": sp.csr_matrix(spoilt(np.nan))}, {}, "not-a-number", "first in cell c7, gene g3"),
    "NaN, by columns": ({"x": sp.csc_matrix(spoilt(np.nan))}, {}, "not-a-number", "first in cell c7, gene g3"),
    "infinite": ({"x": spoilt(np.inf)}, {}, "not-a-number", "first in cell c7, gene g3"),
    "counts": (
        {"x": np.full((48, 5), 8412.0)}, {"normalise": False}, "counts",
        r"whole numbers up to 8,412: counts\. Leave out --no-normalise",
    ),
    "not logged": ({"x": spoilt(1234.5)}, {}, "linear", r"up to 1,234\.5 with fractions.*Pass --normalise"),
    "all zero": ({"x": np.zeros((48, 5), np.float32)}, {}, "all-zero", "All values are zero"),
    "repeated genes": (
        {"genes": ("g0", "g1", "g1", "g3", "g3")}, {}, "repeated-genes",
        r"2 gene names are .* instance g1\. .*var_names_make_unique",
    ),
    "repeated cells": (
        {"obs": frame().set_axis(["c0", "c0", *(f"c{i}" for i in range(2, 48))])}, {}, "repeated-cells",
        r"1 cell name is.* c0\. .*obs_names_make_unique",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*names are not unique")
@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_found_by_inspect_and_refused_by_read_in_one_line(tmp_path, name):
    contents, wishes, code, message = BROKEN[name]
    path = save(tmp_path / "d.h5ad", **contents)
    found = inspect(path, **wishes)
    assert not found.ready
    assert code in [problem.code for problem in found.problems]
    with pytest.raises(DataError, match=message) as refusal:
        read_cells(path, **wishes)
    assert str(refusal.value).startswith("d.h5ad: ")
    assert "\n" not in str(refusal.value)


def test_inspect_describes_a_good_file(tmp_path):
    found = inspect(save(tmp_path / "d.h5ad"))
    assert found.ready
    assert {p.code for p in found.problems} == {"few-cells", "scale-unclear"}
    assert (found.cells, found.genes, found.scale) == (48, 5, Scale.LOG)
    assert found.layout == Layout("condition", ("cell_type",))
    assert (found.control_cells, found.conditions) == (12, 6)
    assert found.cells_of == {"control": 12, "A": 12, "B": 12, "A+B": 12}
    assert found.combinations == ("A+B",)
    assert found.contexts == ("k562", "hap1")
    assert found.zeros == pytest.approx((values() == 0).mean())
    assert found.highest == pytest.approx(values().max())
    told = json.loads(json.dumps(found.to_json()))
    assert told["ready"] is True
    assert told["layout"]["covariates"] == ["cell_type"]


@pytest.mark.filterwarnings("ignore:Some cells have zero counts")
def test_counts_are_normalised_on_request(tmp_path):
    counts = np.random.default_rng(1).poisson(3.0, (48, 5)).astype(np.float32)
    counts[0] = 0
    path = save(tmp_path / "d.h5ad", sp.csr_matrix(counts))
    expected = anndata.AnnData(sp.csr_matrix(counts))
    scanpy.pp.normalize_total(expected)
    scanpy.pp.log1p(expected)
    np.testing.assert_allclose(read_cells(path, normalise=True).dense(), expected.X.toarray(), rtol=1e-5)
    assert inspect(path, normalise=True).ready


def test_normalising_leaves_its_input_and_the_zeros_alone():
    counts = sp.csr_matrix(np.array([[0, 4], [2, 2], [0, 0]], dtype=np.float32))
    before = counts.toarray()
    found = log_normalised(counts)
    np.testing.assert_array_equal(counts.toarray(), before)
    np.testing.assert_allclose(found.toarray(), np.log1p([[0, 4], [2, 2], [0, 0]]), rtol=1e-6)
    assert found.nnz == counts.nnz


def test_the_layout_of_another_file_can_be_imposed(tmp_path):
    path = save(tmp_path / "d.h5ad")
    layout = Layout("condition", (), "control", None)
    cells = read_as(path, Reading(layout))
    assert cells.layout == layout
    assert "A+B" in [part.name for c in cells.conditions for part in c.perturbations]


def written(path, x=None, **more):
    x = values(4, 3) if x is None else x
    labels, said = ["B+A", "A", "control", "A"], {"seed": 0, "w": 1.5, "plan": {"steps": [1, 2]}, "none": None}
    adata = as_anndata(x, ("g0", "g1", "g2"), labels, {"cell_type": ["k562"] * 4}, said, **more)
    write_anndata(path, adata)
    return path


@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_written_cells_open_in_scanpy_and_read_back(tmp_path, form):
    path = written(tmp_path / "out.h5ad", form(values(4, 3)), names=list("wxyz"), extra_obs={"score": [1.0, 2, 3, 4]})
    adata = scanpy.read_h5ad(path)
    assert adata.obs["condition"].tolist() == ["B+A", "A", "control", "A"]
    assert adata.obs_names.tolist() == list("wxyz")
    assert adata.obs["score"].tolist() == [1, 2, 3, 4]
    assert read_provenance(path) == {"seed": 0, "w": 1.5, "plan": {"steps": [1, 2]}, "none": None}
    cells = read_cells(path, separator="+", covariates=("cell_type",))
    np.testing.assert_array_equal(cells.dense(), values(4, 3))
    assert cells.labels == ("B+A", "A", "control")
    assert cells.conditions[0].label == "A+B"


def test_writing_the_same_cells_gives_the_same_bytes_and_no_leftovers(tmp_path):
    one, two = written(tmp_path / "one.h5ad"), written(tmp_path / "two.h5ad")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.h5ad", "two.h5ad"]


def test_lengths_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(DataError, match="3 gene names for 5 columns"):
        written(tmp_path / "out.h5ad", values(4, 5))
    with pytest.raises(DataError, match="Column 'condition' has 4 values for 6 cells"):
        written(tmp_path / "out.h5ad", values(6, 3))
    assert not list(tmp_path.iterdir())


def test_a_file_without_provenance_gives_none(tmp_path):
    assert read_provenance(save(tmp_path / "d.h5ad")) == {}


def test_the_real_screen_is_read_as_it_is(mirror):
    cells = read_cells(mirror / "perturbench-devel.h5ad")
    assert cells.layout == Layout("condition", ("cell_type",), "control", "+", None, "perturbation_type")
    assert len(cells) == 5961
    assert len(cells.genes) == 500
    assert {kind for c, kind in zip(cells.conditions, cells.kinds, strict=True) if c.context == "k562"} == {"CRISPRa"}
    assert sum(len(c.perturbations) == 2 for c in cells.conditions) == 15


def test_the_real_immune_cells_are_counts_with_one_covariate(mirror):
    found = inspect(mirror / "kang18-ifnb-pbmc.h5ad")
    assert found.layout == Layout("group_id", ("cluster_id",), "ctrl", None)
    assert found.scale is Scale.COUNTS
    assert [problem.code for problem in found.problems] == ["left-out", "counts"]
    cells = read_cells(mirror / "kang18-ifnb-pbmc.h5ad", normalise=True)
    assert len(cells.conditions) == 10
    assert 0 < cells.values.max() < 10


def test_a_file_of_a_newer_anndata_says_so(tmp_path):
    path = save(tmp_path / "new.h5ad")
    with h5py.File(path, "a") as file:
        file["obs/condition"].attrs["encoding-type"] = "something-of-2030"
    with pytest.raises(DataError) as told:
        read_cells(path)
    assert str(told.value).startswith("new.h5ad was written by a newer AnnData than the one here: obs has a part")
    assert "something-of-2030" in str(told.value)
    assert "Update AnnData here" in str(told.value)


@pytest.mark.parametrize(("failure", "text"), [(NotImplementedError, "newer AnnData"), (AttributeError, "is damaged")])
def test_whatever_fails_in_the_reader_is_said_of_the_file(tmp_path, monkeypatch, failure, text):
    def fail(_):
        raise failure("dtype")

    monkeypatch.setattr("anndata.io.read_elem", fail)
    with pytest.raises(DataError, match=rf"^d\.h5ad .*{text}.*\(dtype\)"):
        surveyed(save(tmp_path / "d.h5ad"), "X", 10**9)


def test_text_that_was_stored_as_bytes_is_text(tmp_path):
    path = tmp_path / "bytes.h5ad"
    save(path)
    with h5py.File(path, "r+") as file:
        for table, name, texts in (
            ("obs", "condition", LABELS), ("obs", "_index", [f"c{i}" for i in range(48)]), ("var", "_index", "abcde"),
        ):  # fmt: skip
            del file[table][name]
            file[table][name] = np.array(list(texts), dtype="S9")
    cells = read_cells(path)
    assert cells.genes == tuple("abcde")
    assert cells.names[0] == "c0"
    assert {condition.label for condition in cells.conditions} == {"control", "A", "B", "A+B"}


def test_genes_called_by_numbers_are_warned_of_where_a_column_has_names(tmp_path):
    path = tmp_path / "numbered.h5ad"
    save(path, genes=("0", "1", "2", "3", "4"))
    assert "numbered-genes" not in {problem.code for problem in inspect(path).problems}
    adata = anndata.read_h5ad(path)
    adata.var["symbol"] = ["KLF1", "MYC", "TP53", "JUN", "FOS"]
    adata.write_h5ad(path)
    told = {problem.code: str(problem) for problem in inspect(path).problems}
    assert told["numbered-genes"] == (
        "Genes are called 0, 1, 2 …; var column 'symbol' has names for them (KLF1, MYC, TP53 …). "
        "In Python: adata.var_names = adata.var['symbol']."
    )
