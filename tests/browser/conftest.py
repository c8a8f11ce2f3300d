"""A real server and a real Chromium; every page is watched for console errors and requests to other hosts."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.servers import Server, serving

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


@pytest.fixture(scope="session")
def server(app_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("log") / "server.log", app_environment) as running:
        yield running


@pytest.fixture(scope="session")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as it ships, on a machine that has nothing else."""
    place = tmp_path_factory.mktemp("newcomer")
    chosen = {"PRIMEFLOW_CACHE": str(place), "PRIMEFLOW_CHECKPOINTS": "", "PRIMEFLOW_MIRROR": ""}
    with serving(place / "server.log", chosen) as running:
        yield running


@pytest.fixture(scope="session")
def with_real_cells(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> Iterator[Server]:
    """The app as it ships, where the real cells are at hand."""
    place = tmp_path_factory.mktemp("real")
    chosen = {"PRIMEFLOW_CACHE": str(place), "PRIMEFLOW_CHECKPOINTS": "", "PRIMEFLOW_MIRROR": str(mirror)}
    with serving(place / "server.log", chosen) as running:
        yield running


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


@pytest.fixture(scope="session")
def visitors(browser: Browser) -> Iterator[BrowserContext]:
    """One cache for all pages, so that the scripts of a server are read once."""
    context = browser.new_context(accept_downloads=True, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def watched(visitors: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh page; ``size`` and ``scheme`` may be set by a marker ``parametrize(..., indirect=True)``."""
    width, height, scheme = getattr(request, "param", (1280, 900, "light"))
    seen = Watched(visitors.new_page())
    seen.page.set_viewport_size({"width": width, "height": height})
    seen.page.emulate_media(color_scheme=scheme)
    yield seen
    seen.keep(request.node.name.replace("[", "-").rstrip("]"))
    body = seen.page.inner_text("body")
    if seen.page.url.startswith("http"):
        seen.page.evaluate("localStorage.clear()")
    seen.page.close()
    assert seen.errors == []
    assert seen.elsewhere == []
    assert "Traceback" not in body
    assert "encountered an error" not in body
