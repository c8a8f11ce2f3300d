"""Each format read as the same cells as from an .h5ad, by every command, and the files that cannot be read."""

import hashlib
import io
import pickle

import h5py
import hdf5plugin
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main
from primeflow_core.data.formats import compression, converted_files
from primeflow_core.data.formats.local_file import as_h5ad, noted_table
from primeflow_core.data.h5ad import filters, storage
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.reading import examine, read_cells, read_mended
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError
from primeflow_core.user_data import uploads
from primeflow_core.user_data.file_checklist import checklist
from primeflow_core.user_data.user_cells import Fixes
from tests.data.formats.written import GENES, LABELS, WRITTEN, csv_of_cells, h5ad, h5mu, mtx_folder, screen, zarr_store
from tests.own_files import manifest

FORMATS = pytest.mark.parametrize("name", WRITTEN)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


@pytest.fixture
def data(tmp_path, name):
    (tmp_path / "data").mkdir()
    return WRITTEN[name](tmp_path / "data")


@FORMATS
def test_every_format_gives_the_cells_of_the_h5ad(tmp_path, data):
    (tmp_path / "plain").mkdir()
    plain, cells = read_cells(h5ad(tmp_path / "plain")), read_cells(data)
    np.testing.assert_allclose(cells.dense(), plain.dense(), rtol=1e-6)
    assert cells.genes == plain.genes
    assert cells.names.tolist() == plain.names.tolist()
    assert [c.label for c in cells.conditions] == [c.label for c in plain.conditions]
    assert cells.condition_of.tolist() == plain.condition_of.tolist()
    assert cells.source == data.name
    if data.is_file():
        assert cells.sha256 == hashlib.sha256(data.read_bytes()).hexdigest()


@pytest.mark.slow
@FORMATS
def test_every_command_takes_every_format(tmp_path, data, capsys):
    """check, split, train, evaluate (as truth and as prediction), screen --target-data."""
    assert main(["check", str(data)]) == 0, capsys.readouterr().err
    assert f"{data.name}: {len(LABELS)} cells, {len(GENES)} genes" in capsys.readouterr().out
    split, model = tmp_path / "split.csv", tmp_path / "model"
    assert main(["split", str(data), "--task", "named", "--hold-out", "KLF1+CEBPA", "--out", str(split)]) == 0
    train = ["train", str(data), "--split", str(split), "--recipe", "linear", "--steps", "2", "--out", str(model)]
    assert main(train) == 0, capsys.readouterr().err
    scores = tmp_path / "scores.csv"
    assert main(["evaluate", "--prediction", str(data), "--truth", str(data), "--out", str(scores)]) == 0
    assert pd.read_csv(scores)["rmse_mean"].abs().max() < 1e-6
    ranked = [
        "screen",
        "--model",
        str(model),
        "--goal",
        "target",
        "--target-data",
        str(data),
        "--candidates",
        "all-singles",
    ]
    assert main(["card", "--model", str(model), "--cells", "10"]) == 0  # finds the training file again
    assert main([*ranked, "--cells", "20", "--out", str(tmp_path / "ranked.csv")]) == 0, capsys.readouterr().err


@FORMATS
def test_an_upload_in_every_format_is_kept_and_checked(data, name):
    if data.is_dir():
        pytest.skip("a folder is uploaded as a zip or tar")
    if name in (
        "10x h5",
        "10x h5 of CellRanger 2",
        "one mtx",
        "csv, cells × genes",
        "tsv.gz, genes × cells",
        "txt of R",
    ):
        pytest.skip("its labels are another file: uploaded together as a zip")
    kept = uploads.keep(io.BytesIO(data.read_bytes()), data.name)
    assert kept.name == data.name
    assert read_cells(kept.path).sha256 == kept.sha256
    found = checklist(kept, Fixes(), manifest())
    assert found.inspection is not None
    assert found.inspection.cells == len(LABELS)
    assert all(kept.path.name not in row.text for row in found.rows)


