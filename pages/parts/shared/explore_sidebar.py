"""The question in the sidebar: model, cells to start from, perturbations, guidance. The address holds all of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import pages
from pages import plain
from pages.parts import address
from pages.parts.shared import answers, chosen_file
from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.errors import ConditionError
from primeflow_core.model_store.available_conditions import Catalogue, Covariates, PerturbationChoice
from primeflow_core.model_store.local_models import Library, Model
from primeflow_core.models.model_kind import is_guided
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.condition_link import BOXES
from primeflow_core.user_data.user_cells import Purpose

TEXTS = ("model", "context", *BOXES, *(f"dose_{box}" for box in BOXES))
LEAST_CELLS, MOST_CELLS = 10, 5_000
LIMITS: Mapping[str, tuple[float, float]] = {
    "w": (1.0, 5.0),
    "cells": (LEAST_CELLS, MOST_CELLS),
    "seed": (0, 2**31 - 1),
}
SEPARATES = " · "
_PROBLEM, _MEANT, _BEFORE = "_address_problem", "_meant", "_boxes_before"


@dataclass(frozen=True)
class Asked:
    """The question, and the place below it in the sidebar, where its button goes."""

    model: Model
    question: PredictionRequest
    below: DeltaGenerator


def asked(library: Library) -> Asked:
    """Draw the sidebar. Raises ConditionError if the model cannot predict what was chosen."""
    follow_address(library)
    with st.sidebar:
        model = choose_model(library)
        catalogue = Catalogue(model.manifest)
        covariates = choose_context(catalogue)
        show_own(model, covariates)
        parts = choose_parts(catalogue, covariates)
        weight = choose_weight(model)
        cells, seed = choose_numbers(model)
        below = st.container()
        pages.offer_download(library.to_download)
    numbers = {"w": f"{weight:g}" if weight != 1 else "", "seed": str(seed) if seed else ""}
    numbers["cells"] = str(cells) if cells != usual_number(model) else ""
    address.write({key: str(st.session_state.get(key) or "") for key in TEXTS} | numbers)
    if problem := st.session_state.get(_PROBLEM):
        raise ConditionError(problem)
    condition = catalogue.condition(parts, covariates)
    plan = replace(model.manifest.sampling, guidance=weight, seed=seed)
    return Asked(model, PredictionRequest(model.folder, model.version, condition, cells, plan), below)


def follow_address(library: Library) -> None:
    """Fill the boxes from a link or a step back in the browser; on the first visit, with the first view of the app."""
    said = address.read((*TEXTS, *LIMITS))
    if said is None:
        return
    forget_problem()
    name = said.get("model") or pages.model_of("screen")
    st.session_state["model"] = name if name in library.models else library.first
    model = library.models[st.session_state["model"]]
    usual = {"w": 1.0, "cells": usual_number(model), "seed": 0}
    for key, (least, most) in LIMITS.items():
        st.session_state[key] = number_in(said.get(key, ""), least, most, usual[key])
    if not any(said.get(box) for box in BOXES):
        open_on(model, said.get("context", ""))
        return
    catalogue = Catalogue(model.manifest)
    st.session_state["context"] = said.get("context") or context_of(model.manifest.first_view)
    for box in BOXES:
        st.session_state[box] = resolved(catalogue, box, said[box]) if said.get(box) else None
        st.session_state[f"dose_{box}"] = said.get(f"dose_{box}")


def open_on(model: Model, context: str = "") -> None:
    """Fill the boxes with the first view of the model; in another context with its best known perturbation."""
    first = model.manifest.first_view
    catalogue = Catalogue(model.manifest)
    by_name = {context_of(Condition((), covariates)): covariates for covariates in catalogue.contexts()}
    if context not in by_name:
        context = context_of(first) if context_of(first) in by_name else next(iter(by_name))
    st.session_state["context"] = context
    if first is None or context_of(first) != context:
        first = Condition((Perturbation(catalogue.choices(by_name[context])[0].name),))
    for place, box in enumerate(BOXES):
        part = first.perturbations[place] if place < len(first.perturbations) else None
        st.session_state[box] = part.name if part else None
        st.session_state[f"dose_{box}"] = f"{part.dose:g}" if part and part.dose is not None else None


def resolved(catalogue: Catalogue, box: str, named: str) -> str | None:
    """The perturbation that a link names, in any case, by any of its names. None if not found; the problem is noted."""
    try:
        return catalogue.resolve(named)
    except ConditionError as error:
        st.session_state[_PROBLEM] = str(error)
        st.session_state[_MEANT] = (box, "", catalogue.suggestions(named))
        return None


def take(box: str, catalogue: Catalogue, covariates: Covariates) -> None:
    """Take what was chosen or typed in a box. Text that matches no name leaves the box as it was."""
    forget_problem()
    typed = st.session_state.get(box)
    if typed is None or typed in catalogue.vocabulary.perturbations:
        return
    try:
        st.session_state[box] = meant(catalogue, typed, covariates)
    except ConditionError as error:
        st.session_state[box] = st.session_state.get(_BEFORE, {}).get(box)
        st.session_state[_MEANT] = (box, str(error), catalogue.suggestions(typed))


def meant(catalogue: Catalogue, typed: str, covariates: Covariates) -> str:
    """A name in full, another name of it, or a part of one name only. Raises ConditionError with a guess.

    A label is typed text too: the browser sends one that its own list no longer has.
    """
    said = typed.partition(SEPARATES)[0].strip()
    known = catalogue.vocabulary.perturbations
    with_it = [name for name in known if said and said.casefold() in name.casefold()]
    if said not in known and len(with_it) == 1:
        return with_it[0]
    return catalogue.resolve(said, covariates)


def choose(box: str, name: str) -> None:
    forget_problem()
    st.session_state[box] = name


def forget_problem() -> None:
    st.session_state.pop(_PROBLEM, None)
    st.session_state.pop(_MEANT, None)


def show_meant(box: str) -> None:
    """What was wrong with the text in this box, and buttons with the names that may be meant."""
    asked_in, problem, names = st.session_state.get(_MEANT, ("", "", ()))
    if asked_in != box:
        return
    if problem:
        st.error(plain(problem), icon=":material/error:")
    with st.container(horizontal=True, gap="xsmall"):
        for name in names:
            st.button(plain(name), key=f"meant-{box}-{name}", on_click=choose, args=(box, name))


def choose_model(library: Library) -> Model:
    def reopen() -> None:
        forget_problem()
        model = library.models[st.session_state["model"]]
        st.session_state["cells"] = usual_number(model)
        open_on(model)

    name = st.selectbox(
        "Model and data",
        list(library.models),
        format_func=lambda name: library.models[name].title,
        key="model",
        on_change=reopen,
    )
    model = library.models[name]
    st.caption(plain(f"{model.validation[:1].upper()}{model.validation[1:]}."))
    return model


def choose_context(catalogue: Catalogue) -> Covariates:
    contexts = {context_of(Condition((), covariates)): covariates for covariates in catalogue.contexts()}
    if st.session_state.get("context") not in contexts:
        st.session_state["context"] = next(iter(contexts))
    if list(contexts) == [""]:
        return contexts[""]
    return contexts[st.selectbox("Cells you start from", list(contexts), key="context")]


def show_own(model: Model, covariates: Covariates) -> None:
    """Whether the user's own cells are used in place of the model's, and a button to stop that."""
    own = pages.own_shelf().get(address.carried("own"))
    if own is None:
        return
    if pages.own_in_use(model, covariates) is None:
        where = " and ".join(context_of(Condition((), stands)) for stands in own.covariates)
        st.caption(plain(f"Your cells ({own.name}) are not used here: they are used as {where} of {own.model}."))
        return
    role = "the cells you start from" if own.purpose is Purpose.CONTEXT else f"{own.measured_word} cells"
    st.info(plain(f"Your cells ({own.name}) are used as {role}."), icon=":material/person:")
    st.button("Stop using my cells", key="own-stop", on_click=stop_using_own, width="stretch")


def stop_using_own() -> None:
    """The file stays on the page Your cells, where the user can use or forget it."""
    chosen_file.draft(pages.own_shelf())
    chosen_file.stop_using(pages.own_shelf())


def choose_parts(catalogue: Catalogue, covariates: Covariates) -> list[Perturbation]:
    """One to three boxes; the next one appears when the one before is filled."""
    chosen: list[Perturbation] = []
    labels = ("Perturbation", "with a second one (optional)", "and a third (optional)")
    for box, label in zip(BOXES, labels, strict=True):
        if len(chosen) < BOXES.index(box):
            st.session_state[box] = None
            continue
        choices = {choice.name: choice for choice in catalogue.choices(covariates, chosen)}
        st.session_state[box] = known_name(st.session_state.get(box), choices)
        name = st.selectbox(
            label,
            list(choices),
            index=None,
            format_func=partial(option_text, choices),
            key=box,
            placeholder="Type a name" if box == "a" else "None",
            accept_new_options=True,
            filter_mode="contains",
            on_change=take,
            args=(box, catalogue, covariates),
        )
        show_meant(box)
        if name is not None:
            chosen.append(Perturbation(name, choose_dose(catalogue, covariates, name, f"dose_{box}")))
    st.session_state[_BEFORE] = {box: st.session_state.get(box) for box in BOXES}
    return chosen


def known_name(said: str | None, choices: Mapping[str, PerturbationChoice]) -> str | None:
    """A name as it is, or the name that a label begins with; None for anything else."""
    name = (said or "").partition(SEPARATES)[0]
    return name if name in choices else None


def option_text(choices: dict[str, PerturbationChoice], name: str) -> str:
    return SEPARATES.join(filter(None, (choices[name].label, choices[name].also)))


def choose_dose(catalogue: Catalogue, covariates: Covariates, name: str, key: str) -> float | None:
    doses = {f"{dose:g}": dose for dose in catalogue.doses(name, covariates)}
    if not doses:
        st.session_state[key] = None
        return None
    if st.session_state.get(key) not in doses:
        st.session_state[key] = list(doses)[-1]
    label = f"Dose of {plain(name)} (unit of the data)"
    return doses[st.segmented_control(label, list(doses), key=key, required=True) or list(doses)[-1]]


def number_in(said: str, least: float, most: float, usual: float) -> float:
    """The number in a link, of the type of ``usual``. ``usual`` itself if it is not a number within the limits."""
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,3})?", said) or not least <= float(said) <= most:
        return usual
    return type(usual)(float(said))


def usual_number(model: Model) -> int:
    """The number of cells to start with."""
    return min(answers.usual_cells(model), MOST_CELLS)


def choose_weight(model: Model) -> float:
    """The guidance weight; 1, without a slider, if the model has no guidance."""
    if not is_guided(model.manifest):
        return 1.0
    st.session_state.setdefault("w", 1.0)
    weight = st.slider("Guidance weight", *LIMITS["w"], step=0.5, format="%.1f", key="w")
    st.caption("1 shows the response as the model learned it. More exaggerates it and makes cells less realistic.")
    return float(weight)


def choose_numbers(model: Model) -> tuple[int, int]:
    """The number of cells, and the seed."""
    left, right = st.columns(2)
    st.session_state.setdefault("cells", usual_number(model))
    st.session_state.setdefault("seed", 0)
    cells = left.number_input("Cells", *LIMITS["cells"], step=50, key="cells")
    seed = right.number_input("Seed", *LIMITS["seed"], step=1, key="seed", help="The same seed gives the same cells.")
    return int(cells), int(seed)


def context_of(condition: Condition | None) -> str:
    return condition.context if condition else ""
