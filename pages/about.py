"""The models, their data, what they must not be used for, and the questions people ask most."""

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts import address
from pages.parts.shared.fading import faded
from pages.parts.shared.presenting import Step, present, presenting
from primeflow_core.data.conditions import Condition
from primeflow_core.data.datasets import DATASETS
from primeflow_core.data.perturbation_wording import actions
from primeflow_core.errors import CheckpointError, PrimeflowError
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.model_store.local_models import Library, Model
from primeflow_core.model_store.model_summary import facts_of, held_out_scores

MUST_NOT = (
    "Predictions are hypotheses for the next experiment. They are not evidence. Do not use them for a decision about a "
    "patient. If a part was seen only in other cells, the prediction is a guess, and the app says so. Where the sum of "
    "single effects is as close to the measured cells as the model, do not trust the model more than the sum."
)
ANSWERS = {
    "Which perturbations can I ask for?": (
        "All that the model saw in training, alone or in a combination. This page lists them by cell context. You can "
        "combine up to three. The model cannot predict a gene that was never perturbed in the training data."
    ),
    "Is it knock-out, knock-down or activation?": (
        "It is what was done in the training data. The table above says it for every perturbation. A model of genes "
        "switched up cannot predict what happens when they are switched down."
    ),
    "Do I need data of my own?": (
        "No. If you bring control cells, the app shows the response beside them. If you bring perturbed cells, it "
        "compares the prediction with them. With a few thousand of both you can train a small model (page Your cells)."
    ),
    "Do I get a mean or cells?": (
        "Single cells, as many as you ask for. Each cell is a random draw, so you can see the spread, the share of "
        "expressing cells, and subgroups. The same seed gives the same cells."
    ),
    "What is the unit of the changes?": (
        "The log2 ratio of the mean log-normalised expression in perturbed cells to that in control cells. As in "
        "PerturBench, .1 is added to both means."
    ),
    "How sure is it?": (
        "Every metric is shown between its floor (control cells offered as the prediction) and its ceiling (one half "
        "of the measured cells against the other half), beside simple baselines. Where nothing was measured, a badge "
        "says what training saw of the condition."
    ),
    "What does the guidance weight do?": (
        "1 is the response as the model learned it. More exaggerates the difference from control cells, and makes the "
        "cells less realistic. Only flow models have it. Models that make cells in one pass do not."
    ),
    "When are two perturbations more than their sum?": (
        "When the change of the combination is clearly larger (synergistic) or smaller (suppressive) than the sum of "
        "the log2 changes of its parts. The card shows the size with a 95 % interval. It says when there are too few "
        "cells."
    ),
    "Does anything leave this machine?": (
        "No. The app listens on this machine only. It calls no other server and collects no statistics. Only Download "
        "real cells uses the network."
    ),
}  # fmt: skip


def main() -> None:
    pages.begin("About")
    library = pages.library()
    if presenting():
        present([Step("What it must not be used for", show_limits, ())])
        return
    st.header("About", anchor=False)
    pages.show_unreadable(library)
    st.text(
        "PRiMeFlow predicts how single cells respond when genes are switched up or down or drugs are given, one at a "
        "time or in combination. It learned this from measured cells, by flow matching directly in gene-expression "
        "space."
    )
    with st.container(border=True):
        st.subheader("What it must not be used for", anchor=False)
        show_limits()
    if library.models:
        show_model(choose_model(library))
    show_data()
    st.subheader("Questions and answers", anchor=False)
    for question, answer in ANSWERS.items():
        with st.expander(question):
            st.text(answer)


def show_limits() -> None:
    st.text(MUST_NOT)


def choose_model(library: Library) -> Model:
    st.subheader("The models", anchor=False)
    said = (address.read(("model",)) or {}).get("model", "")
    if said in library.models:
        st.session_state["about_model"] = said
    name = st.selectbox(
        "Model", list(library.models), format_func=lambda name: library.models[name].title, key="about_model"
    )
    address.write({"model": str(name)})
    return library.models[str(name)]


def show_model(model: Model) -> None:
    grid = st.grid(2, min_column_width=420)
    with grid.container(border=True):
        st.markdown("**Model card**")
        facts = pd.DataFrame([(name, plain(value)) for name, value in facts_of(model)], columns=["", "This model"])
        st.table(facts, hide_index=True, hide_header=True, border="horizontal", alt="Facts about this model")
    with grid.container(border=True):
        st.markdown("**Metrics on held-out cells**")
        show_scores(model)
    with st.expander("Perturbations that it can predict", icon=":material/list:"):
        st.dataframe(choices_of(model), hide_index=True, alt="Perturbations by cell context", height=320)


def show_scores(model: Model) -> None:
    try:
        held_out = held_out_scores(model)
    except CheckpointError as error:
        st.warning(plain(str(error)))
        return
    if held_out is None:
        st.caption("This model was never tested on held-out cells.")
        return
    shown = held_out.table.set_index("Measure").map(lambda value: "none" if pd.isna(value) else f"{value:.3f}")
    silent = [name in held_out.silent for name in shown.index]
    st.table(faded(shown, silent), border="horizontal", alt="Metrics on held-out cells, with floor and ceiling")
    st.caption(
        f"{plain(held_out.sentence)} Floor: control cells offered as the prediction. Ceiling: one half of the measured "
        "cells against the other half; these are fewer cells than the model makes. Wrong condition: the model's "
        "predictions of the other conditions."
    )


def choices_of(model: Model) -> pd.DataFrame:
    """Every perturbation in every context: what training saw of it, and what was done."""
    catalogue = Catalogue(model.manifest)
    try:
        cells = pages.cells_of(model)
    except PrimeflowError:
        cells = None
    rows = []
    for covariates in catalogue.contexts():
        done = actions(cells, covariates)
        for choice in catalogue.choices(covariates):
            context = Condition((), covariates).context
            rows.append((choice.name, context, str(choice.standing), done.get(choice.name, "not stated")))
    return pd.DataFrame(rows, columns=["Perturbation", "Cells", "Known as", "What was done"])


def show_data() -> None:
    st.subheader("The data", anchor=False)
    rows = [
        (data.name, data.description, "simulated" if data.simulated else "measured", data.licence, data.citation)
        for data in DATASETS
    ]
    table = pd.DataFrame(rows, columns=["Data set", "What it is", "Kind", "Licence", "Citation"])
    st.table(table, hide_index=True, border="horizontal", alt="Named data sets with licence and citation")
    st.caption("Names of genes, their aliases and Ensembl ids: HUGO Gene Nomenclature Committee (CC0).")


main()
