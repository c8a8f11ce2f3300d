"""Make the pictures of the README from a running app: python docs/make_screenshots.py http://127.0.0.1:8501"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parent


def main(address: str) -> None:
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1360, "height": 1000}, color_scheme="light")
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_role("heading", name="Genes that change most").wait_for()
        page.wait_for_timeout(3000)
        page.screenshot(path=FOLDER / "explore.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8501")
