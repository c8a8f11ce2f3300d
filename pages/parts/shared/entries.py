"""The entries of a comparison: two to six responses or groups of cells, each as short text in the address."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

import pages
from pages.parts import address
from pages.parts.shared.answers import Answer, answer_to
from pages.parts.shared.cell_map import drawn_map
from pages.parts.shared.explore_sidebar import LEAST_CELLS, MOST_CELLS
from pages.parts.shared.view import View, look_up
from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.errors import ConditionError, DataError, PrimeflowError, SettingError
from primeflow_core.figures.style import Role
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.model_store.local_models import Library, Model
from primeflow_core.models.model_kind import is_guided
from primeflow_core.prediction.cell_groups import Placed, chosen, polygon_of
from primeflow_core.prediction.gene_expression import CellsOfRole
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.cell_map import DrawnMap
from primeflow_core.runtime.json_text import parse_json, shortened

ENTRIES, NOTHING = "entries", "[]"
FEWEST, MOST, MOST_PARTS = 2, 6, 3
WEIGHTS, SEEDS = (1.0, 5.0), (0, 2**31 - 1)
MAPS = ("pca", "umap")


@dataclass(frozen=True)
class Entry:
    """A question of a model; ``outline`` (``pca:1,2;3,4;5,6``): only the cells inside it, on that map of the answer."""

    model: str
    question: PredictionRequest
    outline: str = ""

    @property
    def title(self) -> str:
        weight = self.question.plan.guidance
        said = [self.question.condition.label, self.question.condition.context]
        return " · ".join(
            filter(None, [*said, f"w {weight:g}" if weight != 1 else "", "group" if self.outline else ""])
        )

    def to_json(self) -> list[Any]:
        """As short as possible, because one address holds six entries."""
        condition, plan = self.question.condition, self.question.plan
        parts = [part.name if part.dose is None else [part.name, part.dose] for part in condition.perturbations]
        values = [value for _, value in condition.covariates]
        said = [self.model, parts, values, plan.guidance, self.question.cells, plan.seed]
        return [*said, self.outline] if self.outline else said


@dataclass(frozen=True)
class Shown:
    """An entry with its view and answer. ``placed``: its cells on the map of its context."""

    entry: Entry
    number: int
    view: View
    answer: Answer | None
    drawn: DrawnMap | None
    placed: tuple[Placed, ...]

    @property
    def name(self) -> str:
        """The name of the entry in tables and figures."""
        return f"{self.number} {self.entry.title}"

    @property
    def columns(self) -> list[CellsOfRole]:
        """Its cells by role, for tables of expression, each with the controls of its own experiment."""
        view = self.view
        return [
            CellsOfRole(self.name, group.role, group.values, view.controls_of(group.role))
            for group in self.placed
            if group.role is not Role.CONTROL
        ]

    @property
    def key(self) -> tuple[str, ...]:
        """Names what is shown: the cells, whose controls, and what part of them."""
        answer = self.answer.key if self.answer else ""
        return (*self.view.place_key, self.name, answer, self.entry.outline, self.drawn.name if self.drawn else "")


def restored(library: Library) -> tuple[list[Entry], list[str]]:
    """The entries in the address, and a sentence for each that cannot be read or predicted. On a first visit: held-out
    conditions whose cells came with the model."""
    said = address.carried(ENTRIES)
    if not said:
        first = held_out_of(library.models[str(library.first)])
        keep(first)
        return first, []
    found: list[Entry] = []
    problems: list[str] = []
    try:
        listed = listed_in(said)
    except PrimeflowError as error:
        return [], [str(error)]
    for one in listed:
        try:
            found.append(entry_of(library, one))
        except PrimeflowError as error:
            problems.append(str(error))
    return found[:MOST], problems


def held_out_of(model: Model) -> list[Entry]:
    """Up to four held-out conditions of a model whose predicted cells it ships with, those of its first view's context
    before others, since they share a map."""
    shipped = pages.previews(model)
    held_out = [condition for condition in model.manifest.tested_on if condition in shipped]
    context = model.manifest.first_view.context if model.manifest.first_view else ""
    found = sorted(held_out, key=lambda condition: condition.context != context)[:4]
    plan = model.manifest.sampling
    return [
        Entry(model.key, PredictionRequest(model.folder, model.version, condition, len(shipped[condition]), plan))
        for condition in found
    ]


def entry_of(library: Library, said: Any) -> Entry:
    """Read an entry that ``to_json`` wrote. Raises PrimeflowError if it cannot be read or predicted."""
    from pages.parts.shared.entry_schema import EntryText

    try:
        read = EntryText.of(said)
    except DataError as error:
        raise SettingError(
            f"An entry of this link to a comparison cannot be read: {error}. Add the response again."
        ) from error
    model = library.models.get(read.model)
    if model is None:
        raise SettingError(f"The model {read.model} of this link is not on this machine.")
    condition = _condition(model, read.perturbations, read.covariates)
    weight = _within(read.weight, WEIGHTS) if is_guided(model.manifest) else 1.0
    plan = replace(model.manifest.sampling, guidance=weight, seed=int(_within(read.seed, SEEDS)))
    count = int(_within(read.cells, (LEAST_CELLS, MOST_CELLS)))
    request = PredictionRequest(model.folder, model.version, condition, count, plan)
    return Entry(model.key, request, _outline(read.outline))


def _condition(model: Model, parts: Sequence[tuple[str, float | None]], values: Sequence[str]) -> Condition:
    """The condition as Explore would make it. Raises ConditionError."""
    columns = [column for column, _ in model.manifest.vocabulary.covariates]
    if len(values) != len(columns) or len(parts) > MOST_PARTS:
        raise ConditionError(f"An entry of this link does not fit the model {model.key}. Add the response again.")
    perturbations = [Perturbation(*part) for part in parts]
    return Catalogue(model.manifest).condition(perturbations, tuple(zip(columns, values, strict=True)))


def _within(value: float, limits: tuple[float, float]) -> float:
    """The value, moved into the limits."""
    return min(max(value, limits[0]), limits[1])


def _outline(said: str) -> str:
    """Raises SettingError for a text that is not a group."""
    if not said:
        return ""
    kind, _, corners = said.partition(":")
    if kind.partition("-")[0] not in MAPS:
        raise SettingError("A group of cells in this link names no map. Draw it again on Explore.")
    polygon_of(corners)
    return said


def text_of(entries: Sequence[Entry]) -> str:
    return _compact([entry.to_json() for entry in entries])


def _compact(said: list[Any]) -> str:
    return json.dumps(said, separators=(",", ":"))


def keep(entries: Sequence[Entry]) -> None:
    """Make these the entries of Compare."""
    address.carry(ENTRIES, text_of(entries))


def has(entry: Entry) -> bool:
    return entry.to_json() in _said()


def count() -> int:
    """How many entries Compare has."""
    return len(_said())


def add(entry: Entry) -> None:
    """Add an entry to Compare, unless it is there already or Compare has MOST entries."""
    said = _said()
    if entry.to_json() not in said and len(said) < MOST:
        address.carry(ENTRIES, _compact([*said, entry.to_json()]))


def _said() -> list[Any]:
    """The entries in the address; none if the link cannot be read, which Compare reports."""
    try:
        return listed_in(address.carried(ENTRIES) or NOTHING)
    except PrimeflowError:
        return []


def listed_in(said: str) -> list[Any]:
    """The entries in the text of a link, not yet read. Raises SettingError if it is not a list."""
    try:
        found = parse_json(said)
        if not isinstance(found, list):
            raise DataError(f"it is {shortened(found)}; it must be a list [ ]")
    except DataError as error:
        raise SettingError(f"This link to a comparison cannot be read: {error}. Add the responses again.") from error
    return found


def shown(library: Library, entries: Sequence[Entry]) -> list[Shown]:
    return [_shown(library.models[entry.model], entry, i) for i, entry in enumerate(entries)]


def _shown(model: Model, entry: Entry, place: int) -> Shown:
    view = look_up(model, entry.question)
    answer = answer_to(entry.question, model)
    kind, _, corners = entry.outline.partition(":")
    drawn = drawn_map(view, answer, kind.partition("-")[0].upper() or "PCA")
    placed = drawn.groups if drawn is not None else ()
    if corners and drawn is not None:
        fits = kind == view.mark_of(drawn.name)
        placed = tuple(chosen(drawn.groups, polygon_of(corners))) if fits else ()
        if not placed:
            st.warning(pages.plain(f"{place + 1} {entry.title}: no cells, because the group was drawn on another map."))
    return Shown(entry, place + 1, view, answer, drawn, placed)


def cells_of(one: Shown) -> np.ndarray:
    """(n, G) the cells of the entry: the predicted cells, or all cells of the group."""
    wanted = [g.values for g in one.placed if one.entry.outline or g.role is Role.PREDICTED]
    genes = len(one.view.model.manifest.genes)
    return np.concatenate(wanted) if wanted else np.zeros((0, genes), dtype=np.float32)
