"""Journeys through the Explore page in a real browser."""

import re
import urllib.request

import anndata
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.app_models import NAME, SHIPPED
from tests.browser.accessibility import FITS, wait_until_drawn
from tests.browser.conftest import WAIT, Watched
from tests.browser.servers import Server, by_command, stop

PLOT = ".st-key-overlay .js-plotly-plot"
PREDICT = ".st-key-predict button"
LIVE = ".st-key-live-map canvas"


def names(page: Page, key: str = "overlay") -> list[str]:
    """What the traces of a finished figure are called."""
    return page.eval_on_selector(f".st-key-{key} .js-plotly-plot", "plot => plot.data.map(trace => trace.name)")


def opened(watched: Watched, server: Server, address: str = "/") -> Page:
    watched.page.goto(server.address + address)
    watched.page.wait_for_selector(PLOT)
    return watched.page


def test_the_server_says_that_it_is_well(server):
    with urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=5) as answer:
        assert answer.read() == b"ok"


def test_the_first_view_shows_cells_without_a_click(watched, server):
    page = opened(watched, server)
    expect(page.get_by_role("heading", name=re.compile("the model expects"))).to_be_visible()
    assert names(page) == ["Simulated control · 300", "Simulated · 72", f"Predicted · {SHIPPED}"]
    for title in ("Where the cells lie", "How far to trust it", "Genes that change most"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert page.evaluate(FITS)


def test_a_newcomer_without_network_opens_on_simulated_cells(watched, newcomer):
    page = opened(watched, newcomer)
    expect(page.get_by_text("SIMULATED data")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("the simulation agrees on"))).to_be_visible()
    expect(page.get_by_role("button", name="Download real cells (1.1 MB)")).to_be_visible()


def test_with_the_real_cells_it_opens_on_a_pair_that_the_model_never_saw(watched, with_real_cells):
    page = opened(watched, with_real_cells)
    expect(page.get_by_role("heading", name=re.compile("Switching up KLF1 and MAP2K6 in k562"))).to_be_visible()
    expect(page.get_by_text("MEASURED 100 cells, held out")).to_be_visible()
    expect(page.get_by_text("Each part seen alone, never together: a prediction")).to_be_visible()
    expect(page.get_by_role("heading", name="Genes that change most")).to_be_visible()
    wait_until_drawn(page)


def test_predicting_is_live_and_ends_with_the_result(watched, server):
    page = opened(watched, server, "/?cells=250&seed=3&w=2")
    expect(page.get_by_text("Nothing is predicted for this question yet")).to_be_visible()
    page.locator(PREDICT).click()
    page.wait_for_selector(LIVE)
    expect(page.get_by_text("Predicting 250 cells")).to_be_visible()
    watched.keep("live")
    page.wait_for_selector(PLOT)
    assert names(page)[-1] == "Predicted · 250"
    assert {"cells=250", "seed=3", "w=2"} <= set(page.url.split("?")[1].split("&"))


def test_the_keyboard_predicts(watched, server):
    page = opened(watched, server, "/?cells=30&seed=4")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("PREDICTED 30 cells")).to_be_visible()


def test_cancelling_says_what_there_is(watched, server):
    page = opened(watched, server, "/?cells=5000&seed=5")
    page.locator(PREDICT).click()
    expect(page.get_by_text(re.compile(r"Predicting 5,000 cells: [1-9]"))).to_be_visible()
    page.get_by_role("button", name="Cancel prediction").click()
    expect(page.get_by_text(re.compile(r"Cancelled after [\d,]+ of 5,000 cells"))).to_be_visible()
    expect(page.locator(PREDICT)).to_be_visible()


def test_loading_the_page_again_finds_the_running_job(watched, server):
    page = opened(watched, server, "/?cells=4000&seed=6")
    page.locator(PREDICT).click()
    page.wait_for_selector(LIVE)
    page.reload()
    page.wait_for_selector(LIVE)
    expect(page.get_by_text("Predicting 4,000 cells")).to_be_visible()
    page.get_by_role("button", name="Cancel prediction").click()
    expect(page.get_by_text("Cancelled after")).to_be_visible()


