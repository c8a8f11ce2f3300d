"""Screening shard by shard: in this process, or on Dask workers that share the screen's folder and the model's.

A task is two paths and the number of a shard. Its worker loads the model once, makes the cells, and writes the rows
into the folder; nothing comes back but the number, so that no process holds more however many candidates there are.
If a worker is lost, another one screens its shard again.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from primeflow_core.errors import SettingError
from primeflow_core.evaluation.parallel import single_threaded_blas
from primeflow_core.runtime.dask_workers import local_workers, remote_workers
from primeflow_core.screening.shards import Parts, fingerprint_in
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from distributed import Client

    from primeflow_core.screening.worker_context import WorkerContext

SENT_AHEAD = 256
SECONDS_TO_SEE = 90.0
_ONE_AT_A_TIME = threading.Lock()

OnDone = Callable[[int], None]


def run_here(parts: Parts, model: Path, on_done: OnDone, checkpoint: Callable[[], None] = lambda: None) -> None:
    """Screen what is missing, in this process, on one thread.

    ``on_done`` receives the number of finished shards at the start and after each shard. ``checkpoint`` is called
    before each candidate; what it raises ends the run, and finished shards stay. Raises CheckpointError and DataError.
    """
    missing = parts.missing
    before = len(parts.order.shards) - len(missing)
    on_done(before)
    if not missing:
        return
    from primeflow_core.screening.worker_context import WorkerContext

    with one_thread():
        bench = WorkerContext.opened(parts.folder, model)
        for done, shard in enumerate(missing, before + 1):
            parts.write(shard, bench.screened(parts.order.shards[shard], checkpoint))
            on_done(done)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and BLAS on one thread, so that sums do not depend on the number of cores."""
    import torch

    # It counts the threads when first entered; entered here for the first time it would always count one.
    with single_threaded_blas():
        pass
    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def run_on_workers(
    parts: Parts, model: Path, on_done: OnDone, *, workers: int | None = None, scheduler: str | None = None
) -> None:
    """Screen what is missing on so many ``workers`` of this machine, or on those of a running Dask ``scheduler``.

    ``on_done`` as in ``run_here``. Raises SettingError if the scheduler does not answer, or if workers have other
    versions, cannot read the folders or die repeatedly. Errors of screening on a worker are raised too.
    """
    if (workers is None) == (scheduler is None):
        raise SettingError("A screen runs on a number of workers or on a scheduler: give one of the two.")
    if workers is not None and workers < 1:
        raise SettingError(f"A screen needs 1 worker or more, not {workers}.")
    missing = parts.missing
    on_done(len(parts.order.shards) - len(missing))
    if not missing:
        return
    some = remote_workers(scheduler) if scheduler is not None else local_workers(min(workers or 1, len(missing)))
    with some as client:
        _share_out(client, parts, model.resolve(), missing, on_done)
    _wait_to_see(parts)


def _share_out(client: "Client", parts: Parts, model: Path, missing: Sequence[int], on_done: OnDone) -> None:
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, as_completed
    from distributed.comm import CommClosedError

    numbers = iter(missing)
    before = len(parts.order.shards) - len(missing)

    def sent(count: int) -> list[object]:
        ahead = islice(numbers, count)
        return [client.submit(screen_shard, str(parts.folder), str(model), shard, pure=False) for shard in ahead]

    running = as_completed(sent(SENT_AHEAD), loop=client.loop)
    try:
        for done, future in enumerate(running, before + 1):
            future.result()
            on_done(done)
            running.update(sent(1))
    except KilledWorker as error:
        raise SettingError(
            "Workers stopped repeatedly on one shard, most likely because memory ran out. Run the same command with "
            "fewer workers; finished shards are kept."
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise SettingError(
            "The connection to the scheduler was lost. Run the same command again when the scheduler is back; finished "
            "shards are kept."
        ) from error


def screen_shard(folder: str, model: str, shard: int) -> int:
    """A Dask task: screen ``shard`` of the screen in ``folder``, write it there, return its number.

    A process runs one at a time, also if its worker has more threads.
    """
    with _ONE_AT_A_TIME, one_thread():
        parts, bench = _kept(folder, model, fingerprint_in(Path(folder)))
        parts.write(shard, bench.screened(parts.order.shards[shard]))
    return shard


@lru_cache(maxsize=1)
def _kept(folder: str, model: str, fingerprint: str) -> "tuple[Parts, WorkerContext]":
    """This worker's screen and its context, read once; another fingerprint is another screen."""
    from primeflow_core.screening.worker_context import WorkerContext

    return Parts.opened(Path(folder)), WorkerContext.opened(Path(folder), Path(model))


def _wait_to_see(parts: Parts) -> None:
    """Wait: network file systems show files of other machines with a delay."""
    until = time.monotonic() + SECONDS_TO_SEE
    while absent := set(range(len(parts.order.shards))) - parts.listed():
        if time.monotonic() > until:
            raise SettingError(
                f"{counted(len(absent), 'shard')} written by workers cannot be found in {parts.folder} as this machine "
                "sees it. Choose an --out that all machines share."
            )
        time.sleep(1.0)
