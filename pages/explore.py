"""One condition: control, measured and predicted cells (live), the genes that change, and how far to trust it."""

from functools import partial

import streamlit as st

import pages
from pages import plain
from pages.parts.explore.answer_data import Seen, see
from pages.parts.explore.combination import show_interplay
from pages.parts.explore.finding import offer_pin, steps
from pages.parts.explore.genes import show_genes
from pages.parts.explore.headline import show_headline, show_messages, show_other_job
from pages.parts.explore.selection import selectable_map, show_selection
from pages.parts.explore.trust import show_trust
from pages.parts.shared import answers, entries
from pages.parts.shared.answers import Answer, prediction_of
from pages.parts.shared.cell_map import MOVE, drawn_map, save_map, show_live, show_title
from pages.parts.shared.explore_sidebar import asked
from pages.parts.shared.presenting import offer_presentation, present, presenting
from pages.parts.shared.saving import offer_link
from pages.parts.shared.view import View, look_up
from primeflow_core.errors import ConditionError
from primeflow_core.report.condition_words import take_home
from primeflow_core.runtime.jobs import JobStatus


def main() -> None:
    pages.begin("Explore a response")
    library = pages.library()
    pages.show_unreadable(library)
    if library.first is None:
        st.error("There is no model yet. Train one with `primeflow train`, then put its folder into checkpoints/.")
        return
    try:
        what = asked(library)
    except ConditionError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    view = look_up(what.model, what.question)
    with what.below:
        offer_prediction(view)
    show(view)


def offer_prediction(view: View) -> None:
    """The button Predict, or Cancel while this question is being answered."""
    status = answers.job_in_address()
    if status is not None and status.state.is_active and status.subject == view.question:
        offer_cancel(status, "cancel")
        return
    question = view.question
    seconds = pages.shelf().expected_seconds(question.folder, view.model.manifest, question.cells, question.plan)
    st.button(
        "Predict",
        type="primary",
        key="predict",
        icon=":material/play_arrow:",
        shortcut="Ctrl+Enter",
        width="stretch",
        on_click=answers.ask,
        args=(question, view.pca.place if view.pca else None, seconds),
    )
    st.caption(f"{question.cells:,} cells take about {pages.duration(seconds)} on this machine.")


def offer_cancel(status: JobStatus, key: str) -> None:
    st.button(
        "Cancel prediction",
        key=key,
        icon=":material/stop_circle:",
        width="stretch",
        on_click=pages.jobs().cancel,
        args=(status.id,),
    )


def show(view: View) -> None:
    status = answers.job_in_address()
    mine = status if status is not None and status.subject == view.question else None
    if mine is None and "job" in st.query_params and not (status is not None and status.state.is_active):
        del st.query_params["job"]
    active = mine is not None and mine.state.is_active
    seen = see(view, None if active else answers.answer_to(view.question, view.model))
    if presenting():
        present(steps(seen))
        return
    show_headline(view, seen.answer, take_home(view, prediction_of(seen.answer), seen.found, active=active))
    show_messages(view, mine, seen.answer)
    if status is not None and mine is None and status.state.is_active:
        show_other_job(status)
    show_cards(seen, mine.id if mine is not None and active else None)


def show_cards(seen: Seen, active_job: str | None) -> None:
    view, answer = seen.view, seen.answer
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True, height="stretch"):
        if active_job is not None:
            show_live(view, active_job)
            drawn = None
        else:
            kind, drag = show_title()
            if answer is None:
                st.info(
                    "Nothing is predicted for this question yet. Press **Predict** on the left.",
                    icon=":material/west:",
                )
            drawn = drawn_map(view, answer, kind)
            if drawn is not None:
                selectable_map(view, drawn, drag != MOVE)
                save_map(view, drawn)
    with grid.container(border=True, height="stretch"):
        show_trust(view, answer, seen.trust)
    if drawn is not None:
        show_selection(view, answer, drawn)
    if answer is not None and seen.found is not None:
        show_genes(view, answer, seen.found)
        show_interplay(view, answer, seen.found, seen.interplay)
    if answer is not None:
        show_taking_along(seen, answer)


def show_taking_along(seen: Seen, answer: Answer) -> None:
    """Buttons that pin, save and link this view, and how the cells were made."""
    view, found = seen.view, seen.found
    name = partial(answers.file_name, view.model, view.condition)
    known = view.known.context_cells if view.known else None
    cells = partial(answers.h5ad_of, answer, view.model, view.condition, known)
    with st.container(horizontal=True, key="taking-along"):
        offer_pin(seen)
        offer_comparing(view)
        offer_link()
        offer_presentation()
        if found is not None:
            st.download_button(
                "Genes (csv)", lambda: str(found.response.table.to_csv(index=False)), name("-genes.csv"), "text/csv",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        st.download_button(
            "Predicted cells (h5ad)", cells, name("-cells.h5ad"),
            "application/octet-stream", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    show_provenance(answer)


def offer_comparing(view: View) -> None:
    """A button that adds this response to Compare. Once it is there: a link to Compare."""
    entry = entries.Entry(view.model.key, view.question)
    if entries.has(entry):
        pages.link_to("compare", f"In Compare ({entries.count()})")
    else:
        st.button(
            "Add to Compare", key="add-to-compare", icon=":material/compare_arrows:", on_click=entries.add,
            args=(entry,), disabled=entries.count() >= entries.MOST,
        )  # fmt: skip


def show_provenance(answer: Answer) -> None:
    plan = answer.prediction.plan
    precision = "" if plan.precision == "auto" else f", {plan.precision} products"
    guidance = f", guidance {plan.guidance:g}" if plan.solver.of_a_flow else ""
    origin = "They came with the model. Press Predict to make them here. " if answer.shipped else ""
    st.caption(
        plain(
            f"{len(answer.prediction.values):,} predicted cells. {origin}Sampling: {plan.way}{guidance}, "
            f"seed {plan.seed}, zeros {plan.zeros}{precision}."
        )
    )


main()
