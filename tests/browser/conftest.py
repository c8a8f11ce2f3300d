"""A real server and a real Chromium; every page is watched for console errors and requests to other hosts."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
WAIT = 120_000
# Opened at the address of a page, Streamlit's front end asks there first whether it is the root of the app.
PROBES = r"/[a-z]+/_stcore/(health|host-config)$"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Server:
    """A running app at ``address``; ``log`` is what it wrote."""

    process: subprocess.Popen
    address: str
    log: Path


def start(port: int, log: Path, environment: dict[str, str]) -> Server:
    command = [sys.executable, "-m", "primeflow_core", "app", "--port", str(port)]
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=stream, stderr=subprocess.STDOUT
        )
    server = Server(process, f"http://127.0.0.1:{port}", log)
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return server
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text()}")


def stop(server: Server) -> int:
    """The exit status after a polite request to end."""
    server.process.terminate()
    return server.process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server(app_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(free_port(), tmp_path_factory.mktemp("log") / "server.log", app_environment)
    yield running
    stop(running)
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as it ships, on a machine that has nothing else."""
    place = tmp_path_factory.mktemp("newcomer")
    chosen = {"PRIMEFLOW_CACHE": str(place), "PRIMEFLOW_CHECKPOINTS": "", "PRIMEFLOW_MIRROR": ""}
    running = start(free_port(), place / "server.log", chosen)
    yield running
    stop(running)
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="session")
def with_real_cells(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> Iterator[Server]:
    """The app as it ships, where the real cells are at hand."""
    place = tmp_path_factory.mktemp("real")
    chosen = {"PRIMEFLOW_CACHE": str(place), "PRIMEFLOW_CHECKPOINTS": "", "PRIMEFLOW_MIRROR": str(mirror)}
    running = start(free_port(), place / "server.log", chosen)
    yield running
    stop(running)
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        reason = f"no Chromium here (looked for {', '.join(CHROMIUM)}); install it with apt-get install chromium"
        if os.environ.get("PRIMEFLOW_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield chromium
        chromium.close()


@dataclass
class Watched:
    """A browser page and what it did that it must not do."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not re.search(PROBES, said.location.get("url", "")):
            self.errors.append(f"{said.text} ({said.location.get('url', '')})")

    @property
    def elsewhere(self) -> list[str]:
        """Requests that went to another host."""
        return [url for url in self.requests if urlsplit(url).hostname not in ("127.0.0.1", "localhost", None)]

    def keep(self, name: str) -> None:
        """A screenshot for people, in a folder that git ignores."""
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")


@pytest.fixture
def watched(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh page; ``size`` and ``scheme`` may be set by a marker ``parametrize(..., indirect=True)``."""
    width, height, scheme = getattr(request, "param", (1280, 900, "light"))
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    seen = Watched(context.new_page())
    yield seen
    seen.keep(request.node.name.replace("[", "-").rstrip("]"))
    body = seen.page.inner_text("body")
    context.close()
    assert seen.errors == []
    assert seen.elsewhere == []
    assert "Traceback" not in body
    assert "encountered an error" not in body
