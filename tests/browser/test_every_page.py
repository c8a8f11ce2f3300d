"""Every page by itself: at each width and in each theme, to axe-core, and on a server that was just started."""

import pytest
from playwright.sync_api import Page, expect

import pages
from tests.browser.accessibility import FITS, SCROLLS, accessible, each_look
from tests.browser.conftest import Watched
from tests.browser.journey import TITLES, go, opened
from tests.browser.servers import Server, serving

WIDE = 1280
NAMES = [page.name for page in pages.PAGES]
every_page = pytest.mark.parametrize("name", NAMES)


@every_page
def test_a_page_fits_its_window_and_keeps_nobody_out(watched: Watched, server: Server, name: str):
    page = opened(watched, server, f"/{name}")
    for look in each_look(page):
        assert fits(page), look
        assert accessible(page, unasked=[SCROLLS] if look[0] < WIDE else []) == [], look


@pytest.mark.long
@pytest.mark.parametrize("watched", [(1280, 900, "dark"), (800, 900, "light")], indirect=True, ids=["dark", "narrow"])
@every_page
def test_a_page_opens_as_it_looks_after_a_change(watched: Watched, server: Server, name: str):
    page = opened(watched, server, f"/{name}")
    assert fits(page)
    assert accessible(page, unasked=[SCROLLS]) == []


@pytest.mark.parametrize("watched", [(800, 900, "dark")], indirect=True, ids=["narrow-dark"])
@pytest.mark.parametrize(
    "name", [name if name in ("explore", "benchmark") else pytest.param(name, marks=pytest.mark.long) for name in NAMES]
)
def test_a_fresh_server_opens_on_any_page(watched, app_environment, tmp_path, name):
    with serving(tmp_path / "log.txt", app_environment) as fresh:
        page = opened(watched, fresh, f"/{name}")
        assert fits(page)
        for title in TITLES.values():
            expect(page.locator(".st-key-navigation").get_by_role("link", name=title, exact=True)).to_be_visible()
        other = "about" if name != "about" else "report"
        go(page, other)
        expect(page.get_by_role("heading", level=2, name=TITLES[other])).to_be_visible()
        page.goto("about:blank")


def fits(page: Page) -> bool:
    """The page has its heading, and nothing of it lies outside the window."""
    expect(page.get_by_role("heading", level=2).first).to_be_visible()
    return bool(page.evaluate(FITS))


def test_it_is_noticed_when_something_is_wrong(visitors):
    page = visitors.new_page()
    page.set_content("<html lang=en><title>t</title><main><button></button><h1 style='color:#CCC'>pale</h1></main>")
    found = accessible(page)
    assert len(found) == 2
    assert "color-contrast" in found[0] + found[1]
    assert "button-name" in found[0] + found[1]
    assert accessible(page, beside=["button", "h1"]) == []
    page.close()
