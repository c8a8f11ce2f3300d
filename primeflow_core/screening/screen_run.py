"""Runs a screen to its table: shards here or on workers, the trust of what was held out, and the ranking."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from primeflow_core.data.reading_request import Report
from primeflow_core.errors import PrimeflowError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.screening.engine import one_thread, run_here, run_on_workers
from primeflow_core.screening.kept_screen import clear_left_behind, there, with_next
from primeflow_core.screening.screen_file import Screen, write_screen
from primeflow_core.screening.screen_question import ScreenQuestion
from primeflow_core.screening.screen_request import NEXT, finished, prepared, told_trust
from primeflow_core.screening.screen_spec import ScreenOrder
from primeflow_core.screening.shards import Parts

if TYPE_CHECKING:
    from primeflow_core.screening.reference_cells import Reference

Progress = Callable[[ScreenOrder, Parts], AbstractContextManager[Callable[[int], None]]]
"""Entered when the work begins; what it gives hears how many shards are done."""


@dataclass(frozen=True)
class ScreenRun:
    """``out``: the .parquet to write. ``changes``: keep the change of every gene. ``count``: experiments to suggest.

    It runs in this process, on so many ``workers``, or on those of a Dask ``scheduler``.
    """

    asked: ScreenQuestion
    out: Path
    changes: bool = False
    count: int = NEXT
    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise SettingError(f"--next is {self.count}; it must be 0 or more.")

    @property
    def model(self) -> Path:
        return self.asked.request.folder

    def screen(self, progress: Progress, report: Report) -> tuple[ScreenOrder, Screen]:
        """What was screened, and its table. If the table is in ``out`` already, nothing is computed again.

        Raises SettingError where ``out`` holds something else, and as ``prepared``.
        """
        asked = self.asked
        order, reference = prepared(asked.request, asked.data, lambda: checkpoint.load(self.model), asked.target_cells)
        found = there(self.out, order, self.changes)
        if found is None:
            return order, self._screened(order, reference, progress)
        report(f"{self.out} already holds this screen; nothing was computed again.")
        clear_left_behind(self.out, order)
        return order, with_next(found, self.count, self.out, report)

    def _screened(self, order: ScreenOrder, reference: "Reference", progress: Progress) -> Screen:
        import pyarrow as pa

        asked = self.asked
        with Parts.begun(self.out, order, reference) as parts:
            with progress(order, parts) as on_done:
                self._run(parts, on_done)
            checked = (parts.read(i) for i, shard in enumerate(order.shards) if shard.start < len(order.checked))
            with one_thread():
                rows = pa.concat_tables(checked) if order.checked else None
                trust = None if rows is None else told_trust(rows, order, reference, asked.data, self.model)
                found = finished(
                    parts.rows(), order, reference, checkpoint.read_manifest(self.model),
                    trust=trust, refused=asked.candidates.refused, changes=self.changes, count=self.count,
                )  # fmt: skip
            write_screen(self.out, found)
            parts.remove()
        return found

    def _run(self, parts: Parts, on_done: Callable[[int], None]) -> None:
        try:
            if self.workers is None and self.scheduler is None:
                run_here(parts, self.model, on_done)
            else:
                run_on_workers(parts, self.model, on_done, workers=self.workers, scheduler=self.scheduler)
        except PrimeflowError:
            # A run that failed before its first shard may work with another option, which is another screen.
            if not parts.present:
                parts.remove()
            raise
