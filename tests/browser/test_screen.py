"""Journeys through the Rank page in a real browser."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app_models import NAME
from tests.app_screens import made_up, ship
from tests.browser.accessibility import FITS, accessible, each_look, wait_until_drawn
from tests.browser.conftest import Watched
from tests.browser.servers import Server, serving

RANK = ".st-key-rank button"
SO_FAR = re.compile(r"PREDICTED: [\d,]+ of 780 pairs, ranked among themselves so far")
ROW_HEIGHT, FIRST_ROW = 35, 52


@pytest.fixture(scope="module")
def ranked(app_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app with a tiny model that comes with a ranking."""
    place = tmp_path_factory.mktemp("ranked")
    shutil.copytree(Path(app_environment["PRIMEFLOW_CHECKPOINTS"]) / NAME, place / NAME)
    ship(place / NAME, made_up(place / NAME))
    chosen = app_environment | {"PRIMEFLOW_CHECKPOINTS": str(place)}
    with serving(place / "server.log", chosen) as running:
        yield running


def opened(watched: Watched, server: Server, address: str = "") -> Page:
    watched.page.goto(f"{server.address}/screen{address}")
    watched.page.wait_for_selector(RANK)
    return watched.page


def choose(page: Page, *rows: int) -> None:
    """Tick rows of the ranking, whose table is drawn on a canvas."""
    table = page.locator(".st-key-ranking-table").get_by_test_id("stDataFrame")
    wait_until_drawn(page)
    expect(table).to_have_count(1)
    for row in rows:
        table.click(position={"x": 18, "y": FIRST_ROW + ROW_HEIGHT * row})
        expect(page.get_by_text(re.compile("^[0-9]+ chosen$"))).to_be_visible()
        wait_until_drawn(page)


def test_the_first_view_shows_a_ranking_without_a_click(watched, ranked):
    page = opened(watched, ranked)
    expect(page.get_by_role("heading", name="Which pairs change the cells most?")).to_be_visible()
    for title in ("How far to trust this ranking", "The ranking", "All pairs", "Next experiments"):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    page.wait_for_selector(".st-key-all-pairs .js-plotly-plot")
    for look in each_look(page):
        assert page.evaluate(FITS), look
        assert accessible(page) == [], look


def test_rows_stream_in_and_stay_when_cancelled(watched, ranked):
    page = opened(watched, ranked, "?cells=40&seed=3")
    expect(page.get_by_text("Nothing is ranked for this question yet")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text(SO_FAR)).to_be_visible()
    watched.keep("ranking")
    page.reload()
    expect(page.get_by_text(SO_FAR)).to_be_visible()
    page.get_by_role("button", name="Cancel ranking").click()
    expect(page.get_by_text(re.compile(r"Cancelled after [\d,]+ of 780; these are ranked"))).to_be_visible()
    expect(page.get_by_role("heading", name="The ranking", exact=True)).to_be_visible()
    expect(page.locator(RANK)).to_be_visible()


def test_chosen_rows_are_set_side_by_side(watched, ranked):
    page = opened(watched, ranked)
    page.get_by_role("textbox", name="Find").fill("simg")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("find=simg"))
    choose(page, 0, 1)
    expect(page.get_by_text("2 chosen")).to_be_visible()
    page.get_by_role("button", name="Add to Compare").click()
    page.get_by_role("link", name="In Compare (2)").click()
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Remove")).to_have_count(2)


def test_a_row_is_opened_in_explore(watched, ranked):
    page = opened(watched, ranked)
    page.get_by_role("textbox", name="Find").wait_for()
    choose(page, 0)
    page.get_by_role("link", name="Open in Explore").click()
    expect(page.get_by_role("heading", name="Where the cells lie")).to_be_visible()
    assert "a=" in page.url
    assert "b=" in page.url


def test_a_ranking_is_saved(watched, ranked, tmp_path):
    page = opened(watched, ranked)
    for name, ending in (("Ranking (csv)", "csv"), ("Ranking (parquet)", "parquet")):
        with page.expect_download() as saving:
            page.get_by_role("button", name=name, exact=True).click()
        assert saving.value.suggested_filename == f"primeflow-ranking-{NAME}.{ending}"
