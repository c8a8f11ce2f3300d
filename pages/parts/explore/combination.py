"""A combination against the sum of its parts, and the genes whose measurement decides between the two."""

from functools import partial
from math import isfinite

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts.shared import answers
from pages.parts.shared.answers import Answer, answer_to, prediction_of
from pages.parts.shared.saving import offer_figure, offer_table
from pages.parts.shared.view import View
from primeflow_core.errors import PrimeflowError
from primeflow_core.evaluation.falsification import falsifying_genes
from primeflow_core.evaluation.interaction import Interaction
from primeflow_core.figures.interactive.interaction import interaction_scatter
from primeflow_core.figures.paper.interaction import interaction_scatter as interaction_print
from primeflow_core.figures.style import Role
from primeflow_core.models.baselines.condition_scores import sum_error, sum_mean
from primeflow_core.prediction.combination_effect import Interplay, Part, PartFrom
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.combination_parts import combination_effect, parts_of


def interplay_of(view: View, answer: Answer | None) -> Interplay | None:
    """The combination effect; None for a single perturbation, and while cells of a part are missing."""
    known = view.known
    if answer is None or known is None or len(view.condition.perturbations) < 2:
        return None
    parts, missing = parts_here(view)
    if missing:
        return None
    names = tuple(f"{part.origin} {len(part.cells)}" for part in parts)
    try:
        return pages.kept(
            ("interplay", *view.place_key, view.condition.label, answer.key, names),
            lambda: combination_effect(view, known, answer.prediction, parts),
        )
    except PrimeflowError as error:
        st.warning(plain(str(error)))
        return None


def parts_here(view: View) -> tuple[list[Part], list[PredictionRequest]]:
    """The parts with cells, and the questions about parts that nobody asked yet."""
    return parts_of(view, lambda question: prediction_of(answer_to(question, view.model)))


def show_interplay(view: View, answer: Answer, compared: Comparison, found: Interplay | None) -> None:
    """The card of a combination. Draws nothing for a single perturbation."""
    if len(view.condition.perturbations) < 2 or view.known is None:
        return
    st.subheader("More or less than the sum of its parts?", anchor=False)
    if found is None:
        offer_missing_parts(view)
        return
    printed = partial(interaction_print, *found.scatter, role=Role.PREDICTED, simulated=view.simulated)
    grid = st.grid(2, min_column_width=370)
    with grid.container(border=True):
        st.plotly_chart(
            interaction_scatter(*found.scatter, role=Role.PREDICTED, simulated=view.simulated),
            key="interaction", config=pages.FIGURE,
            alt=f"Each gene's change in the combination against the sum of the parts. {found.predicted.sentence}",
        )  # fmt: skip
        offer_figure("primeflow-interaction", printed, "interaction")
    with grid.cell():
        show_sides(view, found)
    show_falsification(view, answer, compared)


def offer_missing_parts(view: View) -> None:
    _, missing = parts_here(view)
    active = [status for question in missing if (status := pages.jobs().active(question)) is not None]
    if active:
        st.fragment(run_every=0.5)(wait_for_parts)([status.id for status in active])
        return
    names = " and ".join(question.condition.label for question in missing)
    st.caption(plain(f"The effect of {names} alone was never measured here. Predict it first."))
    st.button("Predict the parts alone", key="predict-parts", on_click=ask_parts, args=(missing, view))


def ask_parts(questions: list[PredictionRequest], view: View) -> None:
    for question in questions:
        seconds = pages.shelf().expected_seconds(question.folder, view.model.manifest, question.cells, question.plan)
        answers.queue(question, view.pca.place if view.pca else None, seconds)


def wait_for_parts(job_ids: list[str]) -> None:
    statuses = [pages.jobs().status(job_id) for job_id in job_ids]
    if not any(status is not None and status.state.is_active for status in statuses):
        st.rerun()
    st.progress(0.0, text="Predicting each part alone …")


