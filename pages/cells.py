"""Your cells: bring a file, check it against a model, use it as the cells to start from or as measured cells."""

from functools import partial

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts import address
from pages.parts.cells.checklist import Offer, show_checklist
from pages.parts.cells.training import offer_training
from pages.parts.shared import chosen_file
from pages.parts.shared.presenting import Step, present, presenting
from primeflow_core.data.conditions import Condition
from primeflow_core.data.simulated_screen import EXAMPLE_FILE, example_h5ad
from primeflow_core.errors import PrimeflowError, StorageError
from primeflow_core.model_store.local_models import Library, Model, models_folder
from primeflow_core.user_data.checklist_row import CheckMark, Row
from primeflow_core.user_data.file_checklist import Checklist, checklist
from primeflow_core.user_data.uploads import data_files
from primeflow_core.user_data.user_cells import Draft, Fixes, Own, OwnShelf, Purpose

MODEL, PURPOSE = "own_model", "own_purpose"


def main() -> None:
    pages.begin("Your cells")
    library = pages.library()
    if library.first is None:
        st.header("Your cells", anchor=False)
        pages.show_unreadable(library)
        st.error("There is no model yet. Train one with `primeflow train`, then put its folder into checkpoints/.")
        return
    shelf = pages.own_shelf()
    current = chosen_file.draft(shelf)
    address.write({chosen_file.FILE: chosen_file.token_of_draft()})
    if presenting():
        present(steps(current, library.models[chosen_model(library, shelf)]))
        return
    st.header("Your cells", anchor=False)
    pages.show_unreadable(library)
    st.caption(
        "Bring a file of cells, such as an .h5ad. It is checked before anything runs. It stays on the machine that "
        "runs this app, and is deleted when you say so."
    )
    model = choose_model(library, shelf)
    bring_file(shelf)
    if said := chosen_file.problem():
        st.error(plain(said), icon=":material/error:")
    if current is not None:
        show_file(current, model, shelf)


def steps(current: Draft | None, model: Model) -> list[Step]:
    """What is in the file, for a presentation. No step without a file."""
    if current is None:
        return []
    found = checked(current, model)
    cells = sum(entry.cells for entry in found.known)
    told = f"{current.brought.name}: {model.title} knows {len(found.known):,} of its conditions, {cells:,} cells."
    labels = ("SIMULATED data",) if found.simulated else (f"MEASURED {cells:,} cells",)
    return [Step(told, partial(draw_conditions, found, 560), labels)]


def chosen_model(library: Library, shelf: OwnShelf) -> str:
    """The chosen model, else the model of the cells in use, else the model that the address names."""
    own = shelf.get(address.carried("own"))
    wanted = (st.session_state.get(MODEL), own.model if own else "", st.query_params.get("model", ""), library.first)
    return next(str(name) for name in wanted if name in library.models)


def choose_model(library: Library, shelf: OwnShelf) -> Model:
    """The box with the model to use with the cells."""
    st.session_state[MODEL] = chosen_model(library, shelf)
    name = st.selectbox(
        "Model to use with your cells",
        list(library.models),
        format_func=lambda name: library.models[name].title,
        key=MODEL,
        width=420,
    )
    address.write({"model": name})
    return library.models[name]


def bring_file(shelf: OwnShelf) -> None:
    listed = data_files()
    upload, rest = st.columns([3, 2], gap="medium")
    with upload:
        st.file_uploader(
            "A data file",
            help="An .h5ad, .h5mu, .loom or 10x .h5; as .zip or .tar.gz a .zarr store, a 10x .mtx folder, or "
            "a table of values (csv) with metadata.csv beside it",
            key=chosen_file.upload_key(),
            on_change=chosen_file.take_upload,
            args=(shelf,),
        )
    with rest:
        if listed:
            st.selectbox(
                "or a file of the data folder", listed, None, key=chosen_file.LISTED, placeholder="Choose a file",
                on_change=chosen_file.take_listed, args=(shelf,),
            )  # fmt: skip
        st.download_button(
            "Download an example", partial(pages.kept, ("example",), example_h5ad), EXAMPLE_FILE,
            "application/octet-stream", icon=":material/download:", on_click="ignore", width="stretch",
        )  # fmt: skip
        st.caption("SIMULATED cells, 0.4 MB. They fit the model Simulated screen.")


def show_file(current: Draft, model: Model, shelf: OwnShelf) -> None:
    brought, found = current.brought, checked(current, model)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(brought.name), anchor=False, width="stretch")
        if found.simulated:
            st.badge("SIMULATED data", icon=":material/science:", color="violet")
        if current.fixes != Fixes():
            st.button(
                "Undo my choices",
                key="own-undo",
                on_click=chosen_file.change,
                args=(Fixes(), shelf),
                icon=":material/undo:",
            )
        st.button(
            "Forget my file", key="own-forget", on_click=chosen_file.forget, args=(shelf,), icon=":material/delete:",
            help="Stops using the cells and deletes an upload, unless somebody else has brought the same file. Files "
            "of the data folder stay where they are.",
        )  # fmt: skip
    if current.fixes != Fixes() and current.fixes == chosen_file.fixes_known_of(brought.sha256):
        st.caption("Read as it was read before, for a model or a named data set. Undo my choices starts afresh.")
    show_checklist(Offer(current, found, model.manifest))
    if found.ready:
        show_conditions(found)
        offer_use(current, found, model, shelf)
    elif found.trainable:
        st.caption(
            f"Nothing is used yet. Where these cells are not those of {plain(model.title)}, the marked rows cannot be "
            "fixed: choose another model above, or train one on your cells below."
        )
    else:
        st.caption("Nothing is used yet. Fix the marked rows first, one after the other.")
    if found.trainable:
        st.subheader("Train a small model on them", anchor=False)
        own = chosen_file.own_of(current, found, Purpose.TRUTH, model.key)
        offer_training(own, pages.jobs(), pages.session(), models_folder())


