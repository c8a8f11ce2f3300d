"""Progress of the command benchmark: which trainings run, how far each one is, and the time that is left."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from primeflow_core.commands.terminal import ProgressLine, minutes_and_seconds

if TYPE_CHECKING:
    from primeflow_core.benchmark.grid import Entry
    from primeflow_core.benchmark.progress import Stand
    from primeflow_core.benchmark.run import FinishedEntry
    from primeflow_core.benchmark.store import BenchmarkStore

SECONDS_QUIET = 60.0
"""Away from a terminal, so long nothing is said at most."""


class TrainingsLine:
    """One line on a terminal; elsewhere a line each time a tenth of the trainings is done, and every minute."""

    def __init__(self, store: "BenchmarkStore", workers: int) -> None:
        from primeflow_core.benchmark.progress import Forecast

        self._forecast, self._workers = Forecast(store), workers
        total = len(store.grid.entries)
        self._done = total - len(store.missing)
        self._line = ProgressLine("trainings", total, every=SECONDS_QUIET, tells_time=True)
        self._line.at(self._done)

    def running(self, entries: "Sequence[Entry]") -> None:
        now = time.monotonic()
        stands = self._forecast.runs(entries, now)
        left = self._forecast.left(stands, now, self._workers)
        self._line.at(self._done, described(stands, left))

    def ended(self, ended: "FinishedEntry") -> None:
        now = time.monotonic()
        self._forecast.ended(ended.entry, now, failed=bool(ended.failed))
        self._done += 1
        left = self._forecast.left({}, now, self._workers)
        self._line.at(self._done, described({}, left))

    def close(self) -> None:
        self._line.close()


def described(stands: "Mapping[str, Stand | None]", left: float | None) -> str:
    """``about 2:05 left; cpa-seed-0 step 50 of 4,000, linear-seed-1 starts``."""
    runs = ", ".join(f"{name} {_stage(stand)}" for name, stand in stands.items())
    time_left = "" if left is None else f"about {minutes_and_seconds(left)} left"
    return "; ".join(text for text in (time_left, runs) if text)


def _stage(stand: "Stand | None") -> str:
    if stand is None:
        return "starts"
    return f"step {stand.step:,} of {stand.steps:,}" if stand.step < stand.steps else "is scored"
