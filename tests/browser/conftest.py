"""A real server and a real Chromium. Without a browser these tests skip, or fail where the environment forbids that."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
PATIENCE_MS = 60_000
LOCAL = {"127.0.0.1", "localhost", ""}


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        reason = "no Chromium here: install it (apt-get install chromium) to run the browser tests"
        if os.environ.get("PRIMEFLOW_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(cache: Path, mirror: str | None) -> Iterator[str]:
    """Start the app as a user does and yield its address."""
    port = free_port()
    environment = {**os.environ, "PRIMEFLOW_CACHE": str(cache)}
    environment.pop("PRIMEFLOW_MIRROR", None)
    if mirror:
        environment["PRIMEFLOW_MIRROR"] = mirror
    log = (cache / "server.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "primeflow_core", "app", "--port", str(port)],
        cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()
    assert "Traceback" not in (cache / "server.log").read_text()


def wait_until_healthy(address: str, server: subprocess.Popen) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                assert answer.read() == b"ok"
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server did not come up")


@pytest.fixture(scope="session")
def simulated_app(tmp_path_factory):
    """No cache, no mirror: what a newcomer without network has."""
    yield from serve(tmp_path_factory.mktemp("empty-cache"), None)


@pytest.fixture(scope="session")
def real_app(tmp_path_factory, mirror):
    yield from serve(tmp_path_factory.mktemp("cache"), str(mirror))


@dataclass
class Watched:
    """What the browser complained about and whom it asked."""

    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@pytest.fixture
def visit(chromium, request):
    """Open pages; afterwards: a screenshot of each, no console error, no external request, no traceback."""
    opened = []

    def go(address: str, *, width: int = 1280, dark: bool = False):
        scheme = "dark" if dark else "light"
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page, watched = context.new_page(), Watched()
        page.on("console", lambda message: watched.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("request", lambda asked: watched.hosts.add(urlparse(asked.url).hostname or ""))
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        opened.append((context, page, watched))
        return page

    yield go
    ARTIFACTS.mkdir(exist_ok=True)
    for number, (context, page, watched) in enumerate(opened):
        page.screenshot(path=ARTIFACTS / f"{request.node.name}-{number}.png", full_page=True)
        text = page.inner_text("body")
        context.close()
        assert watched.errors == []
        assert watched.hosts <= LOCAL
        assert "Traceback" not in text
