"""Processes of this machine that share work: what they outlive."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import pytest

from primeflow_core.runtime.dask_workers import local_workers

ROOT = Path(__file__).resolve().parents[2]
STOPPED = 8.0
"""Seconds; Dask looks for silent workers every second here, and gives them five."""
TWICE = """
from primeflow_core.runtime.dask_workers import local_workers

if __name__ == "__main__":
    for _ in range(2):
        with local_workers(1) as client:
            print(client.submit(abs, -3).result(timeout=240))
"""


@pytest.mark.slow
def test_work_that_was_stopped_and_continued_goes_on():
    """Ctrl-Z and fg, or a laptop that slept: Dask would give up workers it has not heard of for minutes."""
    with dask.config.set({"distributed.scheduler.worker-ttl": "1s"}), local_workers(1) as client:
        worker = client.submit(os.getpid).result(timeout=240)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(STOPPED)
        os.kill(worker, signal.SIGCONT)
        assert client.submit(os.getpid, pure=False).result(timeout=240) == worker


@pytest.mark.slow
def test_workers_come_a_second_time(tmp_path):
    """Where Dask is first imported among settings of ours, its own go with them."""
    script = tmp_path / "twice.py"
    script.write_text(TWICE)
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT, check=False,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert ran.stdout.split() == ["3", "3"], ran.stderr
