"""Two to six responses, models, guidance weights or groups of cells on the same axes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

import pages
from pages import plain
from pages.parts.compare.entry_data import Joint
from pages.parts.compare.finding import finding_of, steps
from pages.parts.compare.side_by_side import show_agreement, show_differences, show_dots, show_maps
from pages.parts.shared import answers, entries
from pages.parts.shared.entries import FEWEST, MOST, Entry, Shown
from pages.parts.shared.explore_sidebar import Asked, asked
from pages.parts.shared.pinning import offer_pin
from pages.parts.shared.presenting import offer_presentation, present, presenting
from pages.parts.shared.saving import offer_link
from primeflow_core.errors import ConditionError
from primeflow_core.model_store.local_models import Library
from primeflow_core.models.model_kind import is_guided
from primeflow_core.runtime.jobs import JobState

WEIGHTS = (1.0, 2.0, 3.0)


def main() -> None:
    pages.begin("Compare")
    library = pages.library()
    if library.first is None:
        pages.show_unreadable(library)
        st.error("There is no model yet. Train one with `primeflow train`, then put its folder into checkpoints/.")
        return
    what = question(library)
    chosen, problems = entries.restored(library)
    if presenting():
        present(steps(Joint(entries.shown(library, chosen))) if len(chosen) >= FEWEST else [])
        return
    st.header("Compare", anchor=False)
    pages.show_unreadable(library)
    with what.below if what else st.sidebar:
        offer_to_add(what, chosen)
    for problem in problems:
        st.warning(plain(problem), icon=":material/link_off:")
    show_entries(chosen, library)
    if len(chosen) < FEWEST:
        offer_beginnings(what)
        return
    show(Joint(entries.shown(library, chosen)))


def question(library: Library) -> Asked | None:
    try:
        return asked(library)
    except ConditionError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def offer_to_add(what: Asked | None, chosen: Sequence[Entry]) -> None:
    if what is None:
        return
    entry = Entry(what.model.key, what.question)
    known, full = entry in chosen, len(chosen) >= MOST
    st.button(
        "Add to the comparison", type="primary", key="add-entry", icon=":material/add:", width="stretch",
        on_click=entries.keep, args=([*chosen, entry],), disabled=known or full,
    )  # fmt: skip
    if full:
        st.caption(f"You can compare {MOST} at most. Remove one first.")
    elif known:
        st.caption("This one is already in the comparison.")


def show_entries(chosen: Sequence[Entry], library: Library) -> None:
    for place, entry in enumerate(chosen):
        others = [other for other in chosen if other is not entry]
        with st.container(horizontal=True, vertical_alignment="center"):
            title = library.models[entry.model].title
            st.text(f"{place + 1}  {entry.title} · {title} · {entry.question.cells:,} cells", width="stretch")
            st.button(
                "Remove", key=f"remove-{place}", icon=":material/close:", type="tertiary", help=f"Entry {place + 1}",
                on_click=entries.keep, args=(others,),
            )  # fmt: skip


def offer_beginnings(what: Asked | None) -> None:
    """Buttons that fill the comparison with one click."""
    st.info(
        f"A comparison takes {FEWEST} to {MOST} entries. Choose a response on the left and add it, or start with a "
        "button below. To add a group of cells, draw it on Explore.",
        icon=":material/compare_arrows:",
    )
    if what is None:
        return
    with st.container(horizontal=True):
        held_out = entries.held_out_of(what.model)
        st.button(
            "Held-out conditions of this model", key="begin-held-out", on_click=entries.keep, args=(held_out,),
            disabled=len(held_out) < FEWEST,
        )  # fmt: skip
        if is_guided(what.model.manifest):
            offer_weights(what)


def offer_weights(what: Asked) -> None:
    weights = [replace(what.question, plan=replace(what.question.plan, guidance=weight)) for weight in WEIGHTS]
    st.button(
        "This response at guidance weights 1, 2 and 3", key="begin-weights", on_click=entries.keep,
        args=([Entry(what.model.key, question) for question in weights],),
    )  # fmt: skip


def show(joint: Joint) -> None:
    if joint.mixed:
        st.error(
            "Simulated and real cells are not compared on the same axes. Remove one kind.",
            icon=":material/science:",
        )
        return
    offer_predictions([one for one in joint.entries if one.answer is None])
    if not joint.ready:
        return
    show_maps(joint)
    show_agreement(joint)
    show_dots(joint)
    show_differences(joint)
    with st.container(horizontal=True):
        offer_pin(partial(finding_of, joint), f"compare-{joint.key}")
        offer_link()
        offer_presentation()


def offer_predictions(missing: Sequence[Shown]) -> None:
    """One button for everything that is not predicted yet, and progress while it runs."""
    if refused := answers.refusal():
        st.warning(plain(refused), icon=":material/hourglass_top:")
    if not missing:
        return
    running = [status for one in missing if (status := pages.jobs().active(one.entry.question)) is not None]
    if running:
        st.fragment(run_every=0.5)(wait)([status.id for status in running], len(missing))
        return
    seconds = sum(expected(one) for one in missing)
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(one.name for one in missing)
        st.button(
            f"Predict the {len(missing)} missing" if len(missing) > 1 else "Predict the missing one", type="primary",
            key="predict-missing", icon=":material/play_arrow:", shortcut="Ctrl+Enter", on_click=predict,
            args=(missing,),
        )  # fmt: skip
        st.text(f"About {pages.duration(seconds)}: {names}.", width="stretch")


def expected(one: Shown) -> float:
    question = one.entry.question
    return pages.shelf().expected_seconds(question.folder, one.view.model.manifest, question.cells, question.plan)


def predict(missing: Sequence[Shown]) -> None:
    for question, one in {one.entry.question: one for one in missing}.items():
        answers.queue(question, one.view.pca.place if one.view.pca else None, expected(one))


def wait(job_ids: Sequence[str], missing: int) -> None:
    statuses = [status for job_id in job_ids if (status := pages.jobs().status(job_id)) is not None]
    active = [status for status in statuses if status.state.is_active]
    if len(active) < len(job_ids):
        st.rerun()
    share = max((status.snapshot.fraction for status in active if status.snapshot is not None), default=0.0)
    with st.container(horizontal=True, vertical_alignment="center"):
        waiting = f" {answers.waiting_text(active[0])}" if active[0].state is JobState.QUEUED else ""
        st.progress(share, text=f"Predicting: {missing} left.{waiting}")
        st.button(
            "Cancel predictions", key="cancel-missing", icon=":material/stop_circle:", on_click=cancel, args=(job_ids,)
        )


def cancel(job_ids: Sequence[str]) -> None:
    """Cancel the jobs of this session only; somebody else may wait for the others."""
    for job_id in job_ids:
        if pages.jobs().belongs(job_id, pages.session()):
            pages.jobs().cancel(job_id)


main()