def test_it_is_converted_once_and_read_from_the_cache(tmp_path):
    local = as_h5ad(zarr_store(tmp_path, 3))
    before = local.h5ad.stat().st_mtime_ns, local.h5ad.stat().st_ino
    assert as_h5ad(tmp_path / "v3.zarr").h5ad == local.h5ad
    assert local.h5ad.stat().st_ino == before[1]
    assert list(local.h5ad.parent.glob(".*")) == list(local.h5ad.parent.glob("unpacking-*")) == []


def test_the_oldest_conversion_goes_first(tmp_path, monkeypatch):
    first = as_h5ad(zarr_store(tmp_path, 2)).h5ad
    monkeypatch.setattr(converted_files, "MOST_KEPT", first.stat().st_size + 10)
    second = as_h5ad(h5mu(tmp_path)).h5ad
    assert second.is_file()
    assert not first.exists()


def test_a_changed_folder_is_converted_again(tmp_path):
    store = zarr_store(tmp_path, 2)
    first = as_h5ad(store)
    adata = screen()[::-1].copy()
    adata.write_zarr(store)
    assert as_h5ad(store).h5ad != first.h5ad
    assert read_cells(store).names[0] == "c61"


def test_features_that_are_not_genes_are_counted(tmp_path, capsys):
    assert main(["check", str(mtx_folder(tmp_path))]) == 0
    assert "10 genes are read. Set aside, since they are not genes: 2 Antibody Capture." in capsys.readouterr().out


def test_a_modality_is_named_or_chosen(tmp_path, capsys):
    path = h5mu(tmp_path)
    assert main(["check", str(path)]) == 0
    assert "Modality 'rna' is read. Not read: prot (62 cells × 3 features)." in capsys.readouterr().out
    assert as_h5ad(path, modality="prot").modality == "prot"
    with pytest.raises(DataError, match=r"no modality 'x'.* rna \(62 cells × 10 features\)"):
        as_h5ad(path, modality="x")
    with h5py.File(path, "r+") as file:
        file.move("mod/rna", "mod/one")
    with pytest.raises(DataError, match=r"2 modalities.*--modality prot|2 modalities.*--modality one"):
        as_h5ad(path)


def test_a_named_modality_is_kept_with_the_split(tmp_path):
    path, split = h5mu(tmp_path), tmp_path / "s.csv"
    with h5py.File(path, "r+") as file:
        file.move("mod/rna", "mod/one")
    told = ["split", str(path), "--task", "named", "--hold-out", "KLF1", "--modality", "one", "--out", str(split)]
    assert main(told) == 0
    model = ["train", str(path), "--split", str(split), "--recipe", "linear", "--out", str(tmp_path / "m")]
    assert main(model) == 0
    assert main(["card", "--model", str(tmp_path / "m"), "--cells", "10"]) == 0


def test_a_table_of_cells_joins_any_format_and_is_found_again(tmp_path, capsys):
    path, table, split = h5ad(tmp_path), tmp_path / "more.tsv", tmp_path / "s.csv"
    frame = screen().obs.assign(batch="b1").rename(columns={"condition": "guide"}).iloc[2:]
    frame.to_csv(table, sep="\t")
    assert main(["check", str(path), "--metadata", str(table), "--condition", "guide"]) == 0
    told = capsys.readouterr().out
    assert "WARNING: 60 of the 62 cells have a row in more.tsv (no row: c0, c1); 0 of its 60 rows name no cell" in told
    assert "2 cells have no value in obs column 'guide'" in told
    given = [
        "split",
        str(path),
        "--task",
        "named",
        "--hold-out",
        "KLF1",
        "--metadata",
        str(table),
        "--condition",
        "guide",
    ]
    assert main([*given, "--out", str(split)]) == 0
    assert main(["train", str(path), "--split", str(split), "--recipe", "linear", "--out", str(tmp_path / "m")]) == 0
    table.unlink()
    capsys.readouterr()
    assert main(["card", "--model", str(tmp_path / "m")]) == 2
    assert "--metadata FILE" in capsys.readouterr().err


