"""Every page as axe-core sees it, in both themes."""

import pytest

import pages
from tests.browser.accessibility import accessible, wait_until_drawn


@pytest.mark.parametrize("watched", [(1280, 900, "light"), (1280, 900, "dark")], indirect=True, ids=["light", "dark"])
@pytest.mark.parametrize("name", [page.name for page in pages.PAGES])
def test_a_page_keeps_nobody_out(watched, server, name):
    watched.page.goto(f"{server.address}/{name}")
    wait_until_drawn(watched.page)
    assert accessible(watched.page) == []


def test_it_is_noticed_when_something_is_wrong(browser):
    page = browser.new_page()
    page.set_content("<html lang=en><title>t</title><main><button></button><h1 style='color:#CCC'>pale</h1></main>")
    found = accessible(page)
    assert len(found) == 2
    assert "color-contrast" in found[0] + found[1]
    assert "button-name" in found[0] + found[1]
    assert accessible(page, beside=["button", "h1"]) == []
    page.close()
