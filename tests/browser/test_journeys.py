"""Journeys over several pages in a real browser: from a first look to a report, with one's own cells, by keyboard."""

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import accessible, wait_until_drawn
from tests.browser.conftest import Watched
from tests.browser.journey import go, opened
from tests.browser.servers import serving

PLOT = ".st-key-overlay .js-plotly-plot"


def test_from_a_first_look_over_a_comparison_to_a_report(watched, newcomer, tmp_path):
    page = opened(watched, newcomer)
    expect(page.get_by_role("heading", name=re.compile("the simulation agrees on"))).to_be_visible()
    page.get_by_role("button", name="Add to report").click()
    expect(page.get_by_role("link", name=re.compile(r"In the report \(1\)"))).to_be_visible()
    go(page, "compare")
    expect(page.get_by_role("heading", name="Differential expression")).to_be_visible()
    page.get_by_role("button", name="Remove").first.click()
    expect(page.get_by_role("button", name="Remove")).to_have_count(3)
    # Until the rest of the page is drawn anew, the old one stands beside it.
    expect(page.get_by_role("button", name="Add to report")).to_have_count(1)
    wait_until_drawn(page)
    page.get_by_role("button", name="Add to report").click()
    expect(page.get_by_role("link", name=re.compile(r"In the report \(2\)"))).to_be_visible()
    go(page, "report")
    expect(page.get_by_role("button", name="Remove")).to_have_count(2)
    page.get_by_label("Note").first.fill("Ask for the next plate.")
    page.keyboard.press("Control+Enter")
    wait_until_drawn(page)
    assert accessible(page) == []
    page.reload()
    expect(page.get_by_label("Note").first).to_have_value("Ask for the next plate.")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Everything (zip)").click()
    saving.value.save_as(tmp_path / "report.zip")
    check_report(watched, tmp_path)


def check_report(watched: Watched, folder: Path) -> None:
    """The saved report opens from the disk, with its figures, and asks nobody for anything."""
    with zipfile.ZipFile(folder / "report.zip") as packed:
        packed.extractall(folder)
        names = packed.namelist()
    assert any(name.endswith(".csv") for name in names)
    report = next(folder.rglob("*.html"))
    page = watched.page.context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    expect(page.get_by_text("Ask for the next plate.")).to_be_visible()
    assert page.locator("img, svg").count() >= 4
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert "SIMULATED" in page.inner_text("body")
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert accessible(page) == []
    page.close()


def test_coming_back_to_a_page_finds_the_same_question(watched, server):
    page = opened(watched, server, "/?cells=50&seed=31&w=2&genes_as=Volcano")
    page.locator(".st-key-predict button").click()
    expect(page.get_by_text("PREDICTED 50 cells")).to_be_visible()
    go(page, "about")
    go(page, "explore")
    expect(page.get_by_text("PREDICTED 50 cells")).to_be_visible()
    assert {"cells=50", "seed=31", "w=2", "genes_as=Volcano"} <= set(page.url.split("?")[1].split("&"))
    page.get_by_role("button", name="Add to Compare").click()
    expect(page.get_by_role("link", name=re.compile("In Compare"))).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name=re.compile("In Compare"))).to_be_visible()


def test_a_presentation_is_walked_through_by_key(watched, server):
    page = opened(watched, server)
    page.get_by_role("button", name="Present", exact=True).click()
    expect(page.get_by_text(re.compile(r"^1 of \d$"))).to_be_visible()
    expect(page.locator("[data-testid=stSidebar]")).to_be_hidden()
    wait_until_drawn(page)
    assert accessible(page) == []
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text(re.compile(r"^2 of \d$"))).to_be_visible()
    assert (
        page.evaluate("parseFloat(getComputedStyle(document.querySelector('[data-testid=stMain] h2')).fontSize)") >= 20
    )
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text(re.compile(r"^1 of \d$"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Present", exact=True)).to_be_visible()


def test_own_cells_are_checked_used_and_forgotten(watched, newcomer, tmp_path):
    page = opened(watched, newcomer, "/cells")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download an example").click()
    saving.value.save_as(tmp_path / "example.h5ad")
    page.locator("input[type=file]").set_input_files(tmp_path / "example.h5ad")
    expect(page.get_by_text("500 of 500 model genes are in your file.")).to_be_visible()
    page.get_by_text("As simulated cells").click()
    page.get_by_role("button", name="Use these cells").click()
    expect(page.get_by_text("is in use as simulated cells")).to_be_visible()
    wait_until_drawn(page)
    assert accessible(page) == []
    page.get_by_role("link", name="Explore a response with them").click()
    page.wait_for_selector(PLOT)
    expect(page.get_by_text(re.compile(r"SIMULATED \d+ cells, yours"))).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile(r"SIMULATED \d+ cells, yours"))).to_be_visible()
    page.get_by_role("button", name="Stop using my cells").click()
    expect(page.get_by_text(re.compile(r"SIMULATED \d+ cells, held out"))).to_be_visible()
    go(page, "cells")
    page.get_by_role("button", name="Forget my file").click()
    expect(page.get_by_role("button", name="Use these cells")).to_have_count(0)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"\x1f\x8b\x08\x00 not cells", "is cut short or damaged: it cannot be unpacked"),
        (b"cell,gene\n1,2\n", "is not a readable AnnData file"),
        (b"", "is an empty file"),
    ],
    ids=["gzip", "text", "empty"],
)
def test_a_file_that_is_no_anndata_is_answered_in_words(watched, newcomer, content, answer):
    page = opened(watched, newcomer, "/cells")
    sent = {"name": "cells.h5ad", "mimeType": "application/octet-stream", "buffer": content}
    page.locator("input[type=file]").set_input_files([sent])
    expect(page.get_by_text(answer)).to_be_visible()


