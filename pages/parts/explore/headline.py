"""The headline in one sentence with numbers, badges for what is predicted, measured and simulated, and messages."""

from typing import Literal

import streamlit as st

import pages
from pages import plain
from pages.parts.shared import answers
from pages.parts.shared.answers import Answer, prediction_of
from pages.parts.shared.labels import LOOKS
from pages.parts.shared.view import View
from primeflow_core.data.conditions import Novelty
from primeflow_core.data.perturbation_wording import done_elsewhere, kind_of
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.condition_words import labels, novelty_of
from primeflow_core.report.finding import mark_of
from primeflow_core.runtime.jobs import JobState, JobStatus

Colour = Literal["gray", "green", "yellow"]
NOVELTY_LOOKS: dict[Novelty, tuple[Colour, str]] = {
    Novelty.SEEN: ("gray", ":material/history:"),
    Novelty.PARTS_SEEN: ("green", ":material/join_inner:"),
    Novelty.PART_ELSEWHERE: ("yellow", ":material/help:"),
    Novelty.PART_UNSEEN: ("yellow", ":material/help:"),
}


def show_headline(view: View, answer: Answer | None, told: str) -> None:
    st.header(plain(told), anchor=False)
    with st.container(horizontal=True, gap="xsmall"):
        show_badges(view, answer)
    manifest = view.model.manifest
    known = (
        view.condition.context, kind_of(view.trained_on or view.cells, view.condition),
        f"your cells: {view.own.name}" if view.own else f"data {manifest.dataset}", f"model {view.model.made}",
    )  # fmt: skip
    st.caption(plain(" · ".join(filter(None, known))))


def show_badges(view: View, answer: Answer | None) -> None:
    """The labels as badges; the last one says what training saw of the condition."""
    *first, last = labels(view, prediction_of(answer))
    for text in first:
        colour, icon = LOOKS[mark_of(text)]
        st.badge(text, icon=icon, color=colour)
    known, sign = NOVELTY_LOOKS[novelty_of(view)]
    st.badge(last, icon=sign, color=known)


def show_messages(view: View, status: JobStatus | None, answer: Answer | None) -> None:
    if refused := answers.refusal():
        st.warning(plain(refused), icon=":material/hourglass_top:")
    if status is not None and status.state is JobState.FAILED:
        st.error(plain(status.error), icon=":material/error:")
    if status is not None and status.state is JobState.CANCELLED:
        made = len(answer.prediction.values) if answer is not None and not answer.shipped else 0
        shown = f"the map shows these {made:,}" if made else "none was finished"
        st.warning(
            f"Cancelled after {made:,} of {view.question.cells:,} cells; {shown}.", icon=":material/stop_circle:"
        )
    for line in (
        *Catalogue(view.model.manifest).seen_elsewhere(view.condition),
        *done_elsewhere(view.trained_on or view.cells, view.condition),
    ):
        st.caption(plain(line))
    if view.known is None:
        st.info(
            "The measured cells of this model are not available on this machine, so there is nothing to compare with. "
            "You can still predict.",
            icon=":material/cloud_off:",
        )


def show_other_job(status: JobStatus) -> None:
    """A message that another prediction is still running after the question was changed."""
    question = status.subject
    name = question.condition.label if isinstance(question, PredictionRequest) else "Another condition"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.text(f"{name} is still being predicted.", width="stretch")
        st.button("Cancel it", key="cancel-other", on_click=pages.jobs().cancel, args=(status.id,))
