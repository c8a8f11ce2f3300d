"""One condition: control, measured and predicted cells, live; the genes that change; how far to trust it."""

from functools import partial
from math import isfinite
from typing import Literal

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

import pages
from pages import Answer, plain
from pages.parts.cell_map import show_live, show_map
from pages.parts.question import asked
from pages.parts.view import View, look_up
from primeflow_core.actions import actions, described, done_elsewhere, kind_of
from primeflow_core.catalogue import Catalogue
from primeflow_core.comparison import Comparison
from primeflow_core.conditions import Novelty, novelty
from primeflow_core.errors import ConditionError, PrimeflowError
from primeflow_core.evaluation.response import LARGEST_P, LEAST_CHANGE
from primeflow_core.figures import Range, agreement_ranges, gene_changes
from primeflow_core.jobs import JobState, JobStatus
from primeflow_core.prediction import Question

FEW_CELLS = 50
GENES_DRAWN = 16
GENE_COLUMNS = (
    "gene", "predicted_change", "measured_change", "expected", "agrees", "predicted_p", "measured_p",
)  # fmt: skip
Colour = Literal["gray", "green", "yellow"]
BADGES: dict[Novelty, tuple[str, Colour, str]] = {
    Novelty.SEEN: ("Seen in training: a memory, not a prediction", "gray", ":material/history:"),
    Novelty.PARTS_SEEN: ("Each part seen alone, never together: a prediction", "green", ":material/join_inner:"),
    Novelty.PART_ELSEWHERE: ("A part never seen alone here: treat as a guess", "yellow", ":material/help:"),
    Novelty.PART_UNSEEN: ("A part never seen: treat as a guess", "yellow", ":material/help:"),
}
MEASURES = {
    "mmd_gex": ("MMD, genes", "distance between predicted and measured cells over all genes; smaller is closer"),
    "mmd_pca": ("MMD, components", "the same over 30 principal components, where most noise is gone"),
    "deg_recall": ("DEG recall", "share of the 50 genes that change most which the prediction finds too"),
    "cosine_logfc": ("Cosine of changes", "do genes change in the same proportions; 1 is the same, 0 unrelated"),
}


def main() -> None:
    pages.begin("Explore a response")
    library = pages.library()
    for problem in library.problems:
        st.warning(plain(problem))
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
    """Predict, or Cancel while this very question is being answered."""
    status = pages.job_in_address()
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
        on_click=pages.ask,
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


# The answer: the page


def show(view: View) -> None:
    status = pages.job_in_address()
    mine = status if status is not None and status.subject == view.question else None
    if mine is None and "job" in st.query_params and not (status is not None and status.state.is_active):
        del st.query_params["job"]
    active = mine is not None and mine.state.is_active
    answer = None if active else pages.answer_to(view.question, view.model)
    found = compare(view, answer)
    show_headline(view, answer, sentence(view, answer, found, active=active))
    show_messages(view, mine, answer)
    if status is not None and mine is None and status.state.is_active:
        show_other_job(status)
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True, height="stretch"):
        if mine is not None and active:
            show_live(view, mine.id)
        else:
            show_map(view, answer)
    with grid.container(border=True, height="stretch"):
        show_agreement(view, answer, found)
    if answer is not None and found is not None:
        show_genes(view, found)
    if answer is not None:
        show_downloads(view, answer, found)
        show_provenance(view, answer)


def compare(view: View, answer: Answer | None) -> Comparison | None:
    if answer is None or view.known is None:
        return None
    key = (*view.place_key, view.condition.label, answer.key)
    try:
        return pages.comparison(key, answer.prediction.values, view.measured, view.known, view.model.manifest.genes)
    except PrimeflowError as error:
        st.warning(plain(str(error)))
        return None


