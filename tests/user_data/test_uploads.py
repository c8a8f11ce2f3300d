import errno
import gzip
import io
import os

import h5py
import numpy as np
import pytest

from primeflow_core.errors import DataError
from primeflow_core.user_data import uploads
from primeflow_core.user_data.uploads import (
    data_file,
    data_files,
    file_of_sha,
    forget,
    keep,
    shown_name,
    speaking_of,
    upload_folder,
)
from tests.own_files import brought, counts, sent, table


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRIMEFLOW_DATA", raising=False)


def stored():
    return sorted(file.name for file in upload_folder().iterdir()) if upload_folder().is_dir() else []


def test_an_upload_is_kept_under_its_content_and_found_again(tmp_path):
    path = brought(tmp_path)
    kept = keep(sent(path), "../../etc/my cells.h5ad")
    assert kept.name == "my cells.h5ad"
    assert stored() == [f"{kept.sha256}.h5ad"]
    assert kept.path.read_bytes() == path.read_bytes()
    assert file_of_sha(kept.sha256) == kept.path
    assert keep(sent(path), "again.h5ad").path == kept.path
    forget(kept.sha256)
    assert stored() == []
    assert file_of_sha(kept.sha256) is None
    forget(kept.sha256)


@pytest.mark.parametrize("sha256", ["", "../" * 20 + "x" * 4, "A" * 64, "0" * 63])
def test_only_a_checksum_names_an_upload(tmp_path, sha256):
    keep(sent(brought(tmp_path)), "cells.h5ad")
    assert file_of_sha(sha256) is None


def test_what_is_no_anndata_is_refused_by_the_name_of_its_owner_and_not_kept():
    with pytest.raises(DataError) as refused:
        keep(io.BytesIO(gzip.compress(b"x")), "cells.h5ad")
    assert str(refused.value).startswith("cells.h5ad, unpacked: cells is in no format that is read here.")
    assert "partial" not in str(refused.value)
    with pytest.raises(DataError, match=r"In Python: adata\.write_h5ad\('cells\.h5ad'\)"):
        keep(io.BytesIO(b"gene,cell"), "cells.csv")
    assert stored() == []


def test_what_is_too_large_is_refused(tmp_path, monkeypatch):
    path = brought(tmp_path)
    monkeypatch.setattr(uploads, "MOST_BYTES", 100)
    with pytest.raises(DataError, match=r"cells\.h5ad is too large to upload"):
        keep(sent(path), "cells.h5ad")
    assert stored() == []


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    names = tuple(f"g{i}" for i in range(25_000))
    path = brought(tmp_path, np.zeros((400, len(names)), np.float32), table(["control"] * 400), names)
    with h5py.File(path, "a") as file:
        del file["X"]
        file.create_dataset("X", data=np.ones((400, len(names)), "i1"), compression="gzip")
    assert path.stat().st_size < 2_000_000
    monkeypatch.setattr(uploads, "MOST_BYTES_UNPACKED", 100_000_000)
    with pytest.raises(DataError, match=r"takes 0\.2 GB of memory or more when it is read; 0\.1 GB is the most"):
        keep(sent(path), "cells.h5ad")
    assert stored() == []


def test_the_oldest_uploads_go_first(tmp_path):
    first = keep(sent(brought(tmp_path)), "a.h5ad")
    second = keep(sent(brought(tmp_path, 2 * np.log1p(counts()))), "b.h5ad")
    for age, kept in ((200, second), (100, first)):
        os.utime(kept.path, (1_000_000 - age, 1_000_000 - age))
    third = keep(
        sent(brought(tmp_path, 3 * np.log1p(counts()))), "c.h5ad", most_kept=2 * first.path.stat().st_size + 500
    )
    assert stored() == sorted(kept.path.name for kept in (first, third))
    last = keep(sent(brought(tmp_path, 4 * np.log1p(counts()))), "d.h5ad", most_kept=1)
    assert stored() == [last.path.name]


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a.h5ad", "a.h5ad"), ("C:\\x\\a.h5ad", "a.h5ad"), ("/", "cells.h5ad"), ("a\n\x00b.h5ad", "ab.h5ad")],
)
def test_a_name_is_only_its_last_part(given, shown):
    assert shown_name(given) == shown


def test_without_a_data_folder_there_is_nothing_to_choose():
    assert data_files() == ()
    with pytest.raises(DataError, match=r"no a\.h5ad in the data folder"):
        data_file("a.h5ad")


def test_files_of_the_data_folder_are_chosen_by_name_and_never_outside_it(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    (folder / "lab").mkdir(parents=True)
    inside = brought(folder / "lab")
    outside = brought(tmp_path)
    (folder / "out.h5ad").symlink_to(outside)
    (folder / "in.h5ad").symlink_to(inside)
    monkeypatch.setenv("PRIMEFLOW_DATA", str(folder))
    assert data_files() == ("in.h5ad", "lab/cells.h5ad")
    found = data_file("lab/cells.h5ad")
    assert found.path == inside
    assert file_of_sha(found.sha256, "lab/cells.h5ad") == inside
    assert file_of_sha(found.sha256, "elsewhere.h5ad") is None
    for name in ("out.h5ad", "../cells.h5ad", str(outside)):
        with pytest.raises(DataError, match="in the data folder"):
            data_file(name)


def test_what_cannot_be_written_is_said_with_the_folder(tmp_path, monkeypatch):
    content = sent(brought(tmp_path))
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cells\.h5ad cannot be kept in .*uploads \(.+\)\. Free space there"):
        keep(content, "cells.h5ad")
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "other"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "_write", full)
    with pytest.raises(DataError, match="No space left on device"):
        keep(content, "cells.h5ad")


@pytest.mark.parametrize("text", ["{path} is cut short", "{path.name} is cut short", "write_h5ad('{path.stem}.h5ad')"])
def test_a_file_of_a_subfolder_is_named_once(tmp_path, text):
    path = tmp_path / "sub" / "a.h5ad"
    with pytest.raises(DataError) as told, speaking_of(path, "sub/a.h5ad"):
        raise DataError(text.format(path=path))
    assert str(told.value).count("sub/") == 1
    assert str(tmp_path) not in str(told.value)
