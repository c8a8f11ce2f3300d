"""The folder of a benchmark: a model and a file of scores for each finished entry.

    DIR/models/RECIPE-seed-N/     what `train` makes
    DIR/scores/RECIPE-seed-N.parquet
    DIR/pictures/RECIPE-seed-N.parquet    of the first seed

A file of scores gets its name only when it is complete, and it records what it was made from. So a benchmark that was
killed resumes with the entries that have no scores.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primeflow_core.benchmark.grid import Entry, Grid
from primeflow_core.benchmark.scored_entry import ScoredEntry
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import remove_partial, replaced

ABOUT = b"primeflow_benchmark"


@dataclass(frozen=True)
class BenchmarkStore:
    """Scores of the entries of ``grid`` in ``folder``."""

    folder: Path
    grid: Grid

    def model(self, entry: Entry) -> Path:
        return self.folder / "models" / entry.name

    def clear_beginnings(self) -> None:
        """Delete incomplete files of a killed run. Call it only while no other run uses the folder."""
        for folder in (self.folder, self.folder / "scores", self.folder / "pictures"):
            remove_partial(folder)

    def _scores(self, entry: Entry) -> Path:
        return self.folder / "scores" / f"{entry.name}.parquet"

    def _picture(self, entry: Entry) -> Path:
        return self.folder / "pictures" / f"{entry.name}.parquet"

    def keep(self, entry: Entry, scored: ScoredEntry) -> None:
        fingerprint = {"fingerprint": self.grid.fingerprint(entry)}
        if entry.pictured:
            _write(self._picture(entry), scored.picture, fingerprint)
        about = {
            **fingerprint, "seconds": scored.seconds, "parameters": scored.parameters,
            "refused": [list(pair) for pair in scored.refused],
        }  # fmt: skip
        _write(self._scores(entry), scored.rows, about)

    def read(self, entry: Entry) -> ScoredEntry | None:
        """None if there are no scores yet, or they were made from other data, settings or version.

        Raises DataError for a damaged file.
        """
        from primeflow_core.benchmark.scores_schema import ScoresEntry

        path = self._scores(entry)
        if not path.is_file() or (entry.pictured and not self._has_picture(entry)):
            return None
        try:
            stored = pq.read_table(path)
            text = (stored.schema.metadata or {}).get(ABOUT, b"{}")
            if _fingerprint(text) != self.grid.fingerprint(entry):
                return None
            about = ScoresEntry.read(text)
            return ScoredEntry(stored.to_pandas(), about.refused, about.seconds, about.parameters)
        except (pa.ArrowException, DataError, OSError, KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from error

    def _has_picture(self, entry: Entry) -> bool:
        """Whether there is a picture with the settings and data of the entry. Raises DataError for a damaged one."""
        path = self._picture(entry)
        if not path.is_file():
            return False
        try:
            said = (pq.read_schema(path).metadata or {}).get(ABOUT)
            return said is None or _fingerprint(said) == self.grid.fingerprint(entry)
        except (pa.ArrowException, DataError, OSError) as error:
            raise _damaged(path, error) from error

    @property
    def missing(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.grid.entries if self.read(entry) is None)

    def rows(self) -> pd.DataFrame:
        """The scores of each condition of every finished entry, with ``seconds`` and ``parameters``."""
        found = [(entry, self.read(entry)) for entry in self.grid.entries]
        tables = [
            scored.rows.assign(seconds=scored.seconds, parameters=scored.parameters)
            for _, scored in found
            if scored is not None and len(scored.rows)
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def picture(self) -> pd.DataFrame:
        """The positions of the predicted cells of the first seed: ``kind``, ``model``, ``guidance``, ``condition``,
        ``context``, ``x``, ``y``."""
        found = [entry for entry in self.grid.entries if entry.pictured and self.read(entry) is not None]
        tables = [table for entry in found if len(table := self._read_picture(entry))]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _read_picture(self, entry: Entry) -> pd.DataFrame:
        path = self._picture(entry)
        try:
            return pd.read_parquet(path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damaged(path, error) from error

    def refused(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """The conditions that each recipe could not predict, with the reason, by recipe."""
        found = [(entry.recipe.name, self.read(entry)) for entry in self.grid.entries]
        return {name: scored.refused for name, scored in found if scored is not None and scored.refused}


def _fingerprint(text: bytes) -> str:
    from primeflow_core.benchmark.scores_schema import FingerprintEntry

    return FingerprintEntry.read(text).fingerprint


def _damaged(path: Path, error: Exception) -> DataError:
    reason = str(error).split("\n", 1)[0].rstrip(".")
    return DataError(f"{path} is damaged: {reason}. Delete it, and run the same command again.")


def _write(path: Path, table: pd.DataFrame, about: Mapping[str, Any]) -> None:
    stored = pa.Table.from_pandas(table, preserve_index=False)
    marked = stored.replace_schema_metadata({ABOUT: json.dumps(about, sort_keys=True).encode()})
    with replaced(path) as temporary:
        pq.write_table(marked, temporary, compression="zstd")
