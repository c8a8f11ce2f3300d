"""What axe-core finds on a page that keeps somebody from using it (WCAG 2.2, levels A and AA, and good practice)."""

from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
DRAWN = """() => document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]")
    && document.querySelector("[data-testid=stMain] :is(h1, h2, h3)")
    && !document.querySelector("[data-testid=stSkeleton]")"""
FADED_IN = 1_500


def wait_until_drawn(page: Page) -> None:
    """Until nothing of the page is a grey place holder or half-faded, which would have no contrast."""
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(FADED_IN)


def accessible(page: Page, beside: Sequence[str] = ()) -> list[str]:
    """Serious and critical findings on the whole page as it is now, one line for each element.

    ``beside``: selectors of what is left out, for parts that are not ours to mend.
    """
    found = Axe().run(page, context={"exclude": [[selector] for selector in beside]} if beside else None)
    return [
        f"{finding['impact']} {finding['id']} {node['target']}: {finding['help']} | {_told(node)}"
        for finding in found.response["violations"]
        if finding["impact"] in GRAVE
        for node in finding["nodes"]
    ]


def _told(node: dict) -> str:
    """What axe measured, for instance the contrast."""
    said = " ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{said} | {node['html'][:160]}"
