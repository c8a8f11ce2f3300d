"""Processes forked from one parent that has the libraries imported: killed in tests, or servers of the app.

A fresh interpreter spends seconds on importing torch before it does anything that a test looks at. The parent (of the
standard library's ``forkserver``) imports it once for each pytest process; it has one thread, and never computes, so a
fork of it is a program that has just been started.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import pytest

LIBRARIES = (
    "torch", "anndata", "pandas", "sklearn.neighbors", "pyarrow.parquet", "distributed", "streamlit.web.cli",
    "streamlit.web.bootstrap", "scanpy", "altair", "plotly",
)  # fmt: skip
"""Of commands and of the app: a process has one such parent, whatever asks for it first. Each fork imports the
product's own modules itself."""
PATIENCE = 240.0
"""Seconds that a test waits for what takes a few of them on an idle machine."""


@dataclass
class Forked:
    """A running process, the leader of its own group; what it wrote is in ``folder``."""

    process: BaseProcess
    folder: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.exitcode is None

    def kill(self) -> bool:
        """The process and all that it started, at once. Says whether it was still at work."""
        at_work = self.running
        if at_work:
            self.signal_group(signal.SIGKILL)
        self.ended()
        return at_work

    def signal_group(self, number: int) -> None:
        # Not before it leads a group: until then it is in that of the parent, and of this test.
        self.until(lambda: (self.folder / "leads").exists())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        self.process.join(PATIENCE)
        if self.running:
            pytest.fail(f"the process hangs; it said:\n{self.said}")
        assert self.process.exitcode is not None
        return self.process.exitcode

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def until(self, happened: Callable[[], object]) -> None:
        """Wait for it; at once where the process ends before."""
        last = time.monotonic() + PATIENCE
        while self.running and not happened():
            if time.monotonic() > last:
                pytest.fail(f"the process hangs; it said:\n{self.said}")
            time.sleep(0.002)


def parent() -> ForkServerContext:
    """How to start processes from the parent, which runs."""
    if sys.platform == "win32":
        pytest.skip("Windows cannot fork, and starting each process anew would take minutes")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    with pytest.MonkeyPatch.context() as patch:
        # Sums hang on the number of threads, and two of them on two busy cores wait for each other.
        for library in ("OMP", "OPENBLAS"):
            patch.setenv(f"{library}_NUM_THREADS", "1")
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def forked_workers() -> Iterator[None]:
    """Dask workers started in here come from the same parent, so that they cost no seconds each."""
    parent()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield


@contextlib.contextmanager
def forking() -> Iterator[Callable[..., Forked]]:
    """A function that starts ``target(*arguments)`` in a process; all of them are ended at the end."""
    if sys.platform == "win32":
        pytest.skip("Windows cannot fork, and starting each process anew would take minutes")
    context = parent()
    started: list[Forked] = []
    with TemporaryDirectory() as place:

        def start(target: Callable[..., object], *arguments: object, **environment: str) -> Forked:
            folder = Path(place) / str(len(started))
            folder.mkdir()
            (folder / "stderr").touch()
            process = context.Process(target=_run, args=(folder, environment, target, arguments))
            process.start()
            started.append(Forked(process, folder))
            return started[-1]

        try:
            yield start
        finally:
            for one in started:
                one.kill()


def _run(
    folder: Path, environment: Mapping[str, str], target: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    os.setsid()
    if absent := [name for name in LIBRARIES if name not in sys.modules]:
        raise ImportError(f"the parent has not imported {absent}")
    (folder / "leads").touch()
    for stream in (1, 2):
        os.dup2(os.open(folder / ("stdout", "stderr")[stream - 1], os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.environ.update({"OMP_NUM_THREADS": "1", **environment})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    target(*arguments)


def command(*words: str) -> None:
    """A target: ``primeflow`` with these words, as the installed program runs it."""
    from primeflow_core.__main__ import run

    sys.argv = ["primeflow", *words]
    run()
