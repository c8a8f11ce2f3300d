"""The output files of a benchmark, written from the scores and pictures of its trainings.

about.json            what was trained on what, with which command
benchmark.csv, .md    the leaderboard, see leaderboard.py
benchmark.html        the same with a figure for each metric
conditions.parquet    every metric of every model, seed, guidance weight and condition
cells.parquet         where measured and predicted cells lie, see cell_projection.py
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primeflow_core.benchmark.about import ABOUT, CELLS, CONDITIONS, LEADERBOARD, PICTURE, About
from primeflow_core.benchmark.common_conditions import compared
from primeflow_core.benchmark.html_page import html_page
from primeflow_core.benchmark.leaderboard import leaderboard, markdown
from primeflow_core.benchmark.metric_table import metric_markdown
from primeflow_core.benchmark.standings import Standings, standings
from primeflow_core.benchmark.summary_text import verdict
from primeflow_core.evaluation.metrics.registry import metric_names
from primeflow_core.report.finding import SIMULATED_DATA
from primeflow_core.runtime.atomic_files import replaced, write_json, write_text, write_with

DECIMALS = 2


@dataclass(frozen=True)
class BenchmarkOutcome:
    """``rows`` from BenchmarkStore.rows. ``picture``: Canvas.measured and below it BenchmarkStore.picture. ``axes``:
    the titles of both axes, by context."""

    about: About
    rows: pd.DataFrame
    picture: pd.DataFrame
    axes: Mapping[str, tuple[str, str]]

    @property
    def notes(self) -> list[str]:
        """Notes for readers of the table."""
        simulated = f"{SIMULATED_DATA}: made by a program, not measured." if self.about.simulated else ""
        failed = f"Not in the table, because they failed: {', '.join(self.about.failed)}." if self.about.failed else ""
        return [said for said in (simulated, compared(self.rows), failed) if said]

    @cached_property
    def table(self) -> pd.DataFrame:
        """The leaderboard."""
        return leaderboard(self.rows)

    @cached_property
    def standings(self) -> Standings:
        return standings(self.table, self.rows)

    @property
    def text(self) -> str:
        """In Markdown: notes, the summary in sentences, the leaderboard, and what each metric can tell."""
        metrics = [name for name in metric_names() if name in self.table]
        said = [*self.notes, " ".join(verdict(self.standings, metrics))]
        tables = [markdown(self.table, self.standings.leaders(metrics)), metric_markdown(self.standings, metrics)]
        return "\n\n".join(said) + "\n\n" + "\n".join(filter(None, tables))

    def write(self, folder: Path) -> None:
        """Write all files into ``folder``."""
        write_with(folder / CONDITIONS, lambda temporary: self.rows.to_parquet(temporary, index=False))
        self._write_picture(folder / CELLS)
        write_text(folder / LEADERBOARD, self.table.to_csv(index=False))
        write_text(folder / "benchmark.md", self.text)
        page = html_page(self.about.title, self.table, self.standings, notes=self.notes, simulated=self.about.simulated)
        write_text(folder / "benchmark.html", page)
        write_json(folder / ABOUT, asdict(self.about))

    def _write_picture(self, path: Path) -> None:
        # More exact than any screen can show, and half the file size.
        small = self.picture.round({"x": DECIMALS, "y": DECIMALS})
        stored = pa.Table.from_pandas(small, preserve_index=False)
        marked = stored.replace_schema_metadata({PICTURE: json.dumps(dict(self.axes)).encode()})
        with replaced(path) as temporary:
            pq.write_table(marked, temporary, compression="zstd", compression_level=19)
