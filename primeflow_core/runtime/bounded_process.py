"""Calls in a child process with bounds on memory, processor time and wall time, for files that others made.

A damaged file can make a C library spin or swell. Here that happens in a process of its own, which is killed: this
process goes on answering. At most ``MOST_AT_ONCE`` children work at a time, further calls wait for their turn, and a
child that has finished takes the next call, because starting one costs a second.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, cast

import psutil

from primeflow_core.errors import OverrunError, PrimeflowError
from primeflow_core.runtime import bounded_child
from primeflow_core.runtime.bounded_child import Bounds, Call, Failed, Ready, Returned

MOST_AT_ONCE = 2
SECONDS_TO_START = 120.0
"""To import what a call needs, which a busy machine may take long over; it is not a part of the bounds."""
SECONDS_BETWEEN_LOOKS = 0.03
MOST_KEPT = 300_000_000
"""Bytes by which a child may have grown and still be used again."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}

P = ParamSpec("P")
T = TypeVar("T")


class ChildError(RuntimeError):
    """A bug in a child process whose own error cannot be sent; its kind and text."""


class ChildTracebackError(Exception):
    """What led to an error in a child process; the cause of that error here."""

    def __str__(self) -> str:
        return f"in a child process:\n{self.args[0]}"


def bounded(bounds: Bounds, about: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """``function(*arguments, **named)``, carried out in a child process.

    The function is one of a module, by name; arguments and result can be pickled. The child has this process's folder,
    and the environment of the time when it was started: hand over what hangs on a variable. ``about`` is what the call
    is about in messages, for instance a file name. Raises OverrunError where a bound is overrun or the child ends, and
    what the function raises: a PrimeflowError, or an error that nobody expected, with its traceback as the cause.
    """
    call = Call(function.__module__, function.__qualname__, arguments, named, bounds, os.getcwd(), tuple(sys.path))
    return cast(T, _POOL.carried_out(call, about))


class Pool:
    """Children that are idle, and how many may work; for many threads."""

    def __init__(self, most_at_once: int) -> None:
        self._turn = threading.BoundedSemaphore(most_at_once)
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    def carried_out(self, call: Call, about: str) -> Any:
        with self._turn:
            child = self._taken()
            try:
                answer = child.answer(call, about)
            except BaseException:
                child.kill()
                raise
            self._put_back(child)
        if isinstance(answer, Returned):
            return answer.value
        raise answer

    def _taken(self) -> "Child":
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                child.kill()
        return Child()

    def _put_back(self, child: "Child") -> None:
        if child.grown > MOST_KEPT:
            child.kill()
            return
        with self._lock:
            self._idle.append(child)

    def close(self) -> None:
        """End the children that are idle."""
        with self._lock:
            while self._idle:
                self._idle.pop().kill()


class Child:
    """A process that carries out one call after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", bounded_child.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        )
        self._seen = psutil.Process(self._process.pid)
        self._idle_bytes = 0

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def grown(self) -> int:
        """Bytes of memory more than before its last call."""
        return self._bytes() - self._idle_bytes

    @property
    def spent(self) -> float:
        """Seconds of processor time since its start; 0 where it has ended."""
        with suppress(psutil.NoSuchProcess):
            times = self._seen.cpu_times()
            return float(times.user + times.system)
        return 0.0

    def _bytes(self) -> int:
        with suppress(psutil.NoSuchProcess):
            return int(self._seen.memory_info().rss)
        return 0

    def answer(self, call: Call, about: str) -> "Returned | PrimeflowError":
        """What came of a call. Raises OverrunError, or an unexpected error; then this child must be killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with Watch(self, None) as starting:
            try:
                bounded_child.send(self._process.stdin, call)
            except OSError as error:
                raise self._ended(starting, call.bounds, about) from error
            started = bounded_child.received(self._process.stdout)
        _check(started, call.bounds, about)
        if not isinstance(started, Ready):
            raise self._ended(starting, call.bounds, about)
        self._idle_bytes = self._bytes()
        with Watch(self, call.bounds) as watch:
            answer = bounded_child.received(self._process.stdout)
        if isinstance(answer, Returned | PrimeflowError):
            return answer
        _check(answer, call.bounds, about)
        raise self._ended(watch, call.bounds, about)

    def _ended(self, watch: "Watch", bounds: Bounds, about: str) -> OverrunError:
        """Why no answer came."""
        status = self._process.wait()
        by_itself = {"SIGXCPU": _processor(bounds.processor), "SIGALRM": _wall(bounds.wall)}
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        if overrun := watch.overrun or by_itself.get(name, ""):
            return OverrunError(f"{about}: {_stopped(overrun)}")
        return OverrunError(
            f"{about}: the process that read it ended before it had finished ({name}). The file is damaged, or this "
            "machine has not enough memory for it. Write the file again from where it came."
        )

    def stop(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()

    def kill(self) -> None:
        """End it and take its status."""
        self.stop()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):  # there may be a part of a call that it did not take
                stream.close()


class Watch:
    """Kills a child that overruns its bounds (None: that does not start), from a thread beside the one that waits.

    ``overrun``: the bound in words, empty while it is kept.
    """

    def __init__(self, child: Child, bounds: Bounds | None) -> None:
        self.overrun = ""
        self._child = child
        self._bounds = bounds or Bounds(sys.maxsize, SECONDS_TO_START, SECONDS_TO_START)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="bounds", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        start, spent_before = time.monotonic(), self._child.spent
        while not (self.overrun or self._over.wait(SECONDS_BETWEEN_LOOKS)):
            self.overrun = self._broken(time.monotonic() - start, self._child.spent - spent_before)
        if self.overrun:
            self._child.stop()

    def _broken(self, waited: float, spent: float) -> str:
        bounds = self._bounds
        if self._child.grown > bounds.memory:
            return _memory(bounds.memory)
        if spent > bounds.processor:
            return _processor(bounds.processor)
        return _wall(bounds.wall) if waited > bounds.wall else ""


def _check(answer: object, bounds: Bounds, about: str) -> None:
    """Raises what is no result: OverrunError where memory was short, and the error that nobody expected."""
    if isinstance(answer, MemoryError):
        raise OverrunError(f"{about}: {_stopped(_memory(bounds.memory))}")
    if isinstance(answer, Failed):
        raise _unexpected(answer) from ChildTracebackError(answer.led)


def _unexpected(failed: Failed) -> Exception:
    """The error as it was raised, or its words where it could not be sent."""
    if failed.pickled is None:
        return ChildError(failed.said)
    error = pickle.loads(failed.pickled)  # noqa: S301, between two processes of one program
    assert isinstance(error, Exception)
    return error


def _stopped(bound: str) -> str:
    return (
        f"reading it took more than {bound} and was stopped. The file is damaged, or much larger inside than outside. "
        "Write it again from where it came, or with fewer cells."
    )


def _memory(size: int) -> str:
    return f"{size / 1e9:.1f} GB of memory"


def _processor(seconds: float) -> str:
    return f"{seconds:.0f} s of processor time"


def _wall(seconds: float) -> str:
    return f"{seconds:.0f} s"


_POOL = Pool(MOST_AT_ONCE)


def _forget_children() -> None:
    """In a process forked from this one: the children are those of the parent, and so is the other end of the pipes."""
    global _POOL
    _POOL = Pool(MOST_AT_ONCE)


def _end_children() -> None:
    _POOL.close()


atexit.register(_end_children)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_children)