def show_sides(view: View, found: Interplay) -> None:
    """The kind of combination effect, predicted and measured, each with its interval."""
    truth = "SIMULATED" if view.simulated else "MEASURED"
    sides: list[tuple[str, Interaction | None]] = [("PREDICTED", found.predicted), (truth, found.measured)]
    for word, side in sides:
        with st.container(border=True):
            if side is None:
                st.text(f"{word}: too few cells (or none) of the combination, or of one of its parts alone.")
                continue
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge(
                    word,
                    color="orange" if word == "PREDICTED" else "blue",
                    icon=":material/diamond:" if word == "PREDICTED" else ":material/circle:",
                )
                st.markdown(f"**{side.kind.value}**")
            st.text(side.sentence)
            if isfinite(side.magnitude.value):
                show_figures(side)
    st.caption(plain(origin_text(found, simulated=view.simulated)))


def show_figures(side: Interaction) -> None:
    with st.container(horizontal=True):
        st.metric(
            "Size relative to the sum",
            f"{side.magnitude.value:.2f}",
            help="1: the combination changes as much as its parts added up.",
        )
        st.metric("95 % interval", f"{side.magnitude.low:.2f} to {side.magnitude.high:.2f}")
        st.metric(
            "Same direction",
            f"{side.direction.value:.2f}",
            help="Cosine between the combination and the sum; 1 is the same direction.",
        )


def origin_text(found: Interplay, *, simulated: bool) -> str:
    """For instance ``Each part alone: KLF1 measured (112 cells), MAP2K6 predicted (200 cells).``"""
    word = {PartFrom.MEASURED: "simulated" if simulated else "measured", PartFrom.PREDICTED: "predicted"}
    told = [f"{name} {word[origin]} ({cells:,} cells)" for name, origin, cells in found.parts]
    each = f"Each part alone: {', '.join(told)}."
    return f"{each} Changes are log2, log-normalised, against control cells of the same experiment."


def show_falsification(view: View, answer: Answer, compared: Comparison) -> None:
    """The genes in which the model and the sum of single effects disagree most."""
    table = falsification_of(view, answer)
    if table is None:
        return
    with st.container(border=True):
        st.subheader("What would falsify this", anchor=False)
        st.caption(
            "The five genes in which the model and the sum of single effects disagree most. Measure them to see which "
            "is right. Cells per arm (combination and control): for 80 % power at a two-sided α of .05, divided by the "
            "five genes."
        )
        st.table(shown(view, table, compared), hide_index=True, alt="Five genes that decide between model and sum")
        offer_table("Deciding genes (csv)", lambda: table, "primeflow-falsification", "falsification-csv")


def falsification_of(view: View, answer: Answer) -> pd.DataFrame | None:
    """None if the sum of single effects is not available."""
    if view.trained_on is None or view.known is None:
        return None
    controls, genes = view.known.training_controls, view.model.manifest.genes
    try:
        fitted = pages.fitted_baselines(view.model, view.trained_on)
        return pages.kept(
            ("falsification", *view.place_key, view.condition.label, answer.key),
            lambda: falsifying_genes(
                genes,
                answer.prediction.values,
                sum_mean(fitted, view.condition),
                controls,
                sum_error=sum_error(fitted, view.condition),
            ),
        )
    except PrimeflowError as error:
        st.caption(plain(f"There is no sum of single effects to compare the model with: {error}"))
        return None


def shown(view: View, table: pd.DataFrame, compared: Comparison) -> pd.DataFrame:
    """The table with numbers as text; text from files is escaped, so that it is not read as markup."""
    found = pd.DataFrame(
        {
            "Gene": [plain(gene) for gene in table["gene"]],
            "Model, log2": [f"{change:+.2f}" for change in table["predicted_change"]],
            "Sum, log2": [f"{change:+.2f}" for change in table["sum_change"]],
            "Effect size (d)": [f"{effect:+.2f}" for effect in table["effect_size"]],
            "Cells per arm": ["no number" if pd.isna(cells) else f"{cells:,}" for cells in table["cells_per_arm"]],
            "What decides": [plain(sentence) for sentence in table["sentence"]],
        }
    )
    if compared.response.measured:
        measured = compared.response.table.set_index("gene")["measured_change"]
        word = "Simulated" if view.simulated else "Measured"
        found.insert(3, f"{word}, log2", [f"{measured[gene]:+.2f}" for gene in table["gene"]])
    return found
