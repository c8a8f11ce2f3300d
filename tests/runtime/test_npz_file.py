"""Arrays of an .npz file: plain ones are read, whatever else stands in it is a DataError."""

import io
import zipfile

import numpy as np
import pytest

from primeflow_core.errors import DataError
from primeflow_core.runtime.npz_file import read_arrays


def written(path, **arrays):
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
    given = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.zeros((0, 4), np.float16)}
    found = read_arrays(written(tmp_path / "a.npz", **given))
    assert list(found) == list(given)
    for name, array in given.items():
        np.testing.assert_array_equal(found[name], array)


def test_what_unpacks_to_much_is_refused(tmp_path):
    path = written(tmp_path / "a.npz", a=np.zeros(10_000_000))
    assert path.stat().st_size < 200_000
    with pytest.raises(DataError, match=r"unpacks to 0\.1 GB"):
        read_arrays(path, 50_000_000)


def test_objects_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.npy describes"):
        read_arrays(written(tmp_path / "a.npz", a=np.array([{}, []], dtype=object)))


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
    path = written(tmp_path / "a.npz", a=np.random.default_rng(0).random(500), b=np.array("x"))
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
