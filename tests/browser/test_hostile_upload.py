"""The server answers all the while somebody uploads a file that makes its reader spin or swell."""

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests import hostile_files
from tests.browser.journey import opened
from tests.browser.servers import serving

SECONDS_TO_ANSWER = 1.0


@contextmanager
def asking(address: str) -> Iterator[list[float]]:
    """Seconds that each answer of the health check took, asked ten times a second."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.1):
            start = time.monotonic()
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=60) as answer:
                assert answer.read() == b"ok"
            took.append(time.monotonic() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


@pytest.fixture(scope="module")
def small_machine(app_environment, tmp_path_factory):
    """A server where a file may take 0.1 GB of memory."""
    log = tmp_path_factory.mktemp("hostile") / "server.log"
    with serving(log, app_environment | {"PRIMEFLOW_MEMORY_GB": "0.1"}) as running:
        yield running


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (hostile_files.spinning, "and was stopped"),
        (hostile_files.dense, "GB of memory or more when it is read"),
        (hostile_files.long_texts, "GB of memory or more when it is read"),
    ],
)
def test_the_server_answers_while_a_file_is_refused(watched, small_machine, tmp_path, made, said):
    path = made(tmp_path)
    page = opened(watched, small_machine, "/cells")
    with asking(small_machine.address) as took:
        page.locator("input[type=file]").set_input_files(path)
        expect(page.get_by_text(said).first).to_be_visible()
    assert took
    assert max(took) < SECONDS_TO_ANSWER
