"""Memory of the app for each open browser tab: resident memory of the server with none, with one and with ten more.

The first tab pays for what all share (packages, the model, its data), so it is counted by itself. Needs Chromium and
requirements-dev.txt.

    python -m benchmarks.sessions --out benchmarks/results/sessions.json
"""

import argparse
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from playwright.sync_api import Error as BrowserError

from benchmarks.measure import print_table, save

ROOT = Path(__file__).resolve().parents[1]
MEGABYTE = 2**20
READY = ".js-plotly-plot"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Memory:
    """Resident megabytes of the server: ``idle``, with one tab, and with ``tabs`` more."""

    idle: float
    first: float
    all: float
    tabs: int

    @property
    def each(self) -> float:
        """Megabytes for each tab after the first."""
        return (self.all - self.first) / self.tabs


def resident(process: int) -> float:
    """Resident memory of a process, MB."""
    return float(psutil.Process(process).memory_info().rss) / MEGABYTE


def memory_of_tabs(browser: Browser, address: str, process: int, tabs: int, settle: float = 3) -> Memory:
    """Open one tab and then ``tabs`` more, each a visitor of its own, and leave all of them idle on the first view.

    ``settle``: seconds before the memory is read.
    """
    idle = resident(process)
    opened = [_visitor(browser, address)]
    time.sleep(settle)
    first = resident(process)
    opened += [_visitor(browser, address) for _ in range(tabs)]
    time.sleep(settle)
    memory = Memory(idle, first, resident(process), tabs)
    for visitor in opened:
        visitor.close()
    return memory


def _visitor(browser: Browser, address: str) -> BrowserContext:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_selector(READY)
    return context


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def app(port: int) -> Iterator[subprocess.Popen]:
    """The app as it ships, answering at ``port``."""
    running = subprocess.Popen(
        [sys.executable, "-m", "primeflow_core", "app", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


def wait_for(browser: Browser, address: str, seconds: float = 60) -> None:
    """Until the server answers. Raises the browser's error when it does not in time."""
    page = browser.new_page()
    limit = time.monotonic() + seconds
    while True:
        try:
            page.goto(f"{address}/_stcore/health")
        except BrowserError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.5)
        else:
            page.close()
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=10)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        parser.error(f"no Chromium here (looked for {', '.join(CHROMIUM)})")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with app(port) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        wait_for(browser, address)
        memory = memory_of_tabs(browser, address, running.pid, given.tabs)
        browser.close()
    rows: list[dict[str, object]] = [
        {"tabs": 0, "server MB": memory.idle, "MB a tab": ""},
        {"tabs": 1, "server MB": memory.first, "MB a tab": memory.first - memory.idle},
        {"tabs": 1 + memory.tabs, "server MB": memory.all, "MB a tab": memory.each},
    ]
    print_table(rows)
    if given.out:
        megabytes = {**asdict(memory), "each": memory.each}
        save(given.out, {"view": "first view of the app as it ships, idle", "megabytes": megabytes})


if __name__ == "__main__":
    main()
