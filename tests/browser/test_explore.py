"""Journeys through Explore in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

MAP = ".js-plotly-plot"


def drawn(page: Page) -> Page:
    """Wait until a map is drawn and the script has ended."""
    expect(page.locator(MAP).first).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return page


def settled(page: Page) -> Page:
    """Wait until predicted cells are compared with the truth."""
    expect(page.get_by_role("heading", name="Genes that change most")).to_be_visible()
    return drawn(page)


def test_without_network_or_mirror_it_opens_on_simulated_cells_with_no_click(visit, simulated_app):
    page = settled(visit(simulated_app))
    expect(page.get_by_text("SIMULATED data")).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"the model expects \d+ genes up, \d+ down; the simulation agrees"))
    ).to_be_visible()
    expect(page.get_by_text("How far to trust it")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Download real cells"))).to_be_visible()


def test_with_real_cells_it_opens_on_a_held_out_pair(visit, real_app):
    page = settled(visit(real_app))
    expect(page.get_by_role("heading", name=re.compile("Switching up KLF1 and MAP2K6 in k562"))).to_be_visible()
    expect(page.get_by_text("MEASURED 100 cells, held out")).to_be_visible()
    expect(page.get_by_text("Each part seen alone, never together: a prediction")).to_be_visible()


def test_predict_shows_cells_live_and_then_the_finished_map(visit, simulated_app):
    page = drawn(visit(f"{simulated_app}/?cells=60&seed=7"))
    page.locator(".st-key-predict button").click()
    expect(page.get_by_text("PREDICTED 60 cells")).to_be_visible()
    settled(page)
    assert "job=" in page.url
    assert "seed=7" in page.url


def test_a_running_prediction_survives_a_reload_and_can_be_cancelled(visit, simulated_app):
    page = drawn(visit(f"{simulated_app}/?cells=5000&seed=3"))
    page.locator(".st-key-predict button").click()
    expect(page.get_by_text("Cells are being made")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Making 5,000 cells: ([1-9]|\d\d)%"))).to_be_visible()
    expect(page.get_by_test_id("stEChartsChart").locator("canvas").first).to_be_visible()
    page.reload()
    expect(page.get_by_text("Cells are being made")).to_be_visible()
    page.get_by_role("button", name="Cancel prediction").click()
    expect(page.get_by_text(re.compile(r"Cancelled after [\d,]+ of 5,000 cells"))).to_be_visible()


def test_keyboard_alone_predicts(visit, simulated_app):
    page = drawn(visit(f"{simulated_app}/?cells=50&seed=11"))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("PREDICTED 50 cells")).to_be_visible()


def test_a_deep_link_shows_the_same_view(visit, real_app):
    link = f"{real_app}/?model=perturbench-devel&context=k562&a=KLF1&b=TGFBR2"
    page = settled(visit(link))
    expect(page.get_by_role("heading", name=re.compile("KLF1 and TGFBR2 in k562"))).to_be_visible()


def test_a_link_with_an_unknown_gene_says_so(visit, real_app):
    page = visit(f"{real_app}/?model=perturbench-devel&context=k562&a=KLF11")
    expect(
        page.get_by_text(re.compile("KLF11 is not a perturbation this model knows. Did you mean KLF1"))
    ).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_window_needs_no_sideways_scrolling(visit, simulated_app, dark):
    page = settled(visit(simulated_app, width=800, dark=dark))
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
