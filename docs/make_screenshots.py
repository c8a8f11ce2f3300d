"""Make the pictures of the documentation from a running app: python docs/make_screenshots.py http://127.0.0.1:8501"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

FOLDER = Path(__file__).resolve().parent
SIZE: ViewportSize = {"width": 1360, "height": 1000}


def main(address: str) -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_role("heading", name="What would falsify this").wait_for()
        keep(page, "explore")
        page.get_by_role("heading", name="More or less than the sum of its parts?").scroll_into_view_if_needed()
        page.mouse.wheel(0, 700)
        keep(page, "interaction")
        page.goto(f"{address}/screen")
        page.locator(".st-key-all-pairs .js-plotly-plot").wait_for()
        keep(page, "rank")
        page.goto(f"{address}/compare")
        page.get_by_role("button", name="Differential expression (csv)").wait_for()
        keep(page, "compare")
        page.goto(f"{address}/benchmark")
        page.locator(".st-key-one-condition .js-plotly-plot").first.wait_for()
        keep(page, "benchmark")
        browser.close()


def keep(page: Page, name: str) -> None:
    page.wait_for_timeout(3000)
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8501")