def test_a_table_of_other_cells_is_refused_with_counts(tmp_path):
    path, table = h5ad(tmp_path), tmp_path / "other.csv"
    screen().obs.set_axis([f"x{at}" if at > 9 else f"c{at}" for at in range(62)], axis=0).to_csv(table)
    with pytest.raises(DataError, match=r"only 10 of the 62 cells have a row in other\.csv.*52 of its 62 rows name"):
        as_h5ad(path, metadata=noted_table(table))


def test_a_csv_without_labels_says_where_they_go(tmp_path):
    path = csv_of_cells(tmp_path)
    (tmp_path / "cells.obs.csv").unlink()
    with pytest.raises(DataError, match=r"called cells\.obs\.csv, or name it: --metadata FILE"):
        read_cells(path)


def test_a_word_among_numbers_is_named(tmp_path):
    path = csv_of_cells(tmp_path)
    frame = pd.concat([pd.read_csv(path, index_col=0)] * 5).set_axis([f"c{at}" for at in range(310)], axis=0)
    pd.DataFrame({"condition": LABELS * 5}, index=frame.index).to_csv(tmp_path / "cells.obs.csv")
    frame = frame.astype(object)
    frame.loc["c305", "MYC"] = "high"
    frame.to_csv(path)
    with pytest.raises(DataError, match="'high' in row 'c305', column 'MYC' is not a number"):
        read_cells(path)


def test_repeated_gene_names_of_10x_are_numbered(tmp_path):
    place = mtx_folder(tmp_path)
    features = pd.read_csv(place / "features.tsv.gz", sep="\t", header=None)
    features.loc[1, 1] = "GATA1"
    features.to_csv(place / "features.tsv.gz", sep="\t", header=False, index=False)
    found = examine(place, Wishes(), Repair())
    assert found.genes[:2] == ("GATA1", "GATA1-1")
    assert any(one.code == "numbered-genes" and one.severity is Severity.NOTE for one in found.inspection.problems)


