"""The Rank page: which pair or perturbation to try next for a goal, and how far to trust that."""

from functools import partial

import streamlit as st

import pages
from pages import plain
from pages.parts.rank import answer
from pages.parts.rank.answer import Ranking
from pages.parts.rank.figures import show_first, show_next, show_pairs
from pages.parts.rank.finding import show_taking_along, steps
from pages.parts.rank.headline import show_headline, show_messages, show_refused, show_trust, shown_of
from pages.parts.rank.shipped import offer_shipped
from pages.parts.rank.sidebar import LIST, Asked, asked
from pages.parts.rank.table import columns, readable, show_ranking
from pages.parts.shared import answers
from pages.parts.shared.presenting import present, presenting
from pages.parts.shared.saving import offer_table
from primeflow_core.report.ranking_words import heading
from primeflow_core.runtime.jobs import JobState, JobStatus
from primeflow_core.screening.screen_job import ScreenSubject
from primeflow_core.screening.screen_request import Request

TOO_LONG = 30 * 60.0
MOST_STREAMED = 100
_CANCELLED = "_rank_cancelled"


def main() -> None:
    pages.begin("Rank combinations")
    library = pages.library()
    pages.show_unreadable(library)
    if library.first is None:
        st.error("There is no model yet. Train one with `primeflow train`, then put its folder into checkpoints/.")
        return
    what = asked(library)
    if what.request is None:
        show_nothing(what)
        return
    subject = ScreenSubject(what.request, what.model.version)
    status = answers.job_in_address()
    mine = status if status is not None and status.subject == subject else None
    if mine is None and "job" in st.query_params and not (status is not None and status.state.is_active):
        del st.query_params["job"]
    active = mine if mine is not None and mine.state.is_active else None
    with what.below:
        offer_ranking(what, what.request, active)
    ranking = None if active else answer.ranking_of(what.request, what.model)
    if presenting():
        present(steps(shown_of(what, ranking)) if ranking is not None else [])
    elif active is not None:
        show_under_way(what, what.request, active)
    else:
        show(what, what.request, mine, ranking)
        if status is not None and mine is None and status.state.is_active:
            show_other_job(status)


def show_nothing(what: Asked) -> None:
    """A part of the question is still missing."""
    with what.below:
        st.button("Rank", type="primary", key="rank", icon=":material/play_arrow:", width="stretch", disabled=True)
    if presenting():
        present([])
        return
    st.header("Rank combinations", anchor=False)
    st.info(plain(what.problem), icon=":material/west:")
    show_refused(what.refused)


def offer_ranking(what: Asked, request: Request, active: JobStatus | None) -> None:
    """Rank, or Cancel while this very question is being answered."""
    if active is not None:
        offer_cancel(active, "cancel")
        return
    long = answer.expected_seconds(request, what.model) > TOO_LONG
    st.button(
        "Rank", type="secondary" if long else "primary", key="rank", icon=":material/play_arrow:",
        shortcut="Ctrl+Enter", width="stretch", on_click=answer.ask, args=(request, what.refused, what.model),
        disabled=bool(what.blocked), help=plain(what.blocked) or None,
    )  # fmt: skip
    if what.blocked:
        st.warning(plain(what.blocked), icon=":material/block:")
        return
    st.caption(f"{effort(what, request)}.")
    if long:
        st.warning(
            "That is long for a browser tab. This command does the same and can resume if it is stopped. "
            "`--workers 2` shares the work among cores, `--scheduler` among machines:",
            icon=":material/schedule:",
        )
        st.code(answer.command(request, what.model, what.ranked, what.doses), language=None, wrap_lines=True)
        if what.ranked == LIST:
            offer_table("LIST.csv", partial(answer.list_of, request), "LIST", "candidates-csv")


def effort(what: Asked, request: Request) -> str:
    """What is ranked, and how long that takes."""
    seconds = answer.expected_seconds(request, what.model)
    return (
        f"{what.counted(len(request.candidates))}, {request.cells * request.seeds:,} cells each: about "
        f"{pages.duration(seconds)} on this machine"
    )


def offer_cancel(status: JobStatus, key: str) -> None:
    """The job ends before its next candidate, or after the model was read; until then the button says so."""
    ending = st.session_state.get(_CANCELLED) == status.id
    st.button(
        "Cancelling …" if ending else "Cancel ranking", key=key, icon=":material/stop_circle:", width="stretch",
        on_click=cancel, args=(status.id,), disabled=ending, help="Rows that are ready are kept.",
    )  # fmt: skip


def cancel(job_id: str) -> None:
    pages.jobs().cancel(job_id)
    st.session_state[_CANCELLED] = job_id


def show_under_way(what: Asked, request: Request, active: JobStatus) -> None:
    st.header(plain(heading(request.goal, what.noun)), anchor=False)
    st.fragment(run_every=1.0)(follow)(active.id, what)


def follow(job_id: str, what: Asked) -> None:
    """How far it is, and the rows so far."""
    status = pages.jobs().status(job_id)
    if status is None or not status.state.is_active:
        st.rerun()
    st.progress(*progress(status))
    ranking = answer.of_job(status)
    if ranking is None:
        st.caption("The first rows appear here in a moment. You may close this page and come back by its address.")
        return
    shown = shown_of(what, ranking)
    st.caption(f"PREDICTED: {ranking.done:,} of {what.counted(ranking.total)}, ranked among themselves so far.")
    rows = shown.table.head(MOST_STREAMED)
    st.dataframe(
        readable(rows, shown), hide_index=True, key="ranked-so-far", column_config=columns(shown),
        alt=f"The first {len(rows)} so far", placeholder="",
    )  # fmt: skip


def progress(status: JobStatus) -> tuple[float, str]:
    """The share that is done, and words for it."""
    if status.state is JobState.QUEUED:
        return 0.0, answers.waiting_text(status)
    if status.snapshot is None:
        return 0.0, "Starting …"
    snapshot = status.snapshot
    left = "" if status.seconds_left is None else f", about {pages.duration(status.seconds_left)} left"
    return snapshot.fraction, f"{snapshot.note}: {snapshot.fraction:.0%}{left}"


def show(what: Asked, request: Request, ended: JobStatus | None, ranking: Ranking | None) -> None:
    """The ranking, as far as there is one, below what happened to its job."""
    if ranking is None:
        show_unranked(what, request, ended)
        return
    shown = shown_of(what, ranking)
    show_headline(shown)
    show_messages(ended)
    show_trust(shown)
    show_ranking(shown)
    show_first(shown)
    show_pairs(shown)
    show_next(shown)
    show_taking_along(shown)


def show_unranked(what: Asked, request: Request, ended: JobStatus | None) -> None:
    """How to rank, how long that takes, and what is ranked already."""
    st.header(plain(heading(request.goal, what.noun)), anchor=False)
    show_messages(ended)
    st.info("Nothing is ranked for this question yet.", icon=":material/leaderboard:")
    st.button(
        "Rank them now", key="rank-here", icon=":material/play_arrow:", on_click=answer.ask,
        args=(request, what.refused, what.model), disabled=bool(what.blocked), help=plain(what.blocked) or None,
    )  # fmt: skip
    soon = "The ranking appears here while it is computed, below how far to trust it."
    st.caption(plain(what.blocked) or f"{effort(what, request)}. {soon}")
    show_refused(what.refused)
    offer_shipped(what.model)


def show_other_job(status: JobStatus) -> None:
    """A ranking for another question is still running."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.text("Another ranking of yours is still running.", width="stretch")
        st.button("Cancel it", key="cancel-other", on_click=pages.jobs().cancel, args=(status.id,))


main()
