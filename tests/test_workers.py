"""Processes of this machine that share work: what they outlive."""

import os
import signal
import time

import dask
import pytest

from primeflow_core.workers import local_workers

STOPPED = 12.0
"""Seconds; Dask looks for silent workers every second here, and gives them five."""


@pytest.mark.slow
def test_work_that_was_stopped_and_continued_goes_on():
    """Ctrl-Z and fg, or a laptop that slept: Dask would give up workers it has not heard of for minutes."""
    with dask.config.set({"distributed.scheduler.worker-ttl": "1s"}), local_workers(1) as client:
        worker = client.submit(os.getpid).result(timeout=60)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(STOPPED)
        os.kill(worker, signal.SIGCONT)
        assert client.submit(os.getpid, pure=False).result(timeout=60) == worker
