"""What is compared: two to six responses or groups of cells, each as short text in the address."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

import pages
from pages.parts import address
from pages.parts.answers import Answer, answer_to
from pages.parts.cell_map import Drawn, drawn_map
from pages.parts.question import LEAST_CELLS, MOST_CELLS
from pages.parts.view import View, look_up
from primeflow_core.cell_groups import Placed, chosen, polygon_of
from primeflow_core.conditions import Condition, Perturbation
from primeflow_core.errors import ConditionError, PrimeflowError, SettingError
from primeflow_core.expression import Column
from primeflow_core.figures.style import Role
from primeflow_core.library import Library, Model
from primeflow_core.prediction import Question

ENTRIES, PAGE = "entries", "Compare"
FEWEST, MOST = 2, 6


@dataclass(frozen=True)
class Entry:
    """A question of a model; ``outline`` (``pca:1,2;3,4;5,6``): only the cells inside it, on that map of the answer."""

    model: str
    question: Question
    outline: str = ""

    @property
    def title(self) -> str:
        weight = self.question.plan.guidance
        said = [self.question.condition.label, self.question.condition.context]
        return " · ".join(
            filter(None, [*said, f"w {weight:g}" if weight != 1 else "", "group" if self.outline else ""])
        )

    def to_json(self) -> list[Any]:
        """Short, since six of them stand in one address."""
        condition, plan = self.question.condition, self.question.plan
        parts = [part.name if part.dose is None else [part.name, part.dose] for part in condition.perturbations]
        values = [value for _, value in condition.covariates]
        said = [self.model, parts, values, plan.guidance, self.question.cells, plan.seed]
        return [*said, self.outline] if self.outline else said


@dataclass(frozen=True)
class Shown:
    """An entry with what is known of it; ``placed`` are its cells on the map of its context."""

    entry: Entry
    number: int
    view: View
    answer: Answer | None
    drawn: Drawn | None
    placed: tuple[Placed, ...]

    @property
    def name(self) -> str:
        """Tells it apart in tables and figures."""
        return f"{self.number} {self.entry.title}"

    @property
    def columns(self) -> list[Column]:
        """Its cells by role, for tables of expression; controls stand beside the others and not for themselves."""
        controls = self.view.known.controls if self.view.known else None
        return [Column(self.name, g.role, g.values, controls) for g in self.placed if g.role is not Role.CONTROL]


def restored(library: Library) -> list[Entry]:
    """What the address lists; on a first visit, held-out conditions whose cells came with the model.

    Raises PrimeflowError for a link that cannot be read, or that asks for what is not here.
    """
    address.read((ENTRIES,))
    said = address.said(PAGE).get(ENTRIES)
    if said is None:
        first = held_out_of(library.models[str(library.first)])
        address.write_for(PAGE, {ENTRIES: text_of(first)})
        return first
    address.write({ENTRIES: said})
    try:
        return [_entry(library, one) for one in json.loads(said)][:MOST]
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise SettingError("This link to a comparison cannot be read. Add the responses again.") from error


def held_out_of(model: Model) -> list[Entry]:
    """Up to four held-out conditions of a model whose predicted cells it ships with."""
    shipped = pages.previews(model.folder, model.version)
    found = [condition for condition in model.manifest.tested_on if condition in shipped][:4]
    plan = model.manifest.sampling
    return [
        Entry(model.key, Question(model.folder, model.version, condition, len(shipped[condition]), plan))
        for condition in found
    ]


def _entry(library: Library, said: list[Any]) -> Entry:
    name, parts, values, weight, cells, seed, *outline = said
    model = library.models.get(str(name))
    if model is None:
        raise SettingError(f"The model {name} of this link is not on this machine.")
    condition = _condition(model, parts, values)
    if not model.manifest.vocabulary.knows(condition) or condition.is_control:
        raise ConditionError(f"{condition.label} of this link is not known to the model {name}.")
    plan = replace(model.manifest.sampling, guidance=float(weight), seed=int(seed))
    count = max(LEAST_CELLS, min(int(cells), MOST_CELLS))
    question = Question(model.folder, model.version, condition, count, plan)
    return Entry(str(name), question, str(outline[0]) if outline else "")


def _condition(model: Model, parts: list[Any], values: list[Any]) -> Condition:
    pairs = [(part, None) if isinstance(part, str) else (str(part[0]), float(part[1])) for part in parts]
    perturbations = sorted((Perturbation(*pair) for pair in pairs), key=lambda part: part.name)
    columns = [column for column, _ in model.manifest.vocabulary.covariates]
    return Condition(tuple(perturbations), tuple(zip(columns, map(str, values), strict=True)))


def text_of(entries: Sequence[Entry]) -> str:
    return _compact([entry.to_json() for entry in entries])


def _compact(said: list[Any]) -> str:
    return json.dumps(said, separators=(",", ":"))


def keep(entries: Sequence[Entry]) -> None:
    """Put the entries into the address of Compare, from whatever page."""
    address.write_for(PAGE, {ENTRIES: text_of(entries)})


def has(entry: Entry) -> bool:
    return entry.to_json() in _said()


def count() -> int:
    """How many entries Compare has."""
    return len(_said())


def add(entry: Entry) -> None:
    """One more entry for Compare; the same one once, at most MOST."""
    said = _said()
    if entry.to_json() not in said and len(said) < MOST:
        address.write_for(PAGE, {ENTRIES: _compact([*said, entry.to_json()])})


def _said() -> list[Any]:
    """The entries as the address of Compare has them; a link that cannot be read counts as none until it is shown."""
    try:
        said = json.loads(address.said(PAGE).get(ENTRIES, "") or "[]")
    except ValueError:
        return []
    return said if isinstance(said, list) else []


def shown(library: Library, entries: Sequence[Entry]) -> list[Shown]:
    return [_shown(library.models[entry.model], entry, i) for i, entry in enumerate(entries)]


def _shown(model: Model, entry: Entry, place: int) -> Shown:
    view = look_up(model, entry.question)
    answer = answer_to(entry.question, model)
    kind, _, said = entry.outline.partition(":")
    drawn = drawn_map(view, answer, kind.upper() or "PCA")
    placed = drawn.groups if drawn is not None else ()
    if said and drawn is not None:
        try:
            placed = tuple(chosen(drawn.groups, polygon_of(said)) if drawn.name == kind else ())
        except PrimeflowError as error:
            st.warning(pages.plain(f"{entry.title}: {error}"))
            placed = ()
    return Shown(entry, place + 1, view, answer, drawn, placed)


def cells_of(one: Shown) -> np.ndarray:
    """(n, G) what the entry is about: the predicted cells, or all cells of the group."""
    wanted = [g.values for g in one.placed if one.entry.outline or g.role is Role.PREDICTED]
    genes = len(one.view.model.manifest.genes)
    return np.concatenate(wanted) if wanted else np.zeros((0, genes), dtype=np.float32)
