"""The progress of a benchmark's trainings, read from their logs, and the remaining time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from primeflow_core.benchmark.grid import Entry
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.errors import DataError
from primeflow_core.runtime.json_text import parse_json
from primeflow_core.training.trainer import LOG

TAIL = 4096
"""Bytes at the end of a log that are searched for its last line. A line has about 300."""


@dataclass(frozen=True)
class Stand:
    """The last report of a training. Times are in seconds; ``seconds`` includes earlier runs of it."""

    step: int
    steps: int
    seconds: float
    seconds_left: float


def stand_of(model: Path) -> Stand | None:
    """None if the training has reported nothing yet, for instance because it has no steps."""
    try:
        with (model / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - TAIL))
            lines = log.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    # The last line may be half written, and the first half read.
    return next((stand for line in reversed(lines) if (stand := _stand(line)) is not None), None)


def _stand(line: str) -> Stand | None:
    try:
        said = parse_json(line)
        return Stand(int(said["step"]), int(said["steps"]), float(said["seconds"]), float(said["seconds_left"]))
    except (DataError, ValueError, KeyError, TypeError):
        return None


class Forecast:
    """Seconds that a benchmark still takes: each training as long as others of its recipe, else as the average."""

    def __init__(self, store: BenchmarkStore) -> None:
        self._store, self._waiting = store, {entry.name: entry for entry in store.missing}
        self._took: dict[str, list[float]] = defaultdict(list)
        self._since: dict[str, float] = {}
        for entry in store.grid.entries:
            if entry.name not in self._waiting and (scored := store.read(entry)) is not None:
                self._took[entry.recipe.name].append(scored.seconds)

    def runs(self, entries: Sequence[Entry], now: float) -> dict[str, Stand | None]:
        """The progress of each of ``entries``, which are running at ``now`` (seconds of any clock)."""
        for entry in entries:
            self._since.setdefault(entry.name, now)
        return {entry.name: stand_of(self._store.model(entry)) for entry in entries}

    def ended(self, entry: Entry, now: float, *, failed: bool) -> None:
        """Note that a training ended. A resumed training took longer than the time seen here."""
        self._waiting.pop(entry.name, None)
        seen = now - self._since.pop(entry.name, now)
        stand = stand_of(self._store.model(entry))
        if not failed:
            self._took[entry.recipe.name].append(max(seen, stand.seconds if stand else 0.0))

    def left(self, running: Mapping[str, Stand | None], now: float, workers: int) -> float | None:
        """Seconds left; None while nothing is known about any training."""
        took = self._expected(running)
        if not took:
            return None
        usual = sum(took.values()) / len(took)
        of_waiting = {name: took.get(entry.recipe.name, usual) for name, entry in self._waiting.items()}
        of_running = [
            max(of_waiting[name] - (now - self._since[name]), stand.seconds_left if stand else 0.0)
            for name, stand in running.items()
        ]
        waiting = sum(seconds for name, seconds in of_waiting.items() if name not in running)
        return max((waiting + sum(of_running)) / workers, *of_running, 0.0)

    def _expected(self, running: Mapping[str, Stand | None]) -> dict[str, float]:
        """For each known recipe: the mean seconds of its finished trainings, else the estimate of a running one."""
        foreseen = {
            self._waiting[name].recipe.name: stand.seconds + stand.seconds_left
            for name, stand in running.items()
            if stand is not None
        }
        return foreseen | {name: sum(all_of) / len(all_of) for name, all_of in self._took.items() if all_of}
