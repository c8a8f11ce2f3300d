"""A journey through the Benchmark page in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import FITS, accessible, each_look, wait_until_drawn
from tests.browser.conftest import Watched
from tests.browser.servers import Server, serving
from tests.shipped_benchmarks import ship

GRID = ".st-key-by-condition .js-plotly-plot"
CELLS = ".st-key-one-condition .js-plotly-plot"


@pytest.fixture(scope="module")
def compared(app_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app with a small benchmark."""
    place = tmp_path_factory.mktemp("compared")
    ship(place / "results" / "pairs")
    with serving(place / "log.txt", app_environment | {"PRIMEFLOW_RESULTS": str(place / "results")}) as running:
        yield running


def opened(watched: Watched, server: Server, address: str = "") -> Page:
    watched.page.goto(f"{server.address}/benchmark{address}")
    watched.page.wait_for_selector(CELLS)
    wait_until_drawn(watched.page)
    return watched.page


def test_the_first_view_shows_everything_without_a_click(watched, compared):
    page = opened(watched, compared)
    expect(page.get_by_role("heading", name="Pairs of K562")).to_be_visible()
    expect(page.get_by_text(re.compile("^Best mean of 6 models"))).to_be_visible()
    for title in ("Leaderboard", "MMD GEX: every training", "MMD GEX: every condition", "B+C: the cells"):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    for look in each_look(page, [(1280, "light"), (1280, "dark"), (420, "light")]):
        assert page.evaluate(FITS), look
        assert accessible(page) == [], look


def test_a_click_on_a_field_shows_its_cells_and_the_link_keeps_them(watched, compared, tmp_path):
    page = opened(watched, compared)
    page.locator(GRID).scroll_into_view_if_needed()
    plot = page.locator(f"{GRID} .nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    # The last of three conditions, the second of eight rows.
    plot.click(position={"x": box["width"] * 5 / 6, "y": box["height"] * 1.5 / 8})
    expect(page.get_by_role("heading", name="A+B: the cells", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("condition=A%2BB"))
    wait_until_drawn(page)
    page.reload()
    expect(page.get_by_role("heading", name="A+B: the cells", exact=True)).to_be_visible()
    wait_until_drawn(page)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Leaderboard (csv)", exact=True).click()
    assert saving.value.suggested_filename == "primeflow-benchmark-pairs.csv"
    text = saving.value.path().read_text()
    assert "unet-tiny" in text
    assert "floor: control cells" in text


def test_it_is_pinned_and_presented(watched, compared):
    page = opened(watched, compared)
    page.get_by_role("button", name="Add to report").click()
    expect(page.get_by_role("link", name="In the report (1)")).to_be_visible()
    page.get_by_role("button", name="Present").click()
    expect(page.get_by_text("1 of 4")).to_be_visible()
    for number in (2, 3, 4):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text(f"{number} of 4")).to_be_visible()
    page.wait_for_selector(".js-plotly-plot")
    wait_until_drawn(page)
    watched.keep("benchmark-presented")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Leaderboard", exact=True)).to_be_visible()
