"""Arrays come back, and what is damaged, swollen or holds objects is refused before memory is taken."""

import io
import zipfile

import numpy as np
import pytest

from primeflow_core.errors import DataError
from primeflow_core.runtime import array_file
from primeflow_core.runtime.array_file import read_arrays


def stored(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def of_header(path, header):
    """An array whose header says what it likes, with few bytes after it."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.zeros(4))
    content = stream.getvalue()
    size = int.from_bytes(content[8:10], "little")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content[:10] + header.encode().ljust(size - 1) + b"\n" + content[10 + size :])
    return path


def test_arrays_come_back(tmp_path):
    path = stored(tmp_path / "a.npz", x=np.arange(6.0).reshape(2, 3), text=np.array("ä"), none=np.zeros((0, 3)))
    found = read_arrays(path)
    assert found["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (str(found["text"]), found["none"].shape) == ("ä", (0, 3))


def test_an_array_that_says_it_is_larger_than_it_is_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        packed.writestr("x.npy", header.getvalue() + bytes(8))
    with pytest.raises(DataError, match=r"x\.npy is not an array of 8 bytes"):
        read_arrays(tmp_path / "a.npz")


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(array_file, "MOST_BYTES", 1 << 20)
    with pytest.raises(DataError, match="larger than 0 GiB when it is unpacked"):
        read_arrays(stored(tmp_path / "a.npz", x=np.zeros(1 << 20)))


def test_objects_are_never_unpickled(tmp_path):
    with pytest.raises(DataError, match="is not an array of"):
        read_arrays(stored(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object)))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text", b"\x00" * 500])
def test_damage_is_named(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"it is not an \.npz file of this program"):
        read_arrays(tmp_path / "a.npz")


def test_packed_bytes_that_are_damaged_are_named(tmp_path):
    path = stored(tmp_path / "a.npz", x=np.random.default_rng(0).random(500))
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"it is not an \.npz file of this program"):
        read_arrays(path)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-4,), }",
        "{'descr': '<q9', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f8', 'shape': (4,)",
        "((((((((",
        "'''",
    ],
)
def test_a_wrong_header_is_refused(tmp_path, header):
    with pytest.raises(DataError):
        read_arrays(of_header(tmp_path / "a.npz", header))


def test_every_damage_is_a_data_error(tmp_path):
    path = stored(tmp_path / "a.npz", a=np.random.default_rng(0).random(500), b=np.array("x"))
    whole, draws = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        content = bytearray(whole)
        for at in draws.integers(0, len(content), draws.integers(1, 9)):
            content[at] = draws.integers(256)
        path.write_bytes(content[: draws.integers(1, len(content) + 1)] if draws.random() < 0.2 else content)
        try:
            read_arrays(path)
        except DataError:
            refused += 1
    assert refused > 300
