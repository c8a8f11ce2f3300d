"""What the models are, what they learned from, what they must not be used for, and the questions people ask most."""

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts import address
from pages.parts.shared.presenting import Step, present, presenting
from primeflow_core.data.conditions import Condition
from primeflow_core.data.datasets import DATASETS
from primeflow_core.data.perturbation_wording import actions
from primeflow_core.errors import PrimeflowError
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.model_store.local_models import Library, Model
from primeflow_core.model_store.model_summary import facts_of, held_out_scores

MUST_NOT = (
    "Predictions are hypotheses for the next experiment. They are no evidence, and no basis for a decision about a "
    "patient. A prediction whose parts were seen only in other cells is a guess, and says so. Where the sum of single "
    "effects is as close to the truth as the model, believe the model no more than the sum."
)
ANSWERS = {
    "Which perturbations can I ask for?": (
        "Those that the model met in training, alone or together: the list on this page, by cell context. Up to three "
        "at once. A gene that was never perturbed in the training data cannot be predicted, and is refused."
    ),
    "Is it knock-out, knock-down or activation?": (
        "What the training data did: the table below says it for every perturbation. A model of genes switched up "
        "knows nothing of switching them down."
    ),
    "Do I need data of my own?": (
        "No. With your own control cells the response is set beside your cells; with your own perturbed cells it is "
        "compared with them; with a few thousand of both you can train a small model (page Your cells)."
    ),
    "Do I get a mean or cells?": (
        "Single cells, as many as you ask for: each is a draw, so that spread, shares of expressing cells and "
        "subgroups can be read. The same seed gives the same cells."
    ),
    "What is the unit of the changes?": (
        "log2 of the mean log-normalised expression in the perturbed cells against control cells, with .1 added to "
        "both, as in PerturBench."
    ),
    "How sure is it?": (
        "Every measure stands between its floor (control cells offered as the prediction) and its ceiling (one half "
        "of the measured cells against the other), beside simple baselines. Where nothing was measured, the badge "
        "says how far the condition is from what was."
    ),
    "What does the guidance weight do?": (
        "1 is the response as the model learned it. More exaggerates what tells the perturbation from control cells; "
        "cells then become less real. It belongs to flows; models that make cells in one pass have none."
    ),
    "When are two perturbations more than their sum?": (
        "When the combination's change is clearly larger (synergistic) or smaller (suppressive) than what the parts do "
        "alone, added up in log2. The card shows the size with a 95 % interval, and says when the cells are too few."
    ),
    "Does anything leave this machine?": (
        "No. The app listens on this machine alone, asks no other server for anything, and counts nothing. Only "
        "Download real cells uses the network."
    ),
}  # fmt: skip


def main() -> None:
    pages.begin("About")
    library = pages.library()
    if presenting():
        present([Step("What it must not be used for", show_limits, ())])
        return
    st.header("About", anchor=False)
    st.text(
        "PRiMeFlow predicts what single cells do when genes are switched or drugs are given, one by one or together. "
        "It learned this from measured cells, by flow matching straight in gene-expression space."
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
        st.markdown("**How it did on cells that it was not trained on**")
        show_scores(model)
    with st.expander("Perturbations it can be asked for", icon=":material/list:"):
        st.dataframe(choices_of(model), hide_index=True, alt="Perturbations by cell context", height=320)


def show_scores(model: Model) -> None:
    held_out = held_out_scores(model)
    if held_out is None:
        st.caption("This model was never tested on cells that it was not trained on.")
        return
    shown = held_out.table.set_index("Measure").map(lambda value: "none" if pd.isna(value) else f"{value:.3f}")
    st.table(shown, border="horizontal", alt="Measures on held-out cells, floor, ceiling, baselines")
    st.caption(
        f"{plain(held_out.sentence)} Floor: control cells offered as the prediction. Ceiling: one half of the measured "
        "cells against the other; fewer cells than the model makes."
    )


def choices_of(model: Model) -> pd.DataFrame:
    """Every perturbation in every context, how well it is known there, and what was done."""
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
            rows.append((choice.name, context, str(choice.standing), done.get(choice.name, "not said here")))
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