def test_cells_drawn_around_become_a_group_with_its_genes(watched, server):
    page = opened(watched, server)
    page.wait_for_selector(PLOT)
    page.get_by_role("radio", name="Select cells").or_(page.get_by_role("button", name="Select cells")).first.click()
    page.wait_for_function(f"document.querySelector('{PLOT}')?.layout?.dragmode === 'lasso'")
    wait_until_drawn(page)
    box = page.locator(f"{PLOT} .nsewdrag").first.bounding_box()
    assert box is not None
    corners = [(0.1, 0.1), (0.6, 0.1), (0.6, 0.8), (0.1, 0.8), (0.1, 0.12)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.get_by_role("button", name="Keep as A").click()
    expect(page.get_by_role("heading", name=re.compile("group A against all other cells"))).to_be_visible()
    expect(page.get_by_role("button", name="Selected cells: genes (csv)")).to_be_visible()
    expect(page).to_have_url(re.compile(r"group_a=pca"))
    page.reload()
    expect(page.get_by_role("heading", name=re.compile("group A against all other cells"))).to_be_visible()
    page.get_by_role("button", name="Add A to Compare").click()
    go(page, "compare")
    expect(page.get_by_text(re.compile("· group"))).to_be_visible()


def test_a_whole_prediction_by_keyboard_alone(watched, server):
    page = opened(watched, server, "/?cells=40&seed=21")
    page.locator("body").press("Tab")
    for _ in range(60):
        if page.evaluate("document.activeElement?.closest('.st-key-b') !== null"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type("simg185")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("b=SIMG185"))
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("PREDICTED 40 cells")).to_be_visible()
    wanted = {"Save figure", "Genes (csv)", "Add to report", "Copy link", "Add to Compare", "Present"}
    for _ in range(120):
        page.keyboard.press("Tab")
        told = page.evaluate("document.activeElement?.innerText || document.activeElement?.ariaLabel || ''")
        wanted = {name for name in wanted if name not in told}
        if not wanted:
            break
    assert not wanted


def test_changing_one_of_a_pair_keeps_the_other(watched, server):
    page = opened(watched, server)
    second = page.url.split("&b=")[1].split("&")[0]
    box = page.get_by_role("combobox", name="Perturbation", exact=True)
    box.click()
    box.fill("simg139")
    page.get_by_role("option", name=re.compile("^SIMG139")).click()
    expect(page).to_have_url(re.compile("a=SIMG139"))
    page.locator(".st-key-predict button").click()
    expect(page.get_by_text(re.compile(r"PREDICTED \d+ cells"))).to_be_visible()
    assert f"b={second}" in page.url
    box.click()
    box.fill("094")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"a=SIMG094.*b={second}"))


def test_a_name_that_is_close_is_offered(watched, server):
    page = opened(watched, server)
    box = page.get_by_role("combobox", name="Perturbation", exact=True)
    box.click()
    box.fill("simg344x")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Did you mean SIMG344?")).to_be_visible()
    expect(page.get_by_role("heading", name="Where the cells lie")).to_be_visible()
    page.get_by_role("button", name="SIMG344", exact=True).click()
    expect(page).to_have_url(re.compile("a=SIMG344"))


@pytest.mark.slow
def test_a_model_is_trained_from_the_page_and_used(watched, app_environment, tmp_path):
    chosen = app_environment | {"PRIMEFLOW_CACHE": str(tmp_path / "cache"), "PRIMEFLOW_CHECKPOINTS": ""}
    with serving(tmp_path / "log.txt", chosen) as fresh:
        page = opened(watched, fresh, "/cells")
        with page.expect_download() as saving:
            page.get_by_role("button", name="Download an example").click()
        saving.value.save_as(tmp_path / "example.h5ad")
        page.locator("input[type=file]").set_input_files(tmp_path / "example.h5ad")
        page.get_by_role("button", name="Set up a training").click()
        page.get_by_role("slider", name="Minutes at most").focus()
        page.keyboard.press("Home")
        page.get_by_role("button", name="Train a model").click()
        expect(page.get_by_text(re.compile("Training: step"))).to_be_visible()
        page.wait_for_selector(".st-key-training-loss canvas")
        watched.keep("training")
        page.get_by_role("button", name="Stop and keep").click()
        expect(page.get_by_text(re.compile("is trained, in"))).to_be_visible(timeout=240_000)
        page.get_by_role("link", name="Use it in Explore").click()
        expect(page.get_by_text(re.compile(r"energy distance .*[-\d.]+ \((control|typical) cells"))).to_be_visible()
        page.locator(".st-key-predict button").click()
        expect(page.get_by_text(re.compile(r"PREDICTED \d+ cells"))).to_be_visible()
        page.goto("about:blank")
