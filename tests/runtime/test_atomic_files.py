"""Writing files: whole or not at all."""

import errno
import os
import pickle
from pathlib import Path

import pytest

from primeflow_core.errors import SettingError, StorageError
from primeflow_core.runtime.atomic_files import (
    check_can_write,
    remove_partial,
    replaced,
    write_json,
    write_text,
    write_with,
)


def test_a_file_takes_its_place_only_when_complete(tmp_path):
    def half(temporary):
        temporary.write_text("ne")
        raise ValueError("half")

    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")
    with pytest.raises(ValueError, match="half"):
        write_with(path, half)
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_a_written_file_is_as_readable_as_any_other(tmp_path):
    def privately(path):
        path.write_text("x")
        path.chmod(0o600)

    with replaced(tmp_path / "private") as temporary:
        privately(temporary)
    (tmp_path / "usual").write_text("x")
    assert (tmp_path / "private").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_json_is_sorted_so_that_the_same_content_gives_the_same_bytes(tmp_path):
    write_json(tmp_path / "a", {"b": 1, "a": 2})
    write_json(tmp_path / "b", {"a": 2, "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path):
    (tmp_path / ".weights.123.partial").write_text("")
    (tmp_path / "weights").write_text("")
    remove_partial(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights"]


def test_a_place_that_cannot_hold_the_file_is_named_early(tmp_path):
    with pytest.raises(SettingError, match="is a folder"):
        check_can_write(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="cannot be made"):
        check_can_write(tmp_path / "file" / "a.h5ad")


def test_what_is_not_a_regular_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingError, match="not a regular file"):
        check_can_write(tmp_path / "pipe")
    with pytest.raises(SettingError, match="/dev/null' is not a regular file"):
        check_can_write(Path("/dev/null"))


def test_a_link_stays_and_what_it_points_at_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "elsewhere" / "real.csv")
    check_can_write(tmp_path / "link.csv")
    write_text(tmp_path / "link.csv", "x")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "elsewhere" / "real.csv").read_text() == "x"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["real.csv"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full. Free space there"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "your quota of disk space is used up"),
        (OSError(errno.EFBIG, "File too large"), "the file is larger than is allowed there"),
        (OSError(errno.EROFS, "Read-only file system", "another"), "the disk is read-only"),
        (OSError(errno.EIO, "Input/output error"), "the disk reports an error"),
        (OSError("Can't write data"), "Can't write data"),
    ],
)
def test_what_fails_while_writing_names_the_file(tmp_path, error, says):
    def full(temporary):
        raise error

    with pytest.raises(OSError, match=says) as told:
        write_with(tmp_path / "a.h5ad", full)
    assert told.value.filename == str(tmp_path / "a.h5ad")
    assert told.value.errno == error.errno


def test_an_error_that_names_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError) as told:
        write_with(tmp_path / "a.txt", lambda temporary: temporary.write_bytes((tmp_path / "none").read_bytes()))
    assert told.value.filename == str(tmp_path / "none")


def test_an_error_of_reading_is_not_blamed_on_the_file_that_is_written(tmp_path):
    def unread(temporary):
        raise OSError(errno.EIO, "Input/output error", "source.csv")

    with pytest.raises(OSError, match="Input/output error") as told:
        write_with(tmp_path / "a.txt", unread)
    assert not isinstance(told.value, StorageError)
    assert told.value.filename == "source.csv"


def test_a_worker_process_hands_the_error_on_whole():
    error = StorageError(errno.ENOSPC, "the disk is full", "a.csv", "Free space.")
    handed = pickle.loads(pickle.dumps(error))  # noqa: S301, our own bytes
    assert str(handed) == str(error) == "a.csv could not be written: the disk is full. Free space."
    assert handed.errno == errno.ENOSPC


@pytest.mark.parametrize("name", ["x" * 255, "条" * 85, "🧬" * 63])
def test_a_name_as_long_as_the_disk_takes_is_written(tmp_path, name):
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_longer_than_the_disk_takes_is_refused_early(tmp_path):
    with pytest.raises(StorageError, match="the name is too long"):
        check_can_write(tmp_path / ("x" * 256))