def show_headline(view: View, answer: Answer | None, told: str) -> None:
    """One plain sentence with real numbers, and in words what is predicted, measured and simulated."""
    done = described(view.condition, actions(view.cells, view.condition.covariates))
    where = f" in {view.condition.context}" if view.condition.context else ""
    st.header(plain(f"{done[:1].upper()}{done[1:]}{where}: {told}"), anchor=False)
    with st.container(horizontal=True, gap="xsmall"):
        if view.simulated:
            st.badge("SIMULATED data", icon=":material/science:", color="violet")
        if answer is not None:
            st.badge(f"PREDICTED {len(answer.prediction.values):,} cells", icon=":material/diamond:", color="orange")
        if len(view.measured):
            word = "SIMULATED" if view.simulated else "MEASURED"
            held_out = ", held out" if view.condition in view.model.manifest.held_out else ""
            st.badge(f"{word} {len(view.measured):,} cells{held_out}", icon=":material/circle:", color="blue")
        text, colour, icon = BADGES[novelty(view.condition, view.model.manifest.trained_on)]
        st.badge(text, icon=icon, color=colour)
    manifest = view.model.manifest
    kind = kind_of(view.cells, view.condition)
    st.caption(
        plain(
            " · ".join(
                filter(None, (view.condition.context, kind, f"data {manifest.dataset}", f"model {view.model.made}"))
            )
        )
    )


def sentence(view: View, answer: Answer | None, found: Comparison | None, *, active: bool) -> str:
    """What the model expects and whether it was right, after the words for what was done."""
    truth = "simulation" if view.simulated else "experiment"
    if answer is None:
        done = "simulated" if view.simulated else "measured"
        known = f"{done} in {len(view.measured):,} cells" if len(view.measured) else f"never {done}"
        return f"{known}, {'being predicted' if active else 'not predicted yet'}."
    if found is None:
        return f"{len(answer.prediction.values):,} predicted cells, nothing to compare them with."
    response = found.response
    expected = response.up + response.down
    told = f"the model expects {response.up} genes up, {response.down} down"
    if not expected:
        told = "the model expects no gene to change clearly"
    if not response.measured:
        return f"{told}. This was never measured: there is nothing to compare with."
    return f"{told}; the {truth} agrees on {response.agreeing} of {expected}." if expected else f"{told}."


def show_messages(view: View, status: JobStatus | None, answer: Answer | None) -> None:
    if refused := pages.refusal():
        st.warning(plain(refused), icon=":material/hourglass_top:")
    if status is not None and status.state is JobState.FAILED:
        st.error(plain(status.error), icon=":material/error:")
    if status is not None and status.state is JobState.CANCELLED:
        made = len(answer.prediction.values) if answer is not None and not answer.shipped else 0
        shown = f"the picture shows those {made:,}" if made else "none was finished"
        st.warning(
            f"Cancelled after {made:,} of {view.question.cells:,} cells; {shown}.", icon=":material/stop_circle:"
        )
    for line in (
        *Catalogue(view.model.manifest).seen_elsewhere(view.condition),
        *done_elsewhere(view.cells, view.condition),
    ):
        st.caption(plain(line))
    if view.known is None:
        st.info(
            "The measured cells of this model are not on this machine, so there is nothing to compare with. "
            "Predictions work all the same.",
            icon=":material/cloud_off:",
        )


def show_other_job(status: JobStatus) -> None:
    """A prediction of something else goes on while the question was changed."""
    question = status.subject
    name = question.condition.label if isinstance(question, Question) else "Another condition"
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.text(f"{name} is still being predicted.", width="stretch")
        st.button("Cancel it", key="cancel-other", on_click=pages.jobs().cancel, args=(status.id,))


def show_agreement(view: View, answer: Answer | None, found: Comparison | None) -> None:
    with st.container(horizontal=True, height=pages.CARD_TITLE, border=False, vertical_alignment="center"):
        st.subheader("How far to trust it", anchor=False)
    if answer is None:
        st.caption("The agreement with the measured cells appears here when cells have been predicted.")
        return
    if found is None or not found.agreement:
        missing = "not on this machine" if view.known is None else "never measured"
        st.caption(f"Cells of this condition are {missing}: there is no truth to compare with.")
        return
    ranges = ranges_of(found)
    told = "; ".join(f"{entry.label} {entry.value:.3g}" for entry in ranges)
    st.plotly_chart(
        agreement_ranges(ranges), key="agreement", config={"displayModeBar": False}, alt=f"Agreement: {told}"
    )
    meanings = [f"**{label}**: {meaning}." for label, meaning in MEASURES.values()]
    ends = (
        "**Floor**: control cells offered as the prediction. **Ceiling**: one half of the measured cells against the "
        "other; more cells than a half has can come closer still."
    )
    st.caption("  \n".join([*meanings, ends]))
    if silent := [entry.label for entry in ranges if not entry.tells_apart]:
        st.caption(f"Without a diamond: {', '.join(silent)}. Control cells do as well as a second experiment there.")
    if min(len(view.measured), len(answer.prediction.values)) < FEW_CELLS:
        st.caption(f":material/warning: With fewer than {FEW_CELLS} cells these measures are rough.")


