"""The other side of ``bounded_process``: a process that carries out the calls that come through a pipe.

It keeps its bounds by itself too, by the means of the system, a little later than its parent does: a parent that was
killed kills nobody, and a library that spins does not let Python look at a clock.
"""

import importlib
import math
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from primeflow_core.errors import PrimeflowError

LENGTH = 8
LATER = 2.0
"""Seconds after the parent's bound."""
MORE_ADDRESSES = 2
"""Times the bound of memory: addresses are taken for memory that is never used."""


@dataclass(frozen=True)
class Bounds:
    """``memory``: bytes more than the child has when it is idle; ``processor`` and ``wall``: seconds."""

    memory: int
    processor: float
    wall: float


@dataclass(frozen=True)
class Call:
    """A function by its module and name, what it is called with, and the folder and paths of the parent."""

    module: str
    name: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    bounds: Bounds
    folder: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Ready:
    """The function of a call is imported, and what it does is about to begin."""


@dataclass(frozen=True)
class Returned:
    value: Any


@dataclass(frozen=True)
class Failed:
    """An error that nobody expected, a bug: ``pickled``, None where it cannot be sent; ``said``: its kind and text;
    ``led``: the traceback, as text."""

    pickled: bytes | None
    said: str
    led: str

    @staticmethod
    def by(error: Exception) -> "Failed":
        led = "".join(traceback.format_exception(error))
        said = "".join(traceback.format_exception_only(error)).strip()
        return Failed(_pickled_if_possible(_alone(error)), said, led)


E = TypeVar("E", bound=Exception)


def _alone(error: E) -> E:
    """Without what led to it, which some libraries make pickle send along, however much it is."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _pickled_if_possible(error: Exception) -> bytes | None:
    """Some errors cannot be pickled, and some cannot be made again from what was: both are tried here."""
    try:
        content = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        again = pickle.loads(content)  # noqa: S301, pickled in the line above
    except Exception:  # noqa: BLE001, whatever the methods of a foreign error raise
        return None
    return content if type(again) is type(error) else None


def send(stream: IO[bytes], message: object) -> None:
    _write(stream, pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(LENGTH, "big"))
    stream.write(content)
    stream.flush()


def received(stream: IO[bytes]) -> Any:
    """The next message; None where the other side has ended."""
    content = _read(stream)
    return None if content is None else pickle.loads(content)  # noqa: S301, between two processes of one program


def _read(stream: IO[bytes]) -> bytes | None:
    length = int.from_bytes(stream.read(LENGTH), "big")
    content = stream.read(length)
    return None if not length or len(content) < length else content


def answer(content: bytes, answers: IO[bytes]) -> bytes:
    """What comes of a pickled call, pickled: its result, its named error, MemoryError, or an error nobody expected."""
    try:
        call = pickle.loads(content)  # noqa: S301, between two processes of one program
        return pickle.dumps(_carried_out(call, answers), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        return pickle.dumps(MemoryError())
    except Exception as error:  # noqa: BLE001, the parent raises it
        return pickle.dumps(Failed.by(error), pickle.HIGHEST_PROTOCOL)


def _carried_out(call: Call, answers: IO[bytes]) -> object:
    os.chdir(call.folder)
    sys.path[:] = call.paths
    function: Any = importlib.import_module(call.module)
    for name in call.name.split("."):
        function = getattr(function, name)
    send(answers, Ready())
    with _bounded(call.bounds):
        try:
            return Returned(function(*call.arguments, **call.named))
        except PrimeflowError as error:
            return _alone(error)
        except MemoryError:
            return MemoryError()


@contextmanager
def _bounded(bounds: Bounds) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    last = math.ceil(used.ru_utime + used.ru_stime + bounds.processor + LATER)
    signal.setitimer(signal.ITIMER_REAL, bounds.wall + LATER)
    limits = {resource.RLIMIT_CPU: last, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":
        limits[resource.RLIMIT_AS] = _addresses() + MORE_ADDRESSES * bounds.memory
    before = {kind: resource.getrlimit(kind) for kind in limits}
    for kind, soft in limits.items():
        hard = before[kind][1]
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind, pair in before.items():
            resource.setrlimit(kind, pair)


def _addresses() -> int:
    """Bytes of addresses that this process has taken."""
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the parent, with whom this process ends
    with suppress(BrokenPipeError):  # the parent was killed
        while (content := _read(calls)) is not None:
            _write(answers, answer(content, answers))


if __name__ == "__main__":
    # Under its own name, or its classes would not be those that the parent sends.
    from primeflow_core.runtime import bounded_child

    bounded_child.main()
