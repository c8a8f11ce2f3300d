"""Runs the missing entries of a benchmark: one after the other in this process, or shared among processes."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from primeflow_core.benchmark.grid import Entry
from primeflow_core.benchmark.scored_entry import scored_entry
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.errors import PrimeflowError, StorageError
from primeflow_core.runtime.dask_workers import local_workers
from primeflow_core.runtime.memory import lacks_memory
from primeflow_core.training.run import Source

if TYPE_CHECKING:
    from distributed import Future

TOLD_EVERY, LOOKED_EVERY = 1.0, 0.2
"""Seconds between two reports of what runs, and between two checks of what has ended."""
DIED = (
    "its worker ended several times, most likely because there was not enough memory. Run the same command with fewer "
    "workers to resume; finished trainings are kept."
)

Read = Callable[[], Source]
"""Reads the data. It is sent to other processes, so it must be picklable."""
OnRunning = Callable[[Sequence[Entry]], None]
"""Called about once a second, from any thread, with the entries that are being trained or scored."""


@dataclass(frozen=True)
class FinishedEntry:
    """An entry that is scored, or ``failed``: a reason that a user can fix. The other entries continue."""

    entry: Entry
    failed: str = ""


def run_entries(
    store: BenchmarkStore,
    read: Read,
    command: Sequence[str],
    workers: int | None = None,
    on_running: OnRunning = lambda entries: None,
) -> Generator[FinishedEntry, None, None]:
    """Train and score the missing entries, and yield each entry as it ends. Closing the generator ends the workers.

    ``workers``: the number of processes, of one thread each. None: in this process, on all cores.
    """
    missing = store.missing
    if not missing:
        return
    if workers is None:
        yield from _here(store, read, missing, command, on_running)
    else:
        yield from _on_workers(store, read, missing, command, workers, on_running)


def _here(
    store: BenchmarkStore, read: Read, missing: Sequence[Entry], command: Sequence[str], on_running: OnRunning
) -> Iterator[FinishedEntry]:
    source = read()
    for entry in missing:
        with _told(entry, on_running):
            ended = run_entry(store, entry, lambda: source, command)
        yield ended


@contextmanager
def _told(entry: Entry, on_running: OnRunning) -> Iterator[None]:
    """Call ``on_running`` with ``entry`` at once, and repeatedly while the block runs."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(TOLD_EVERY):
            on_running((entry,))

    on_running((entry,))
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _on_workers(
    store: BenchmarkStore,
    read: Read,
    missing: Sequence[Entry],
    command: Sequence[str],
    workers: int,
    on_running: OnRunning,
) -> Iterator[FinishedEntry]:
    """One entry for each worker at a time, so that the running entries are known."""
    waiting, running = iter(missing), dict["Future", Entry]()
    with local_workers(min(workers, len(missing))) as client:

        def send(count: int) -> None:
            for entry in islice(waiting, count):
                running[client.submit(run_entry, store, entry, read, command, pure=False)] = entry

        send(workers)
        while running:
            for future in _first_ended(running, on_running):
                entry = running.pop(future)
                send(1)
                yield _result(future, entry)


def _first_ended(running: "dict[Future, Entry]", on_running: OnRunning) -> "list[Future]":
    told = -TOLD_EVERY
    while not (ended := [future for future in running if future.done()]):
        if time.monotonic() - told >= TOLD_EVERY:
            told = time.monotonic()
            on_running(tuple(running.values()))
        time.sleep(LOOKED_EVERY)
    return ended


def _result(future: "Future", entry: Entry) -> FinishedEntry:
    from distributed import KilledWorker

    try:
        ended: FinishedEntry = future.result()
    except KilledWorker:
        return FinishedEntry(entry, DIED)
    return ended


def run_entry(store: BenchmarkStore, entry: Entry, read: Read, command: Sequence[str]) -> FinishedEntry:
    """Train and score one entry, and keep its scores."""
    try:
        scored = scored_entry(
            entry, read(), store.model(entry), cells=store.grid.cells, part=store.grid.part, command=command
        )
    except StorageError:
        raise  # the next entry would have no room either
    except PrimeflowError as error:
        return FinishedEntry(entry, str(error))
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        return FinishedEntry(entry, "there was not enough memory. Use a smaller batch_size or fewer cells")
    store.keep(entry, scored)
    return FinishedEntry(entry)