REFUSED = {
    "lfs.h5ad": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
    "s.rds": (b"X\n\x00\x00\x00\x03", r'In R: zellkonverter::writeH5AD\(.*readRDS\("s\.rds"\)\), "s\.h5ad"\)'),
    "p.pkl": (pickle.dumps({"a": 1}), "pickle, which is never loaded"),
    "w.h5ad": (b"<!DOCTYPE html><html></html>", "is a web page"),
    "e.h5ad": (b"", "is an empty file"),
    "g.h5ad.gz": (b"\x1f\x8b\x08\x00\x00\x00", "cut short or damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_data_is_named(tmp_path, name, capsys):
    content, said = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_cells(tmp_path / name)
    assert main(["check", str(tmp_path / name)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_packed_file_is_not_unpacked_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "MOST_UNPACKED", 1000)
    with pytest.raises(DataError, match="unpacks to more than"):
        compression.unpack(WRITTEN["h5ad.gz"](tmp_path), "cells.h5ad.gz", tmp_path)


def test_a_member_outside_its_archive_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../x.csv", "a")
        archive.writestr("y.csv", "a")
    with pytest.raises(DataError, match="written elsewhere"):
        read_cells(tmp_path / "a.zip")
    assert not (tmp_path / "x.csv").exists()


def test_a_spreadsheet_is_named(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(DataError, match=r"a\.xlsx is a spreadsheet. Save it as csv"):
        read_cells(tmp_path / "a.xlsx")


def test_a_filter_that_is_not_here_is_named_with_its_package(tmp_path, monkeypatch):
    path = tmp_path / "z.h5ad"
    screen().write_h5ad(path, **hdf5plugin.Zstd())
    assert len(read_cells(path).names) == len(LABELS)
    monkeypatch.setattr(filters, "_is_here", lambda number: number != 32015)
    said = r"packed with zstd \(HDF5 filter 32015\).*pip install hdf5plugin"
    with pytest.raises(DataError, match=said), storage.opened(path):
        pass


def test_values_that_their_filter_cannot_unpack_are_named_with_it(tmp_path):
    path = tmp_path / "z.h5ad"
    screen().write_h5ad(path, **hdf5plugin.Zstd())
    with h5py.File(path, "r+") as file:
        stored = file["X/data"].id
        stored.write_direct_chunk((0,), b"not packed" * 20)
    said = r"z\.h5ad is damaged: X is packed with zstd \(HDF5 filter 32015\), which cannot unpack what is there"
    with pytest.raises(DataError, match=said):
        read_cells(path)


def test_a_file_that_is_open_for_writing_is_named(tmp_path):
    path = h5ad(tmp_path)
    with h5py.File(path, "r+"), pytest.raises(DataError, match="is open for writing in another program"):
        read_cells(path)


def test_a_truncated_store_and_matrix_are_damaged(tmp_path):
    store = zarr_store(tmp_path, 2)
    chunk = max(
        (file for file in (store / "X/data").rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(DataError, match=r"v2\.zarr is not complete or damaged"):
        read_cells(store)
    place = mtx_folder(tmp_path)
    matrix = place / "matrix.mtx.gz"
    matrix.write_bytes(matrix.read_bytes()[:200])
    with pytest.raises(DataError, match="is cut short or damaged"):
        read_cells(place)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("part", ["X/data", "X/indices", "X/indptr", "obs/_index"])
def test_a_chunk_that_cannot_be_left_out_is_missed(tmp_path, version, part):
    store = zarr_store(tmp_path, version)
    next(file for file in (store / part).rglob("*") if is_chunk(file)).unlink()
    with pytest.raises(DataError, match=rf"cells\.zarr|v{version}\.zarr.*: 1 of 1 chunk of {part} is missing"):
        read_cells(store)


def is_chunk(file):
    return file.is_file() and not file.name.startswith((".z", "zarr"))


@pytest.mark.parametrize("version", [2, 3])
def test_a_chunk_that_may_be_left_out_is_counted(tmp_path, version):
    """Zarr leaves out chunks of zeros, so that nobody can tell them from chunks that were lost."""
    store = zarr_store(tmp_path, version, dense=True)
    next(file for file in (store / "X").rglob("*") if is_chunk(file)).unlink()
    (note,) = as_h5ad(store).notes
    assert note.severity is Severity.WARNING
    assert "1 of 1 chunk of X" in note.text
    assert not as_h5ad(zarr_store(tmp_path, 5 - version)).notes


def test_columns_of_zeros_are_counted_too(tmp_path):
    adata = screen()
    adata.obs["batch"] = pd.Categorical(["b1"] * adata.n_obs)
    adata.write_zarr(tmp_path / "one.zarr")
    (note,) = as_h5ad(tmp_path / "one.zarr").notes
    assert note.severity is Severity.NOTE
    assert "obs/batch" in note.text


def test_an_archive_with_a_member_without_a_name_is_damaged(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.csv", "a")
    content = (tmp_path / "a.zip").read_bytes().replace(b"x.csv", b"\0.csv")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="cut short or damaged"):
        read_cells(tmp_path / "a.zip")


def test_files_of_a_folder_are_listed_but_not_what_is_inside_a_store(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    zarr_store(folder, 3)
    csv_of_cells(folder)
    monkeypatch.setenv("PRIMEFLOW_DATA", str(folder))
    assert uploads.data_files() == ("cells.csv", "v3.zarr")
    assert read_mended(uploads.data_file("v3.zarr").path, Wishes(), Repair()).source == "v3.zarr"


def test_the_given_file_is_never_changed(tmp_path):
    path = h5ad(tmp_path)
    before = path.read_bytes()
    table = tmp_path / "t.csv"
    screen().obs.assign(batch="b").to_csv(table)
    as_h5ad(path, metadata=noted_table(table))
    assert path.read_bytes() == before