def test_another_visitor_keeps_their_own_job(watched, server, visitors):
    page = opened(watched, server, "/?cells=3000&seed=7")
    page.locator(PREDICT).click()
    page.wait_for_selector(LIVE)
    other = visitors.new_page()
    other.set_default_timeout(WAIT)
    other.goto(f"{server.address}/?cells=40&seed=8")
    other.wait_for_selector(PLOT)
    other.locator(PREDICT).click()
    expect(other.get_by_text("One job is ahead of you")).to_be_visible()
    page.get_by_role("button", name="Cancel prediction").click()
    expect(page.get_by_text("Cancelled after")).to_be_visible()
    expect(other.get_by_text("PREDICTED 40 cells")).to_be_visible()
    other.close()


def test_going_back_brings_the_last_view_back(watched, server):
    page = opened(watched, server)
    before = page.get_by_role("heading", level=2).first.inner_text()
    box = page.get_by_role("combobox", name=re.compile("with a second one"))
    box.click()
    box.fill("simg")
    page.get_by_role("option", name=re.compile("each part seen alone")).first.click()
    expect(page.get_by_text("Nothing is predicted for this question yet")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=2).first).to_have_text(before)


def test_moving_the_guidance_weight_is_in_the_address(watched, server):
    page = opened(watched, server)
    page.get_by_role("slider", name="Guidance weight").focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"[?&]w=1\.5"))
    page.reload()
    expect(page.get_by_role("slider", name="Guidance weight")).to_have_value("1.5")


def test_tables_cells_and_figures_can_be_saved(watched, server, tmp_path):
    page = opened(watched, server)
    for name, ending in (("Genes (csv)", "csv"), ("Predicted cells (h5ad)", "h5ad")):
        with page.expect_download() as saving:
            page.get_by_role("button", name=name, exact=True).click()
        assert saving.value.suggested_filename.endswith(f"{NAME}-{'genes' if ending == 'csv' else 'cells'}.{ending}")
        saving.value.save_as(tmp_path / f"saved.{ending}")
    assert len(pd.read_csv(tmp_path / "saved.csv")) == 500
    assert anndata.read_h5ad(tmp_path / "saved.h5ad").shape == (SHIPPED, 500)
    page.locator(".st-key-save-map button").first.click()
    for kind, begins in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as saving:
            page.get_by_role("button", name=f"Figure ({kind})").click()
        saving.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(begins)


def test_names_in_a_link_are_never_markup(watched, server):
    watched.page.goto(f"{server.address}/?a=[x](http://evil.example)%20:material/home:%20<img src=x>")
    error = watched.page.get_by_text("is not a perturbation this model knows")
    expect(error).to_be_visible()
    assert "[x](http" in error.inner_text()
    assert ":material/home:" in error.inner_text().replace("\N{ZERO WIDTH SPACE}", "")
    assert watched.page.locator("[data-testid=stAlert] a, [data-testid=stAlert] img").count() == 0


# In `make test` a page without a browser does the same, with a map that needs no compiling.
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_umap_is_fitted_only_when_it_is_asked_for(watched, server):
    page = opened(watched, server)
    page.get_by_role("radio", name="UMAP").or_(page.get_by_role("button", name="UMAP")).first.click()
    expect(page.get_by_text("The UMAP is being fitted")).to_be_visible()
    watched.keep("umap-waiting")
    # A server's first UMAP is compiled: under a minute on two idle cores, many on a machine that others share.
    page.wait_for_function(
        f"document.querySelector('{PLOT}')?.layout.xaxis.title.text.startsWith('UMAP')", timeout=1_200_000
    )
    assert names(page)[-1] == f"Predicted · {SHIPPED}"


def test_a_deep_link_opens_a_fresh_server_and_stops_cleanly(watched, app_environment, tmp_path):
    fresh = by_command(tmp_path / "log.txt", app_environment)
    try:
        page = opened(watched, fresh, "/explore?cells=5000&seed=9")
        expect(page.get_by_role("heading", level=2).first).to_be_visible()
        page.locator(PREDICT).click()
        expect(page.get_by_text("Predicting 5,000 cells")).to_be_visible()
        page.goto("about:blank")  # the job goes on without its page, which would complain of a lost server
    finally:
        status = stop(fresh)
    assert status in (0, -15)
    assert "Traceback" not in fresh.log.read_text()
