"""Moving through the app: opening it at an address, and following its links."""

import re

from playwright.sync_api import Page, expect

import pages
from tests.browser.accessibility import wait_until_drawn
from tests.browser.conftest import Watched
from tests.browser.servers import Server

TITLES = {page.name: page.title for page in pages.PAGES}


def opened(watched: Watched, server: Server, address: str = "/") -> Page:
    watched.page.goto(server.address + address)
    wait_until_drawn(watched.page)
    return watched.page


def go(page: Page, name: str) -> None:
    """By its link in the sidebar."""
    page.locator(".st-key-navigation").get_by_role("link", name=TITLES[name], exact=True).click()
    expect(page).to_have_url(re.compile(rf"/{name}(\?|$)" if name != "explore" else r"/(explore)?(\?|$)"))
    wait_until_drawn(page)
