"""What a ranking looks for, in the sidebar: the goal in a biologist's words, and the genes or the state it needs."""

from collections.abc import Sequence

import streamlit as st

import pages
from pages import plain
from pages.parts.rank.upload import LONGEST_LIST, offer_file
from primeflow_core.data.conditions import Condition
from primeflow_core.data.gene_search import NameSearch, found_genes
from primeflow_core.errors import SettingError
from primeflow_core.model_store.available_conditions import Catalogue, Covariates
from primeflow_core.model_store.local_models import Model
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.goals.record import Need
from primeflow_core.screening.goals.registry import goal_record, goal_records, listed_under

LISTED_BACK = 8


def choose_goal(model: Model, covariates: Covariates) -> tuple[Goal | None, str]:
    """The goal, or None and what it still needs."""
    goals = entries()
    entry = st.selectbox("What is looked for", list(goals), format_func=goals.__getitem__, key="rank_goal")
    record, genes = goal_record(entry), model.manifest.genes
    try:
        if record.need is Need.TARGET:
            return choose_target(entry, model, covariates)
        if record.need is Need.GENE_LISTS:
            return choose_lists(record.name, genes)
        if record.need is Need.ONE_GENE:
            return choose_gene(record.name, genes)
        return Goal(record.name), ""
    except SettingError as error:
        return None, str(error)


def entries() -> dict[str, str]:
    """The list of goals in words, by name; goals listed under another are chosen after it."""
    return {record.name: record.choice for record in goal_records() if record.entry == record.name}


def choose_target(entry: str, model: Model, covariates: Covariates) -> tuple[Goal | None, str]:
    """A state that was measured in this context."""
    states = measured_states(model, covariates)
    catalogue = Catalogue(model.manifest)
    word = "Simulated" if model.manifest.simulated else "Measured"
    wanted = st.session_state.get("rank_target")
    if wanted not in states:
        st.session_state["rank_target"] = next(iter(states), None)
        if wanted and states:
            st.warning(plain(f"{wanted} was not {word.lower()} in this context. Choose a state below."))
    label = st.selectbox(
        f"{word} state", list(states), key="rank_target",
        format_func=lambda label: f"{label} · {catalogue.standing(states[label])}" if label in states else label,
    )  # fmt: skip
    kind = choose_way(entry)
    if label is None:
        return None, f"Only control cells were {word.lower()} in this context."
    return Goal(kind, target=states[label]), ""


def choose_way(entry: str) -> str:
    """Which of the goals listed under one entry; there is no choice where it stands alone."""
    ways = {record.name: record for record in listed_under(entry)}
    if st.session_state.get("rank_by") not in ways:
        st.session_state["rank_by"] = entry
    if len(ways) == 1:
        return entry
    kind = st.segmented_control(
        "Ranked by", list(ways), format_func=lambda name: ways[name].way, key="rank_by", required=True
    )
    st.caption(" ".join(f"{record.way}: {record.way_means}." for record in ways.values()))
    return str(kind or entry)


def measured_states(model: Model, covariates: Covariates) -> dict[str, Condition]:
    """Every perturbed condition of the context in the model's data, by label."""
    known = dict.fromkeys((*model.manifest.trained_on, *model.manifest.held_out))
    here = [condition for condition in known if condition.covariates == covariates and not condition.is_control]
    return {condition.label: condition for condition in sorted(here, key=lambda c: (len(c.parts), c.label))}


def choose_lists(kind: str, genes: Sequence[str]) -> tuple[Goal | None, str]:
    raised = choose_list("raise", "Genes to raise", genes)
    lowered = choose_list("lower", "Genes to lower", genes)
    if not raised and not lowered:
        return None, "Name at least one gene to raise or to lower, on the left."
    st.caption("Genes that a candidate targets itself are left out of its score.")
    return Goal(kind, raised, lowered), ""


def choose_list(name: str, label: str, genes: Sequence[str]) -> tuple[str, ...]:
    """The genes of a pasted or uploaded list; what is unknown is listed back, with guesses."""
    text = st.text_area(
        label, key=f"rank_{name}", height=80, max_chars=LONGEST_LIST,
        placeholder="Names, separated by blanks, commas or lines",
    )  # fmt: skip
    offer_file(name, label)
    found, unknown = found_genes(text, genes)
    if text.strip():
        show_unknown(found, unknown, genes)
    return found


def show_unknown(found: Sequence[str], unknown: Sequence[str], genes: Sequence[str]) -> None:
    total = len(found) + len(unknown)
    if not unknown:
        st.caption(f"{total} of {total} {'gene' if total == 1 else 'genes'} known to the model.")
        return
    listed = [guessed(name, genes) for name in unknown[:LISTED_BACK]]
    are = "gene is" if total == 1 else "genes are"
    more = f" and {len(unknown) - LISTED_BACK} more" if len(unknown) > LISTED_BACK else ""
    st.warning(
        plain(f"{len(found)} of {total} {are} known to the model; left out: {', '.join(listed)}{more}."),
        icon=":material/search_off:",
    )


def guessed(name: str, genes: Sequence[str]) -> str:
    near = pages.kept(("guesses", tuple(genes), name), lambda: NameSearch(genes).suggestions(name, 2))
    return f"{name} (did you mean {' or '.join(near)}?)" if near else name


def choose_gene(kind: str, genes: Sequence[str]) -> tuple[Goal | None, str]:
    """One gene, by any of its names."""
    typed = st.selectbox(
        "My gene", list(genes), index=None, key="rank_gene", placeholder="Type a name", accept_new_options=True,
        filter_mode="contains",
    )  # fmt: skip
    st.caption("Candidates that target the gene itself have no rank.")
    if not typed:
        return None, "Choose the gene that should change, on the left."
    gene = NameSearch(genes).find(str(typed))
    if gene is None:
        return None, f"{guessed(str(typed), genes)} is not among the {len(genes):,} genes of this model."
    return Goal(kind, (gene,)), ""