def checked(current: Draft, model: Model) -> Checklist:
    brought, fixes = current.brought, current.fixes
    key = ("checklist", str(model.folder), model.version, brought.sha256, brought.name, fixes)
    with st.spinner("Checking the file …"):
        try:
            return pages.kept(key, lambda: checklist(brought, fixes, model.manifest))
        except StorageError as error:  # not a property of the file, so it is asked again
            return Checklist((Row("Readable", CheckMark.BAD, str(error)),))


def show_conditions(found: Checklist) -> None:
    with st.expander(f"Conditions in your file: {len(found.conditions):,}", icon=":material/table_rows:"):
        draw_conditions(found, 330)


def draw_conditions(found: Checklist, most_height: int) -> None:
    """The conditions in the file, and what the model knows of each."""
    rows = [(c.condition.label, c.condition.context, c.cells, c.standing) for c in found.conditions]
    table = pd.DataFrame(rows, columns=["perturbation", "context", "cells", "model"])
    st.dataframe(
        table,
        hide_index=True,
        height=min(36 * (len(rows) + 1), most_height),
        column_config={
            "perturbation": "Perturbation",
            "context": "Context in your file",
            "cells": st.column_config.NumberColumn("Cells", format="localized"),
            "model": "Known to the model",
        },
        alt="Conditions in your file, their cells, and what the model knows of them",
    )


def offer_use(current: Draft, found: Checklist, model: Model, shelf: OwnShelf) -> None:
    choices = list(Purpose) if found.known else [Purpose.CONTEXT]
    st.subheader("Use them", anchor=False)
    if st.session_state.get(PURPOSE) not in choices:
        used = shelf.get(address.carried("own"))
        st.session_state[PURPOSE] = used.purpose if used and used.purpose in choices else choices[0]
    purpose = st.radio(
        "Use these cells", choices, format_func=partial(purpose_text, found), key=PURPOSE, label_visibility="collapsed"
    )
    st.caption(what_it_does(found, purpose, model))
    own = chosen_file.own_of(current, found, purpose, model.key)
    token = address.carried("own")
    if shelf.get(token) == own:
        show_in_use(own, token, shelf)
        return
    st.button(
        "Use these cells",
        key="own-use",
        type="primary",
        icon=":material/check:",
        on_click=chosen_file.use,
        args=(own, shelf),
    )
    if token:
        st.caption("Until then, other cells are in use, or these cells with other choices.")


def purpose_text(found: Checklist, purpose: Purpose) -> str:
    if purpose is Purpose.CONTEXT:
        return "As the cells you start from: your control cells are used in place of the model's."
    truth = "simulated" if found.simulated else "measured"
    return f"As {truth} cells: your perturbed cells that the model knows are compared with its predictions."


def what_it_does(found: Checklist, purpose: Purpose, model: Model) -> str:
    """What will and will not happen, with the numbers of this file."""
    where = plain(", ".join(dict.fromkeys(Condition((), c).context or "its context" for _, c in found.stands_for)))
    controls = sum(entry.cells for entry in found.conditions if entry.meant and entry.meant.is_control)
    cells = sum(entry.cells for entry in found.known)
    used = f"{controls:,} control cells are used"
    if purpose is Purpose.TRUTH:
        used = f"{len(found.known):,} conditions with {cells:,} cells are used, and {controls:,} control cells"
    if is_here(model):
        change = "Changes are measured from each experiment's own controls. Distances between cells are not."
    else:
        change = "The model's own cells are not on this machine, so differences between experiments count as change."
    return (
        f"{used}. The model does not learn from them: it still predicts the cells of {where} that it knows. "
        f"{change} If your cells are of another kind, treat every prediction as a guess."
    )


def is_here(model: Model) -> bool:
    """Whether the cells that the model was trained on can be read on this machine."""
    try:
        return pages.cells_of(model) is not None
    except PrimeflowError:
        return False


def show_in_use(own: Own, token: str, shelf: OwnShelf) -> None:
    role = "the cells you start from" if own.purpose is Purpose.CONTEXT else f"{own.measured_word} cells"
    st.success(f"{plain(own.name)} is in use as {role}.", icon=":material/check_circle:")
    with st.container(horizontal=True, vertical_alignment="center"):
        context = Condition((), own.covariates[0]).context
        pages.link_to(
            "explore", "Explore a response with them", query={"own": token, "model": own.model, "context": context}
        )
        st.button("Stop using them", key="own-stop", on_click=chosen_file.stop_using, args=(shelf,))


main()
