"""The report: pinned findings in order, with notes. Shown step by step, or saved as one file that works offline."""

from datetime import date
from functools import partial
from urllib.parse import parse_qsl

import streamlit as st

import pages
from pages import plain
from pages.parts.shared.labels import show_labels
from pages.parts.shared.pinning import PINS, notebook_token
from pages.parts.shared.presenting import Step, present, presenting, start_presenting
from primeflow_core.report.finding import Finding, SavedFigure
from primeflow_core.report.html_report import html_report
from primeflow_core.report.methods_text import methods_paragraph
from primeflow_core.report.pinned_findings import LONGEST_NOTE, LONGEST_TITLE
from primeflow_core.report.zip_bundle import bundle, safe_name, tables_csv
from primeflow_core.wording import day_in_words

ROWS_HEIGHT = 240


def main() -> None:
    pages.begin("Report")
    token = notebook_token()
    findings = pages.notebooks().findings(token)
    if presenting():
        present([step for finding in findings for step in steps_of(finding)])
        return
    st.header("Report", anchor=False)
    if not findings:
        show_how_to_begin(lost=not token and PINS in st.query_params)
        return
    show_title(token)
    offer_saving(pages.notebooks().title(token), findings)
    for place, finding in enumerate(findings):
        show_finding(token, finding, place, len(findings))
    with st.expander("Methods paragraph", icon=":material/description:"):
        st.text(methods_paragraph(findings))


def show_how_to_begin(*, lost: bool) -> None:
    if lost:
        st.warning(
            "The report of this link is no longer here: the app was restarted, or it made room for other reports. "
            "Add the views again. Download a report that you want to keep.",
            icon=":material/history:",
        )
    st.text(
        "Nothing is pinned yet. Predict a response on Explore, rank pairs on Rank combinations, or compare conditions "
        "on Compare. Then press Add to report there. This page keeps the figures, the genes and their origin for the "
        "lab meeting."
    )
    pages.link_to("explore")


def show_title(token: str) -> None:
    key = f"title-{token}"
    st.text_input(
        "Title",
        pages.notebooks().title(token),
        max_chars=LONGEST_TITLE,
        key=key,
        on_change=lambda: pages.notebooks().call(token, st.session_state[key]),
    )


def offer_saving(title: str, findings: tuple[Finding, ...]) -> None:
    """Buttons for the presentation and the downloads. Each file is made when its button is pressed."""
    made, address = day_in_words(date.today()), app_address()
    name = safe_name(title)
    save = partial(st.download_button, icon=":material/download:", on_click="ignore")
    with st.container(horizontal=True):
        st.button(
            "Start the presentation", key="start-presenting", type="primary", icon=":material/slideshow:",
            on_click=start_presenting,
        )  # fmt: skip
        save("Report (html)", partial(html_report, title, findings, made, address), f"{name}.html", "text/html")
        save("Tables (csv)", partial(tables_csv, findings), f"{name}-tables.csv", "text/csv")
        save("Methods (txt)", partial(methods_paragraph, findings), f"{name}-methods.txt", "text/plain")
        save("Everything (zip)", partial(bundle, title, findings, made, address), f"{name}.zip", "application/zip")


def app_address() -> str:
    """The address of the app, without the page; empty if it is not known."""
    here = str(st.context.url or "").partition("?")[0].rstrip("/")
    return here.removesuffix("/report")


def show_finding(token: str, finding: Finding, place: int, count: int) -> None:
    with st.container(border=True):
        st.subheader(plain(f"{place + 1}. {finding.title}"), anchor=False)
        show_labels(finding.labels)
        grid = st.grid(2, min_column_width=370)
        for drawn in finding.figures:
            with grid.container():
                show_drawn(drawn)
        for table in finding.tables:
            with st.expander(plain(f"{table.name}: {len(table.frame):,} rows"), icon=":material/table:"):
                headings = {
                    str(column): table.heading(str(column), simulated=finding.simulated) for column in table.frame
                }
                st.dataframe(table.frame, hide_index=True, height=ROWS_HEIGHT, column_config=headings, alt=table.name)
        show_note(token, finding)
        show_actions(token, finding, place, count)


def show_drawn(drawn: SavedFigure) -> None:
    st.image(drawn.svg, alt=drawn.alt, width="stretch")
    st.caption(plain(drawn.title))


def show_note(token: str, finding: Finding) -> None:
    key = f"note-{token}-{finding.id}"
    st.text_area(
        "Note",
        finding.note,
        max_chars=LONGEST_NOTE,
        height=90,
        key=key,
        placeholder="What should the meeting know about this finding?",
        on_change=lambda: pages.notebooks().write(token, finding.id, st.session_state[key]),
    )


def show_actions(token: str, finding: Finding, place: int, count: int) -> None:
    button, number = partial(st.button, type="tertiary"), place + 1
    book = pages.notebooks()
    with st.container(horizontal=True, vertical_alignment="center"):
        page, _, query = finding.link.partition("?")
        pages.link_to(page, "Open this view", ":material/open_in_new:", dict(parse_qsl(query)))
        button(
            "Move up", key=f"up-{finding.id}", icon=":material/arrow_upward:", disabled=place == 0,
            help=f"Finding {number}", on_click=book.move, args=(token, finding.id, -1),
        )  # fmt: skip
        button(
            "Move down", key=f"down-{finding.id}", icon=":material/arrow_downward:", disabled=place == count - 1,
            help=f"Finding {number}", on_click=book.move, args=(token, finding.id, 1),
        )  # fmt: skip
        button(
            "Remove", key=f"remove-{finding.id}", icon=":material/delete:", help=f"Finding {number}",
            on_click=book.remove, args=(token, finding.id),
        )  # fmt: skip


def steps_of(finding: Finding) -> list[Step]:
    """One figure a step. A finding without a figure shows its first table."""
    drawn = [Step(finding.title, partial(show_drawn, figure), finding.labels) for figure in finding.figures]
    return drawn or [Step(finding.title, partial(show_rows, finding), finding.labels)]


def show_rows(finding: Finding) -> None:
    for table in finding.tables[:1]:
        st.dataframe(table.frame, hide_index=True, alt=table.name)


main()
