"""The headline in one sentence with numbers, badges for what is predicted, measured and simulated, and messages."""

from typing import Literal

import streamlit as st

import pages
from pages import plain
from pages.parts.shared import answers
from pages.parts.shared.answers import Answer
from pages.parts.shared.view import View
from primeflow_core.data.conditions import Novelty, novelty
from primeflow_core.data.perturbation_wording import actions, described, done_elsewhere, kind_of
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.runtime.jobs import JobState, JobStatus

Colour = Literal["gray", "green", "yellow"]
BADGES: dict[Novelty, tuple[str, Colour, str]] = {
    Novelty.SEEN: ("Seen in training: a memory, not a prediction", "gray", ":material/history:"),
    Novelty.PARTS_SEEN: ("Each part seen alone, never together: a prediction", "green", ":material/join_inner:"),
    Novelty.PART_ELSEWHERE: ("A part never seen alone here: treat as a guess", "yellow", ":material/help:"),
    Novelty.PART_UNSEEN: ("A part never seen: treat as a guess", "yellow", ":material/help:"),
}


def take_home(view: View, answer: Answer | None, found: Comparison | None, *, active: bool = False) -> str:
    """For instance ``Switching up KLF1 and MAP2K6 in k562: the model expects 37 genes up, 12 down; …``"""
    done = described(view.condition, actions(view.trained_on or view.cells, view.condition.covariates))
    where = f" in {view.condition.context}" if view.condition.context else ""
    return f"{done[:1].upper()}{done[1:]}{where}: {_expectation(view, answer, found, active=active)}"


def labels(view: View, answer: Answer | None) -> tuple[str, ...]:
    """The words of the badges: what is simulated, predicted and measured, and what training saw of the condition."""
    return tuple(text for text, _, _ in _badges(view, answer))


def show_headline(view: View, answer: Answer | None, told: str) -> None:
    st.header(plain(told), anchor=False)
    with st.container(horizontal=True, gap="xsmall"):
        for text, icon, colour in _badges(view, answer):
            st.badge(text, icon=icon, color=colour)
    manifest = view.model.manifest
    known = (
        view.condition.context, kind_of(view.trained_on or view.cells, view.condition),
        f"your cells: {view.own.name}" if view.own else f"data {manifest.dataset}", f"model {view.model.made}",
    )  # fmt: skip
    st.caption(plain(" · ".join(filter(None, known))))


def _badges(view: View, answer: Answer | None) -> list[tuple[str, str, Literal["violet", "orange", "blue"] | Colour]]:
    badges: list[tuple[str, str, Literal["violet", "orange", "blue"] | Colour]] = []
    if view.simulated:
        badges.append(("SIMULATED data", ":material/science:", "violet"))
    if answer is not None:
        badges.append((f"PREDICTED {len(answer.prediction.values):,} cells", ":material/diamond:", "orange"))
    if len(view.measured):
        word = "SIMULATED" if view.simulated else "MEASURED"
        held_out = ", held out" if view.condition in view.model.manifest.held_out and view.own is None else ""
        yours = ", yours" if view.own else ""
        badges.append((f"{word} {len(view.measured):,} cells{held_out}{yours}", ":material/circle:", "blue"))
    text, colour, icon = BADGES[novelty(view.condition, view.model.manifest.trained_on)]
    return [*badges, (text, icon, colour)]


def _expectation(view: View, answer: Answer | None, found: Comparison | None, *, active: bool) -> str:
    """What the model expects, and how far the measured cells agree. It follows the words for what was done."""
    truth = "simulation" if view.simulated else "experiment"
    if answer is None:
        done = "simulated" if view.simulated else "measured"
        absent = "not compared with your cells" if view.own else f"never {done}"
        known = f"{done} in {len(view.measured):,} cells" if len(view.measured) else absent
        return f"{known}, {'being predicted' if active else 'not predicted yet'}."
    if found is None:
        return f"{len(answer.prediction.values):,} predicted cells, nothing to compare them with."
    response = found.response
    expected = response.up + response.down
    told = f"the model expects {response.up} genes up, {response.down} down"
    if not expected:
        told = "the model expects no gene to change clearly"
    if not response.measured:
        return f"{told}. {view.without_truth} There is nothing to compare with."
    return f"{told}; the {truth} agrees on {response.agreeing} of {expected}." if expected else f"{told}."


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
