"""The folder in which a screen works: its order, its reference and a parquet file of every finished shard.

``OUT.parquet`` has ``OUT.parquet.parts`` beside it, until it is written itself. Whoever shares the folder can screen a
shard of it, and a screen that was killed resumes where its files end.
"""

import re
import socket
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from primeflow_core.errors import DataError, PrimeflowError, SettingError
from primeflow_core.runtime.atomic_files import check_can_write, remove_partial, replaced, write_json, write_text
from primeflow_core.runtime.folder_lock import LOCK, let_go, locked
from primeflow_core.runtime.json_text import read_text
from primeflow_core.screening.screen_spec import ScreenOrder
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from primeflow_core.screening.reference_cells import Reference

ORDER, REFERENCE, FINGERPRINT = "order.json", "reference.npz", "fingerprint.txt"
_OURS = re.compile(rf"{ORDER}|{REFERENCE}|{FINGERPRINT}|shard-\d+\.parquet|\..*\.partial")
_OF_SCREEN = b"primeflow.screen"
_AGAIN = "Run the same command again: it screens that shard again."


class Parts:
    """A screen's folder. While the folder that ``begun`` returns is open, no other process can use it.

    A context manager; closed by ``close`` and ``remove`` too. File systems without locks are not locked: two processes
    then do the same work twice and write equal files.
    """

    def __init__(self, folder: Path, order: ScreenOrder, lock: "BaseFileLock | None" = None) -> None:
        self.folder, self.order = folder, order
        self._fingerprint = order.fingerprint
        self._unlock = weakref.finalize(self, let_go, lock)

    @staticmethod
    def begun(out: Path, order: ScreenOrder, reference: "Reference") -> "Parts":
        """The folder of the table ``out``, new or as an earlier run of this very screen left it.

        Raises SettingError where it belongs to another screen or to something else, cannot be written to, or is
        being worked in.
        """
        folder = out.resolve().with_name(f"{out.name}.parts")
        check_can_write(folder / ORDER)
        parts = Parts(folder, order, locked(folder))
        try:
            parts._take_up(reference)
        except BaseException:
            parts.close()
            raise
        return parts

    @staticmethod
    def left_behind(out: Path, order: ScreenOrder) -> "Parts | None":
        """The folder of this screen, if its run was killed after the table was written."""
        folder = out.resolve().with_name(f"{out.name}.parts")
        return Parts(folder, order, locked(folder)) if fingerprint_in(folder) == order.fingerprint else None

    @staticmethod
    def opened(folder: Path) -> "Parts":
        """Opens the folder for a worker, which shares it. Raises SettingError if the worker cannot read it."""
        parts = Parts(folder, _order_in(folder))
        parts._check_is_still_ours()
        return parts

    def _take_up(self, reference: "Reference") -> None:
        if (self.folder / FINGERPRINT).is_file():
            self._check_same_screen()
        else:
            self._clear_beginnings()
        # Also written again on resume: workers read these files, and this process has their content anyway.
        reference.write(self.folder / REFERENCE)
        write_json(self.folder / ORDER, self.order.to_json())
        write_text(self.folder / FINGERPRINT, self._fingerprint + "\n")
        remove_partial(self.folder)

    def _check_same_screen(self) -> None:
        begun = self._begun_for()
        # If one file is damaged, the other one tells.
        found = fingerprint_in(self.folder) or (begun.fingerprint if begun else "")
        if found == self._fingerprint:
            return
        told = _summary(begun) if begun else "its order cannot be read"
        raise SettingError(
            f"{self.folder} holds shards of another screen ({_shown(found)}: {told}); this one is "
            f"{_shown(self._fingerprint)}: {_summary(self.order)}. Choose another --out, finish the other screen with "
            "the command that began it, or delete that folder."
        )

    def _begun_for(self) -> ScreenOrder | None:
        """The order that the folder was started for; None if it cannot be read."""
        try:
            return ScreenOrder.from_text(read_text(self.folder / ORDER))
        except PrimeflowError:
            return None

    def _clear_beginnings(self) -> None:
        """Remove files of a run that was killed before its order was written; shards would be of another screen."""
        files = sorted(file for file in self.folder.iterdir() if file.name != LOCK)
        if strange := [file.name for file in files if not _OURS.fullmatch(file.name)]:
            raise SettingError(
                f"{self.folder} holds {strange[0]!r}, which is not part of a screen. Choose another --out, or move "
                "the folder away."
            )
        for file in files:
            file.unlink()

    @property
    def missing(self) -> list[int]:
        """Numbers of the shards still to be screened: not there, damaged, or of another screen."""
        there = set(self.present)
        return [shard for shard in range(len(self.order.shards)) if shard not in there]

    @property
    def present(self) -> list[int]:
        """Numbers of the finished shards; reads each whole."""
        return [shard for shard in range(len(self.order.shards)) if self._is_whole(shard)]

    def _is_whole(self, shard: int) -> bool:
        try:
            self.read(shard)
        except DataError:
            return False
        return True

    def write(self, shard: int, table: pa.Table) -> None:
        """Keep the rows of a shard; equal rows give equal bytes. Raises SettingError where the screen is gone."""
        self._check_is_still_ours()
        marked = table.combine_chunks().replace_schema_metadata({_OF_SCREEN: self._fingerprint.encode()})
        with replaced(self._path(shard)) as temporary:
            pq.write_table(marked, temporary, compression="zstd", write_page_checksum=True)

    def _check_is_still_ours(self) -> None:
        """A worker may outlive its screen, and must not write into the next screen in this folder."""
        if fingerprint_in(self.folder) != self._fingerprint:
            raise SettingError(
                f"{self.folder} no longer holds the screen {_shown(self._fingerprint)}, or another version of "
                "PRiMeFlow began it. Run the command again, with the same version everywhere."
            )

    def read(self, shard: int) -> pa.Table:
        """The rows of a shard, as ``rows.schema`` says. Raises DataError where they are not there or not whole."""
        path = self._path(shard)
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read()
            found = table.column("position").to_pylist()
        except (OSError, pa.ArrowException, KeyError) as error:
            raise DataError(f"{path} is missing or damaged. {_AGAIN}") from error
        ours = (table.schema.metadata or {}).get(_OF_SCREEN) == self._fingerprint.encode()
        if not ours or found != list(self.order.shards[shard]):
            raise DataError(f"{path} is not a shard of this screen. {_AGAIN}")
        return table.replace_schema_metadata(None)

    def rows(self) -> Iterator[pa.Table]:
        """The rows of every shard, in the order of positions. Raises DataError where one is missing."""
        for shard in range(len(self.order.shards)):
            yield self.read(shard)

    def listed(self) -> set[int]:
        """Numbers of the shards that have a file, read or not: quick."""
        names = {file.name for file in self.folder.glob("shard-*.parquet")}
        return {shard for shard in range(len(self.order.shards)) if self._path(shard).name in names}

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.parquet"

    def remove(self) -> None:
        """Delete the folder, when the table is written. A file in it that is not of a screen stays, and the folder."""
        for file in self.folder.glob("*"):
            if _OURS.fullmatch(file.name):
                file.unlink(missing_ok=True)
        # First, since the lock is a file in the folder.
        self.close()
        with suppress(OSError):
            self.folder.rmdir()

    def close(self) -> None:
        self._unlock()

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _order_in(folder: Path) -> ScreenOrder:
    path = folder / ORDER
    if not path.is_file():
        raise SettingError(
            f"The worker on {socket.gethostname()} cannot find {path}. Workers need the folder of --out under the same "
            "path: choose an --out that all machines share."
        )
    try:
        return ScreenOrder.from_text(read_text(path))
    except PrimeflowError as error:
        raise SettingError(
            f"{path} cannot be read as the order of a screen: {str(error).rstrip('.')}. Run the command again: it "
            "writes that file again."
        ) from error


def fingerprint_in(folder: Path) -> str:
    """Fingerprint of the screen in ``folder``; empty where there is none."""
    with suppress(OSError, UnicodeDecodeError):
        return (folder / FINGERPRINT).read_text(encoding="utf-8").strip()
    return ""


def _shown(fingerprint: str) -> str:
    return fingerprint[:8] or "unknown"


def _summary(order: ScreenOrder) -> str:
    candidates, seeds = counted(len(order.candidates), "candidate"), ", ".join(map(str, order.seeds))
    return f"{candidates}, {order.model}, {order.goal.kind}, {order.cells} cells of each of the noise seeds {seeds}"
