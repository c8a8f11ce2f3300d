"""Servers of the app, each a process of its own.

Most are forked from one parent that has imported the libraries, because importing them takes longer than most tests.
The app's own modules are imported by each server itself, as on a fresh start.
"""

import os
import runpy
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.forked import parent

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 240
STOPS_WITHIN = 60


@dataclass
class Server:
    """A running app at ``address``; ``log`` is what it wrote.

    ``status`` waits for the end and returns the exit status, or None when the server still runs after the seconds.
    """

    pid: int
    address: str
    log: Path
    terminate: Callable[[], None]
    status: Callable[[float], int | None]


@contextmanager
def serving(log: Path, environment: Mapping[str, str]) -> Iterator[Server]:
    """An app with these variables of the environment, stopped at the end. Fails when it wrote a traceback."""
    server = fork(log, environment)
    try:
        yield server
    finally:
        stop(server)
    assert "Traceback" not in log.read_text()


def fork(log: Path, environment: Mapping[str, str]) -> Server:
    """Start a server from the parent that has the libraries."""
    port = free_port()
    process = parent().Process(target=_serve, args=(port, log, os.environ | environment))
    process.start()
    assert process.pid is not None

    def status(seconds: float) -> int | None:
        process.join(seconds)
        return process.exitcode

    return _answering(Server(process.pid, f"http://127.0.0.1:{port}", log, process.terminate, status))


def by_command(log: Path, environment: Mapping[str, str]) -> Server:
    """Start a server as people do."""
    port = free_port()
    command = [sys.executable, "-m", "primeflow_core", "app", "--port", str(port)]
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=stream, stderr=subprocess.STDOUT
        )

    def status(seconds: float) -> int | None:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    return _answering(Server(process.pid, f"http://127.0.0.1:{port}", log, process.terminate, status))


def stop(server: Server) -> int:
    """The exit status after a polite request to end."""
    server.terminate()
    status = server.status(STOPS_WITHIN)
    if status is None:
        os.kill(server.pid, 9)
        raise AssertionError(f"the server goes on after {STOPS_WITHIN} s: {server.log.read_text()}")
    return status


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answering(server: Server) -> Server:
    """The server once it says that it is well."""
    limit = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < limit and server.status(0) is None:
        try:
            with urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return server
        except OSError:
            time.sleep(0.1)
    stop(server)
    raise AssertionError(f"the server did not start: {server.log.read_text()}")


def _serve(port: int, log: Path, environment: dict[str, str]) -> None:
    """Become the process that ``primeflow app`` becomes."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    with log.open("wb") as stream:
        for standard in (1, 2):
            os.dup2(stream.fileno(), standard)
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), *options]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
