"""A page that stands still, and what axe-core finds on it that keeps somebody from using it.

The rules are WCAG 2.2, levels A and AA, and good practice.
"""

from collections.abc import Iterator, Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
# Place holders and half-faded text have no contrast. A page that stood still for a moment may have been between two
# runs of its script.
STILL_FOR = 200
STANDS_STILL = """([scheme, still]) => {
    const app = document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
    const ready = app && getComputedStyle(app).colorScheme === scheme
        && document.querySelector("[data-testid=stMain] :is(h1, h2, h3)")
        && !document.querySelector("[data-testid=stSkeleton], [data-stale=true]")
        && !document.getAnimations().some(each => each.playState === "running"
            && each.effect?.getComputedTiming().endTime !== Infinity);
    if (!ready) { window.stillSince = undefined; return false; }
    window.stillSince ??= performance.now();
    return performance.now() - window.stillSince >= still;
}"""
SCHEME = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
LOOKS = ((1280, "light"), (800, "dark"))
# Streamlit's tables scroll sideways in a narrow window. Browsers let the keyboard scroll them; axe asks for a tabindex
# all the same, which is not ours to set.
SCROLLS = "scrollable-region-focusable"


def wait_until_drawn(page: Page) -> None:
    """Until the page is complete, in the theme of the browser, and stands still."""
    page.evaluate("window.stillSince = undefined")
    page.wait_for_function(STANDS_STILL, arg=[page.evaluate(SCHEME), STILL_FOR])


def each_look(page: Page, looks: Sequence[tuple[int, str]] = LOOKS) -> Iterator[tuple[int, str]]:
    """The drawn page at one width (pixels) and in one theme after the other, without loading it again."""
    for width, scheme in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        wait_until_drawn(page)
        yield width, scheme


def accessible(page: Page, beside: Sequence[str] = (), unasked: Sequence[str] = ()) -> list[str]:
    """Serious and critical findings on the whole page as it is now, one line for each element.

    ``beside``: selectors of what is left out, for parts that are not ours to mend. ``unasked``: rules left out.
    """
    context = {"exclude": [[selector] for selector in beside]} if beside else None
    # Describing every element that passed takes three times as long as looking for those that do not.
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]})
    return [
        f"{finding['impact']} {finding['id']} {node['target']}: {finding['help']} | {_told(node)}"
        for finding in found.response["violations"]
        if finding["impact"] in GRAVE and finding["id"] not in unasked
        for node in finding["nodes"]
    ]


def _told(node: dict) -> str:
    """What axe measured, for instance the contrast."""
    said = " ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
    return f"{said} | {node['html'][:160]}"
