"""The checklist of a user's file: a row for each question, and beside it the control that fixes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import streamlit as st

import pages
from pages import plain
from pages.parts.shared import chosen_file
from primeflow_core.data.conditions import Condition
from primeflow_core.data.h5ad.separator import SEPARATORS
from primeflow_core.data.h5ad.storage import shown_matrix
from primeflow_core.data.h5ad.wishes import NONE, Wishes
from primeflow_core.data.layout import Layout
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.user_data.checklist_row import CheckMark, Mend, Row, mended
from primeflow_core.user_data.file_checklist import Checklist
from primeflow_core.user_data.user_cells import Draft, Fixes

Option = TypeVar("Option")
COLUMNS = (7, 3)
LEFT_OUT = "none of these: do not use"
MARKS: dict[CheckMark, tuple[str, str, Literal["green", "yellow", "orange"]]] = {
    CheckMark.GOOD: ("Good", ":material/check:", "green"),
    CheckMark.DOUBT: ("Note", ":material/priority_high:", "yellow"),
    CheckMark.BAD: ("Fix", ":material/close:", "orange"),
}
BUTTONS = {
    Mend.NORMALISE: "Normalise now",
    Mend.DISTINCT: "Use the first of each",
    Mend.UNTREATED: "No cell was treated",
    Mend.NO_DOSE: "Leave the doses out",
}


@dataclass(frozen=True)
class Offer:
    """What a control needs: the file, what was found in it, and the model."""

    looked_at: Draft
    found: Checklist
    manifest: Manifest

    @property
    def fixes(self) -> Fixes:
        return self.looked_at.fixes

    @property
    def layout(self) -> Layout | None:
        return self.found.inspection.layout if self.found.inspection else None

    def key(self, *names: object) -> str:
        """The key of a widget, from its file and its purpose, so that another file starts from defaults."""
        return "-".join(("own", self.looked_at.brought.sha256[:12], *map(str, names)))


def show_checklist(offer: Offer) -> None:
    with st.container(border=True, gap="small"):
        for row in offer.found.rows:
            show_row(row, offer)


def show_row(row: Row, offer: Offer) -> None:
    word, icon, colour = MARKS[row.mark]
    several = row.mark is CheckMark.BAD and row.mends[:1] == (Mend.CONTEXTS,)
    said, choice = st.columns(COLUMNS, vertical_alignment="top" if several else "center")
    said.markdown(f":{colour}-badge[{icon} {word}]&ensp;**{row.subject}:** {plain(row.text)}")
    if not row.mends:
        return
    urgent, others = (row.mends[:1], row.mends[1:]) if row.mark is CheckMark.BAD else ((), row.mends)
    with choice:
        for mend in urgent:
            show_mend(mend, offer)
        if others:
            label = "Other choices" if urgent else "Change"
            with st.popover(label, key=offer.key("more", row.subject), width="stretch"):
                for mend in others:
                    show_mend(mend, offer)


def show_mend(mend: Mend, offer: Offer) -> None:
    if mend in BUTTONS:
        undo = mend is Mend.UNTREATED and offer.fixes.repair.untreated
        st.button(
            "Some cells were treated" if undo else BUTTONS[mend],
            key=offer.key(mend.name),
            on_click=chosen_file.change,
            args=(mended(offer.fixes, mend), pages.own_shelf()),
            width="stretch",
        )
    else:
        CONTROLS[mend](offer)


def choose_matrix(offer: Offer) -> None:
    def settle(matrix: str) -> Fixes:
        return replace(offer.fixes, repair=replace(offer.fixes.repair, matrix=matrix, normalise=None, total=None))

    choose(
        "Values to read", list(offer.found.matrices), offer.fixes.repair.matrix, offer.key("matrix"), settle,
        shown_matrix,
    )  # fmt: skip


def choose_gene_column(offer: Offer) -> None:
    counts = offer.found.gene_columns or {}
    asked = len(offer.manifest.genes)

    def settle(column: str | None) -> Fixes:
        return replace(offer.fixes, repair=replace(offer.fixes.repair, gene_column=column))

    choose(
        "Column with symbols",
        list(counts),
        offer.fixes.repair.gene_column,
        offer.key("genes"),
        settle,
        lambda column: f"{column or 'row names'} · {counts[column]:,} of {asked:,}",
    )


def choose_condition(offer: Offer) -> None:
    layout, wishes = offer.layout, offer.fixes.wishes

    def settle(column: str) -> Fixes:
        wishes = Wishes(condition=column, covariates=offer.fixes.wishes.covariates)
        return replace(offer.fixes, wishes=wishes, repair=replace(offer.fixes.repair, untreated=False))

    choose(
        "Column with the perturbation", columns_of(offer), layout.condition if layout else wishes.condition,
        offer.key("condition"), settle,
    )  # fmt: skip


def choose_control(offer: Offer) -> None:
    layout, wishes = offer.layout, offer.fixes.wishes
    choose(
        "Label of the control cells", list(offer.found.labels), layout.control if layout else wishes.control,
        offer.key("control"), lambda label: wished(offer, replace(wishes, control=label)),
    )  # fmt: skip


def choose_separator(offer: Offer) -> None:
    layout, wishes = offer.layout, offer.fixes.wishes
    choose(
        "Combinations are joined by",
        [NONE, *SEPARATORS],
        (layout.separator or NONE) if layout else wishes.separator,
        offer.key("separator"),
        lambda mark: wished(offer, replace(wishes, separator=mark)),
        lambda mark: "nothing: there are no combinations" if mark == NONE else mark,
    )


def choose_covariates(offer: Offer) -> None:
    layout, wishes = offer.layout, offer.fixes.wishes
    key = offer.key("covariates")

    def settle() -> None:
        chosen = tuple(st.session_state[key])
        fixes = replace(wished(offer, replace(wishes, covariates=chosen)), contexts=())
        chosen_file.change(fixes, pages.own_shelf())

    columns, told_apart = columns_of(offer), layout.covariates if layout else wishes.covariates or ()
    st.session_state[key] = [column for column in told_apart if column in columns]
    st.multiselect("Columns that tell contexts apart (cell line, treatment)", columns, key=key, on_change=settle)


def choose_contexts(offer: Offer) -> None:
    """A box for each context of the file: which context of the model it is."""
    used = {name: Condition((), covariates).context for name, covariates in offer.found.stands_for}
    said = dict(offer.fixes.contexts)
    known = [Condition((), covariates).context for covariates in Catalogue(offer.manifest).contexts()]
    for place, name in enumerate(offer.found.contexts):

        def settle(chosen: str, name: str = name) -> Fixes:
            meant = None if chosen == LEFT_OUT else chosen
            return replace(offer.fixes, contexts=tuple({**said, name: meant}.items()))

        current = used.get(name, said.get(name) or (LEFT_OUT if name in said else None))
        choose(
            f"{plain(name)} is" if name else "Your cells are", [*known, LEFT_OUT], current,
            offer.key("context", place, offer.manifest.name), settle, lambda context: context or "the model’s cells",
        )  # fmt: skip


def choose(
    label: str,
    options: Sequence[Option],
    current: Option | None,
    key: str,
    settle: Callable[[Option], Fixes],
    shown: Callable[[Option], str] = str,
) -> None:
    """A box whose choice changes how the file is read. It always shows ``current``."""

    def changed() -> None:
        if (chosen := st.session_state[key]) is not None:
            chosen_file.change(settle(options[chosen]), pages.own_shelf())

    # Positions, because an option may be None, which is also the value of a box without a choice.
    st.session_state[key] = options.index(current) if current in options else None
    st.selectbox(
        label, range(len(options)), None, format_func=lambda place: shown(options[place]), key=key,
        placeholder="Choose", on_change=changed,
    )  # fmt: skip


def wished(offer: Offer, wishes: Wishes) -> Fixes:
    return replace(offer.fixes, wishes=wishes)


def columns_of(offer: Offer) -> list[str]:
    return list(offer.found.inspection.obs_columns) if offer.found.inspection else []


CONTROLS: dict[Mend, Callable[[Offer], None]] = {
    Mend.MATRIX: choose_matrix,
    Mend.GENE_COLUMN: choose_gene_column,
    Mend.CONDITION: choose_condition,
    Mend.CONTROL: choose_control,
    Mend.SEPARATOR: choose_separator,
    Mend.COVARIATES: choose_covariates,
    Mend.CONTEXTS: choose_contexts,
}
