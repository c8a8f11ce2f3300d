"""Dask workers that share work: processes of this machine, or those of a scheduler that already runs."""

import logging
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from primeflow_core.errors import SettingError

if TYPE_CHECKING:
    from distributed import Client

LOSSES = 10
"""Workers of this machine that may die over the same task before it is given up."""
SECONDS_TO_ANSWER = 20.0
ADDRESS = re.compile(r"(tcp|tls|ws|wss)://\S+:\d{1,5}")
LOGGERS = ("distributed", "distributed.client")
SAME_EVERYWHERE = ("primeflow", "torch", "numpy")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
KEPT_FOR_REUSE = str(2**28)
OF_WORKERS = {**ONE_THREAD, **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), KEPT_FOR_REUSE)}
"""Dask's own settings give freed memory back to the system at once, and every array of a score is paid for anew."""


@contextmanager
def local_workers(count: int) -> Iterator["Client"]:
    """Processes of one thread each, that listen to this machine only and end with this process, however it ends."""
    import dask
    import distributed  # noqa: F401  adds its settings, which go again where it is first imported among other ones

    settings = {
        "distributed.scheduler.allowed-failures": LOSSES,
        "distributed.nanny.pre-spawn-environ": OF_WORKERS,
        # The end of a process of this machine is noticed at once. One that is silent was stopped, as by Ctrl-Z.
        "distributed.scheduler.worker-ttl": None,
    }
    with dask.config.set(settings), _dask_unheard():
        from distributed import Client, LocalCluster

        with _ctrl_c_waits():
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


@contextmanager
def _dask_unheard() -> Iterator[None]:
    """Silences Dask's log of each step of this process; errors that a user can fix are still raised."""
    import distributed  # noqa: F401  sets the levels of its loggers when it is first imported

    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Threads that start in here, and all processes that those start, never hear of it: this process ends them.

    Windows has no such mask: there the workers hear Ctrl+C too, end by themselves, and may say so in the terminal.
    """
    if sys.platform == "win32":
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # where it is started first, it lets the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_address(scheduler: str) -> None:
    """Raises SettingError for what cannot be the address of a scheduler; Dask would look for it for long."""
    if not ADDRESS.fullmatch(scheduler):
        raise SettingError(f"{scheduler!r} is not the address of a Dask scheduler. Give it as tcp://HOST:PORT.")


@contextmanager
def remote_workers(scheduler: str) -> Iterator["Client"]:
    """The workers of the scheduler at this address. Raises SettingError if it does not answer or they do not match."""
    with _dask_unheard(), _client_of(scheduler) as client:
        check_versions(client.get_versions(packages=SAME_EVERYWHERE))
        yield client


def _client_of(scheduler: str) -> "Client":
    from distributed import Client

    check_address(scheduler)
    try:
        return Client(scheduler, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"No Dask scheduler answers at {scheduler!r}. Start one with `dask scheduler`, and give the address that "
            "it prints, for instance tcp://10.0.0.5:8786."
        ) from error


def check_versions(found: Any) -> None:
    """Raises SettingError for a worker that has other versions of what computes than this process.

    ``found``: as ``Client.get_versions`` tells it of the workers that are there. Those that come later find out by the
    screen's fingerprint.
    """
    if not found["workers"]:
        logging.getLogger(__name__).warning("the scheduler has no worker yet; waiting for one.")
    here = found["client"]["packages"]
    for address, worker in found["workers"].items():
        there = worker["packages"]
        if other := [name for name in SAME_EVERYWHERE if there.get(name) != here.get(name)]:
            said = ", ".join(f"{name} {there.get(name) or 'missing'} (here {here.get(name)})" for name in other)
            raise SettingError(
                f"The worker {address} has other versions: {said}. Install the same ones on all machines."
            )
