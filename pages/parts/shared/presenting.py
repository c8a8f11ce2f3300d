"""Lab-meeting mode of any page: one figure a step below its take-home, in letters that the back row can read.

``?present=1&step=2`` shows the second step. Controls are hidden, not removed, so that they keep what was chosen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from pages import plain
from pages.parts.shared.labels import show_labels

PRESENT, STEP = "present", "step"
# The smallest letters, on the axes of figures, are .72 of this size.
STAGE = """<style>
html { font-size: 28px; }
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"], [data-testid="stExpandSidebarButton"],
[data-testid="stHeader"], div:has(> .st-key-remote) { display: none !important; }
[data-testid="stMainBlockContainer"] { padding: .75rem 2rem; max-width: 100%; }
[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"] { gap: .5rem; }
.st-key-stage h2 { font-size: 1.2rem; padding: 0 0 .6rem; }
[data-testid="stMain"] kbd, .st-key-stage [data-testid="stCaptionContainer"] { color: inherit; opacity: 1; }
.st-key-stage [data-testid="stCaptionContainer"] * { color: inherit; opacity: 1; }
.st-key-stage [data-testid="stImage"] img { max-height: calc(100vh - 11.5rem); object-fit: contain; }
</style>"""


@dataclass(frozen=True)
class Step:
    """``take_home`` is one sentence; ``draw`` draws one figure; ``labels`` say what it shows (``PREDICTED ...``)."""

    take_home: str
    draw: Callable[[], None]
    labels: tuple[str, ...]


def presenting() -> bool:
    return st.query_params.get(PRESENT) == "1"


def start_presenting() -> None:
    """For a button's ``on_click``."""
    st.query_params[PRESENT], st.query_params[STEP] = "1", "1"


def offer_presentation() -> None:
    st.button("Present", key="present", icon=":material/slideshow:", on_click=start_presenting)


def end_presenting() -> None:
    for key in (PRESENT, STEP):
        st.query_params.pop(key, None)


def present(steps: Sequence[Step]) -> None:
    """Show the step that the address names. ``End`` returns to the page from any step, even if there is none."""
    st.html(STAGE)
    at = _step(len(steps))
    _offer_steps(at, len(steps))
    with st.container(key="stage"):
        if not steps:
            st.header("There is nothing to present yet.", anchor=False)
            return
        step = steps[at - 1]
        st.header(plain(step.take_home), anchor=False)
        show_labels(step.labels)
        step.draw()


def _step(last: int) -> int:
    """From 1 to ``last``, whatever the address says."""
    said = st.query_params.get(STEP, "1")
    return max(1, min(last, int(said) if said.isascii() and said.isdecimal() and len(said) < 4 else 1))


def _go(step: int) -> None:
    st.query_params[STEP] = str(step)


def _offer_steps(at: int, last: int) -> None:
    at_start, at_end = at <= 1, at >= last
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Back", key="back", shortcut="Left", disabled=at_start, on_click=_go, args=(at - 1,))
        st.button("Next", key="next", shortcut="Right", disabled=at_end, on_click=_go, args=(at + 1,))
        st.text(f"{min(at, last)} of {last}", width="stretch")
        st.button("End", key="end", shortcut="Esc", on_click=end_presenting)
        # Remote controls for slides send these two keys.
        with st.container(key="remote", width="content"):
            st.button("Back", key="page-up", shortcut="PageUp", disabled=at_start, on_click=_go, args=(at - 1,))
            st.button("Next", key="page-down", shortcut="PageDown", disabled=at_end, on_click=_go, args=(at + 1,))
