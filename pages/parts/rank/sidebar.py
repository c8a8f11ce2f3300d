"""The question of the Rank page in the sidebar: model, cells to start from, goal, candidates; all of it in the
address."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import pages
from pages import plain
from pages.parts import address
from pages.parts.rank import answer
from pages.parts.rank.goal import choose_goal, entries
from pages.parts.rank.upload import LONGEST_LIST, forget_complaints, offer_file
from pages.parts.shared.explore_sidebar import choose_context, choose_weight, context_of, number_in
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.model_store.available_conditions import Catalogue, Covariates
from primeflow_core.model_store.local_models import Library, Model
from primeflow_core.report.ranking_link import address_of
from primeflow_core.screening import candidates
from primeflow_core.screening.candidates import Asked as Line
from primeflow_core.screening.candidates import Candidates, Doses, Refusal
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.goals.record import Need
from primeflow_core.screening.goals.registry import goal_record
from primeflow_core.screening.screen_request import Request
from primeflow_core.screening.unseen_combinations import check_goal

TEXTS = ("model", "context", "goal", "by", "target", "raise", "lower", "gene", "rank", "list", "doses")
FILTERS = ("find", "known", "kinds", "top", "colour", "next")
LIMITS: Mapping[str, tuple[float, float]] = {"cells": (10, 2_000), "seed": (0, 2**31 - 1), "w": (1.0, 5.0)}
PAIRS, SINGLES, LIST = "pairs", "singles", "list"
RANKED = {PAIRS: "All pairs", SINGLES: "All singles", LIST: "A list"}
DOSES: Mapping[str, tuple[str, Doses]] = {
    "highest": ("Highest measured", "highest"),
    "all": ("All measured", "all"),
}
USUAL_CELLS, SEEDS = 200, 2
USUAL: Mapping[str, float] = {"cells": USUAL_CELLS, "seed": 0, "w": 1.0}
# What a link may leave out of how a ranking that came with the model was made.
MAKING = ("context", *LIMITS)
MOST_LINES = 200
_SHARED = ("context", "w")


@dataclass(frozen=True)
class Asked:
    """What is asked; ``request`` None with the ``problem`` where something is missing. ``blocked``: why it cannot be
    ranked on this machine, though it can be asked. ``below``: the place in the sidebar for the button."""

    model: Model
    covariates: Covariates
    ranked: str
    doses: Doses
    request: Request | None
    refused: tuple[Refusal, ...]
    problem: str
    blocked: str
    below: DeltaGenerator

    @property
    def noun(self) -> str:
        """What is ranked, in the plural."""
        return {PAIRS: "pairs", SINGLES: "perturbations"}.get(self.ranked, "candidates")

    def counted(self, count: int) -> str:
        """For instance ``153 pairs`` or ``1 pair``."""
        return f"{count:,} {self.noun if count != 1 else self.noun.removesuffix('s')}"


def key_of(name: str) -> str:
    """Where the session keeps the widget of a part of the address; some are drawn by the same code as on Explore."""
    return name if name in _SHARED else f"rank_{name}"


def asked(library: Library) -> Asked:
    """Draw the sidebar."""
    keep_filters()
    follow_address(library)
    with st.sidebar:
        model = choose_model(library)
        catalogue = Catalogue(model.manifest)
        covariates = choose_context(catalogue)
        goal, problem = choose_goal(model, covariates)
        ranked = choose_ranked(model, covariates, goal)
        found, doses, refusal = choose_candidates(model, covariates, ranked)
        cells, seed, weight = choose_making(model)
        below = st.container()
        pages.offer_download(library.to_download)
    write_address(cells, seed, weight)
    problem = problem or refusal
    request = None
    if goal is not None and not problem:
        request, problem = request_of(model, goal, found, cells, seed, weight)
    blocked = "" if request is None else answer.blocked(request, model)
    return Asked(model, covariates, ranked, doses, request, found.refused, problem, blocked, below)


def request_of(
    model: Model, goal: Goal, found: Candidates, cells: int, seed: int, weight: float
) -> tuple[Request | None, str]:
    """The request, or why it is not possible."""
    wanted = tuple(c for c in found.conditions if len(c.perturbations) > 1 or not goal.record.combinations_only)
    if not wanted:
        return None, "There is nothing to rank: the model cannot predict any of these."
    plan = replace(model.manifest.sampling, guidance=weight)
    try:
        check_goal(goal.record, model.manifest)
        return Request(model.folder, goal, wanted, plan, cells=cells, seeds=SEEDS, seed=seed), ""
    except (ConditionError, SettingError) as error:
        return None, str(error)


def keep_filters() -> None:
    """Keep the filters, which Streamlit would forget while a ranking is computed or presented."""
    for name in map(key_of, FILTERS):
        if name in st.session_state:
            st.session_state[name] = st.session_state[name]


def follow_address(library: Library) -> None:
    """Bring a link, or a step back in the browser, into the boxes; on the first visit, what the page opens on."""
    said = address.read((*TEXTS, *LIMITS, *FILTERS))
    if said is None:
        return
    name = said.get("model") or pages.model_of("explore")
    name = name if name in library.models else str(library.first)
    st.session_state[key_of("model")] = name
    open_on(library.models[name], said)


def open_on(model: Model, said: Mapping[str, str] | None = None) -> None:
    """Fill the boxes with what a link says of this model, else with what was ranked beforehand."""
    came = next(map(address_of, answer.shipped(model).values()), {})
    said = {name: came[name] for name in came if not (said and "goal" in said) or name in MAKING} | dict(said or {})
    state: Any = st.session_state
    forget_complaints()
    contexts = [context_of(Condition((), covariates)) for covariates in Catalogue(model.manifest).contexts()]
    wanted = (said.get("context"), came.get("context"), context_of(model.manifest.first_view))
    state["context"] = next((one for one in wanted if one in contexts), contexts[0])
    state[key_of("goal")] = said["goal"] if said.get("goal") in entries() else next(iter(entries()))
    state[key_of("by")] = said.get("by")
    state[key_of("rank")] = said["rank"] if said.get("rank") in RANKED else PAIRS
    state[key_of("doses")] = said["doses"] if said.get("doses") in DOSES else next(iter(DOSES))
    for name in ("target", "gene"):
        state[key_of(name)] = said.get(name) or None
    for name in ("raise", "lower", "list"):
        state[key_of(name)] = said.get(name, "")[:LONGEST_LIST]
    for name in FILTERS:
        state[key_of(name)] = said.get(name, "")
    for name, (least, most) in LIMITS.items():
        usual = number_in(came.get(name, ""), least, most, USUAL[name])
        state[key_of(name)] = number_in(said.get(name, ""), least, most, usual)


def write_address(cells: int, seed: int, weight: float) -> None:
    texts = {name: str(st.session_state.get(key_of(name)) or "") for name in TEXTS}
    if goal_record(texts["goal"]).need is not Need.TARGET:
        texts["by"] = texts["target"] = ""
    if texts["doses"] == next(iter(DOSES)):
        texts["doses"] = ""
    numbers = {"w": f"{weight:g}" if weight != 1 else "", "seed": str(seed or "")}
    address.write(texts | numbers | {"cells": str(cells)})


def choose_model(library: Library) -> Model:
    key = key_of("model")
    name = st.selectbox(
        "Model and data", list(library.models), format_func=lambda name: library.models[name].title, key=key,
        on_change=lambda: open_on(library.models[st.session_state[key]]),
    )  # fmt: skip
    model = library.models[name]
    st.caption(plain(f"{model.validation[:1].upper()}{model.validation[1:]}."))
    return model


def choose_ranked(model: Model, covariates: Covariates, goal: Goal | None) -> str:
    """What kind of candidates; pairs only where the model knows two perturbations alone in this context."""
    alone = {
        c.perturbations[0].name for c in model.manifest.trained_on if c.covariates == covariates and len(c.parts) == 1
    }
    combinations_only = goal is not None and goal.record.combinations_only
    choices = [PAIRS] if len(alone) > 1 else []
    choices += [LIST] if combinations_only else [SINGLES, LIST]
    if st.session_state.get(key_of("rank")) not in choices:
        st.session_state[key_of("rank")] = choices[0]
    return str(
        st.segmented_control(
            "What is ranked", choices, format_func=RANKED.__getitem__, key=key_of("rank"), required=True
        )
        or choices[0]
    )


def choose_candidates(model: Model, covariates: Covariates, ranked: str) -> tuple[Candidates, Doses, str]:
    """The conditions to rank, the doses they take, and what is missing."""
    labels, problem = choose_labels() if ranked == LIST else ((), "")
    doses = choose_doses(model)
    if problem:
        return Candidates(()), doses, problem
    found = pages.kept(
        ("candidates", *pages.name_of(model), covariates, ranked, labels, doses),
        lambda: candidates_of(model, covariates, ranked, labels, doses),
    )
    return found, doses, ""


def choose_labels() -> tuple[tuple[str, ...], str]:
    """The lines of the list, or what is wrong with it."""
    text = st.text_area(
        "Perturbations or combinations, one a line", key=key_of("list"), height=120, max_chars=LONGEST_LIST,
        placeholder="KLF1+MAP2K6\nCEBPA",
    )  # fmt: skip
    offer_file("list", "Candidates")
    labels = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not labels:
        return (), "Write at least one perturbation or combination into the list on the left."
    if len(labels) > MOST_LINES:
        return (), (
            f"The list has {len(labels):,} lines, and {MOST_LINES} fit here. For more, save them as a csv with the "
            "column perturbation and run: primeflow screen --candidates LIST.csv"
        )
    return labels, ""


def candidates_of(
    model: Model, covariates: Covariates, ranked: str, labels: tuple[str, ...], doses: Doses
) -> Candidates:
    if ranked == LIST:
        return candidates.listed(model.manifest, [Line(label) for label in labels], [covariates], doses)
    every = candidates.all_pairs if ranked == PAIRS else candidates.all_singles
    return every(model.manifest, [covariates], doses)


def choose_doses(model: Model) -> Doses:
    if not any(model.manifest.vocabulary.highest_dose):
        return DOSES[next(iter(DOSES))][1]
    name = st.segmented_control(
        "Doses of drugs", list(DOSES), format_func=lambda name: DOSES[name][0], key=key_of("doses"), required=True
    )
    return DOSES[str(name or next(iter(DOSES)))][1]


def choose_making(model: Model) -> tuple[int, int, float]:
    """How many cells of each of the two noise seeds, the first of them, and the guidance weight."""
    with st.expander("How cells are made"):
        st.session_state.setdefault(key_of("cells"), USUAL_CELLS)
        st.session_state.setdefault(key_of("seed"), 0)
        cells = st.number_input(
            "Cells of each, twice", *LIMITS["cells"], step=50, key=key_of("cells"),
            help="So many cells of each candidate are made from each of two noise seeds, the same for all.",
        )  # fmt: skip
        seed = st.number_input(
            "Noise seed", *LIMITS["seed"], step=1, key=key_of("seed"), help="The same seed gives the same ranking."
        )
        weight = choose_weight(model)
    return int(cells), int(seed), weight