def ranges_of(found: Comparison) -> list[Range]:
    """The measures that have a floor and a ceiling."""
    ranges = []
    for name, (label, _) in MEASURES.items():
        bounded = found.agreement[name]
        if bounded.floor is not None and bounded.ceiling is not None and isfinite(bounded.value):
            ranges.append(Range(label, bounded.value, bounded.floor, bounded.ceiling, bounded.tells_apart))
    return ranges


def show_genes(view: View, found: Comparison) -> None:
    st.subheader("Genes that change most", anchor=False)
    st.caption(
        f"log2 change of the mean log-normalised expression against control. Expected to change: {LEAST_CHANGE:g} or "
        f"more, with an adjusted p below {LARGEST_P:g}. Agreement is the same direction, which chance gives to half."
    )
    shown = found.response.most_changed(GENES_DRAWN)
    figure = gene_changes(shown, simulated=view.simulated)
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True):
        st.plotly_chart(
            figure, key="genes", config=pages.saved_as("genes"),
            alt=f"log2 change of {', '.join(shown['gene'].head(5))} and {len(shown) - 5} more genes",
        )  # fmt: skip
    with grid.cell():
        st.dataframe(
            found.response.table,
            hide_index=True,
            height=figure.layout.height + 32,
            column_order=GENE_COLUMNS,
            column_config=gene_columns(view),
            alt="All genes with predicted and measured change",
        )


def gene_columns(view: View) -> dict[str, ColumnConfig | str | None]:
    truth = "Simulated" if view.simulated else "Measured"
    number = partial(st.column_config.NumberColumn, format="%.2f")
    p_value = partial(st.column_config.NumberColumn, format="%.2g")
    return {
        "gene": st.column_config.TextColumn("Gene", pinned=True),
        "predicted_change": number("Predicted", help="log2 change against control, log-normalised"),
        "predicted_p": p_value("Predicted p", help="Welch's t test, Benjamini-Hochberg adjusted"),
        "expected": st.column_config.TextColumn("Expected"),
        "measured_change": number(truth, help="log2 change against control, log-normalised"),
        "measured_p": p_value(f"{truth} p", help="Welch's t test, Benjamini-Hochberg adjusted"),
        "agrees": st.column_config.CheckboxColumn("Agrees", help="Same direction in the measured cells"),
    }


def show_downloads(view: View, answer: Answer, found: Comparison | None) -> None:
    name = partial(pages.file_name, view.model, view.condition)
    with st.container(horizontal=True):
        if found is not None:
            st.download_button(
                "Genes (csv)", lambda: str(found.response.table.to_csv(index=False)), name("-genes.csv"), "text/csv",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        st.download_button(
            "Predicted cells (h5ad)", partial(pages.h5ad_of, answer, view.model, view.condition), name("-cells.h5ad"),
            "application/octet-stream", icon=":material/download:", on_click="ignore",
        )  # fmt: skip


def show_provenance(view: View, answer: Answer) -> None:
    plan = answer.prediction.plan
    precision = "" if plan.precision == "auto" else f", {plan.precision} products"
    origin = "They came with the model; Predict makes them live. " if answer.shipped else ""
    st.caption(
        plain(
            f"{len(answer.prediction.values):,} predicted cells. {origin}Sampling: {plan.sampler}, {plan.in_steps}, "
            f"guidance {plan.guidance:g}, seed {plan.seed}, zeros {plan.zeros}{precision}."
        )
    )


main()
