"""The condition of each cell, built from the obs columns that a layout names."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from primeflow_core.data.conditions import Condition, Perturbation, parse_part, split_label
from primeflow_core.data.control_labels import matcher
from primeflow_core.data.h5ad.doses import DoseError, amount_of, converted, dose_texts, factor, unit_in_name
from primeflow_core.data.h5ad.drug_lists import listed_drugs
from primeflow_core.data.h5ad.guides import gene_of_guide
from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.missing_values import SetAside, is_no_perturbation, is_nothing, told_of, without
from primeflow_core.data.h5ad.obs_values import ObsColumn, column, shown, shown_counts, spellings
from primeflow_core.data.layout import Layout
from primeflow_core.errors import ConditionError

FEW_CELLS = 10


@dataclass(frozen=True)
class ConditionTable:
    """Distinct conditions in order of appearance, as labelled in the file, the index of each cell's (N,), the kinds.

    ``label_order``: the distinct labels in the order in which pandas groups by them. ``rows``: (N,) the cells of the
    file that have a condition; ``set_aside``: why the others have none.
    """

    conditions: tuple[Condition, ...]
    labels: tuple[str, ...]
    condition_of: np.ndarray
    kinds: tuple[str, ...]
    label_order: tuple[str, ...]
    rows: np.ndarray
    set_aside: tuple[SetAside, ...] = ()


def condition_column_of(obs: pd.DataFrame, layout: Layout) -> tuple[ObsColumn, SetAside | None]:
    """The labels of the cells without the words for no value, unless such a word is the control."""
    is_control = matcher(layout.control_labels)
    found = column(obs, layout.condition)
    return without(found, lambda label: is_no_perturbation(label) and not is_control(label))


def condition_table(obs: pd.DataFrame, layout: Layout, problems: list[Problem]) -> ConditionTable | None:
    """Read labels, doses, covariates and kinds; what is wrong is added to ``problems``, None where that stops it."""
    read = [condition_column_of(obs, layout), *(without(column(obs, name), is_nothing) for name in layout.covariates)]
    columns, aside = [found for found, _ in read], tuple(lost for _, lost in read if lost is not None)
    rows = np.flatnonzero(np.all([found.codes >= 0 for found in columns], axis=0))
    problems += told_of(aside, len(rows), len(obs))
    if 2 * len(rows) < len(obs):
        return None
    problems += [told for found in columns for told in spellings(found, matcher(layout.control_labels))]
    names = (layout.dose, layout.unit_column if layout.dose else None)
    columns += [column(obs, name) if name else ObsColumn("", (), np.full(len(obs), -1)) for name in names]
    parsed = _Parsed(columns, layout)
    table = _tabled(np.column_stack([found.codes[rows] for found in columns]), parsed, problems)
    if table is None:
        return None
    conditions, labels, condition_of = table
    problems += parsed.problems()
    problems += _checked(conditions, condition_of, layout)
    kinds = _kinds(obs.iloc[rows], layout, conditions, condition_of, problems)
    order = _ordered(obs, layout.condition)
    return ConditionTable(conditions, labels, condition_of, kinds, order, rows, aside)


def _tabled(
    codes: np.ndarray, parsed: "_Parsed", problems: list[Problem]
) -> tuple[tuple[Condition, ...], tuple[str, ...], np.ndarray] | None:
    """The distinct conditions, their labels, and the index of each cell's; None where one cannot be read."""
    distinct, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    cells = np.bincount(inverse.ravel(), minlength=len(distinct))
    position: dict[Condition, int] = {}
    labels: list[str] = []
    of_row = np.zeros(len(distinct), dtype=np.int64)
    for row in np.argsort(first):
        try:
            condition = parsed.condition(distinct[row], int(cells[row]))
        except DoseError as wrong:
            problems.append(error("dose", str(wrong), "Mend it, or pass --dose none to read the file without doses."))
            return None
        except ConditionError as wrong:
            problems.append(error("condition", str(wrong)))
            return None
        if condition not in position:
            labels.append(parsed.columns[0].values[distinct[row][0]])
        of_row[row] = position.setdefault(condition, len(position))
    return tuple(position), tuple(labels), of_row[inverse.ravel()]


def _ordered(obs: pd.DataFrame, name: str) -> tuple[str, ...]:
    """The values of a column in the order in which pandas groups by it: that of its categories, else sorted."""
    return column(pd.DataFrame({name: pd.Categorical(obs[name]).categories}), name).values


@dataclass
class _Parsed:
    """Reads a row of codes of ``columns`` (condition, covariates, dose, unit), and counts what has to be told."""

    columns: list[ObsColumn]
    layout: Layout
    repeated: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    units_of: dict[str, dict[str, None]] = field(default_factory=dict)

    def condition(self, row: np.ndarray, cells: int) -> Condition:
        texts = [found.values[code] if code >= 0 else "" for found, code in zip(self.columns, row, strict=True)]
        label, *values, amount, unit = texts
        perturbations = self._perturbations(label, amount, unit, cells)
        return Condition(perturbations, tuple(zip(self.layout.covariates, values, strict=True)))

    def _perturbations(self, label: str, amount: str, unit: str, cells: int) -> tuple[Perturbation, ...]:
        is_control = matcher(self.layout.control_labels)
        names = [label] if is_control(label) else self._names(label)
        switched = [name for name in names if not is_control(name)]
        parts = [self._named(parse_part(name, label)) for name in switched]
        if amount and parts and all(part.dose is None for part in parts):
            amounts = self._amounts(names, switched, amount, label)
            parts = [
                Perturbation(part.name, self._dose(text, unit, part.name, label, cells))
                for part, text in zip(parts, amounts, strict=True)
            ]
        once = {part.name: part for part in parts}
        if len(once) < len(parts):
            if set(once.values()) != set(parts):
                raise DoseError(f"{label!r} names a perturbation twice, with different doses ({amount}).")
            self.repeated[label] += cells
        return tuple(sorted(once.values(), key=lambda part: part.name))

    def _names(self, label: str) -> list[str]:
        listed = listed_drugs(label)
        return [drug.name for drug in listed] if listed else split_label(label, self.layout.separator)

    def _named(self, part: Perturbation) -> Perturbation:
        return Perturbation(gene_of_guide(part.name), part.dose) if self.layout.guides else part

    def _amounts(self, names: list[str], switched: list[str], amount: str, label: str) -> list[str]:
        """The text of the dose of each perturbation; one for the control may stand among them."""
        amounts = dose_texts(amount)
        if len(amounts) == len(names) != len(switched):
            amounts = [text for text, name in zip(amounts, names, strict=True) if name in switched]
        if len(amounts) != len(switched):
            raise DoseError(
                f"obs column {self.layout.dose!r} gives {amount!r} for {label!r}: {len(amounts)} doses for "
                f"{len(switched)} perturbations."
            )
        return amounts

    def _dose(self, text: str, unit: str, name: str, label: str, cells: int) -> float | None:
        try:
            amount = amount_of(text, unit_in_name(self.layout.dose or "") if is_nothing(unit) else unit)
        except DoseError as wrong:
            raise DoseError(f"obs column {self.layout.dose!r} holds {text!r} for {label!r}; {wrong}") from wrong
        if amount is None:
            return None
        self.units[amount.unit] += cells
        self.units_of.setdefault(name, {})[amount.unit] = None
        return converted(amount, self.layout.unit or "")

    def problems(self) -> list[Problem]:
        return [*self._repeated(), *self._unlike(), *self._units()]

    def _repeated(self) -> list[Problem]:
        if not self.repeated:
            return []
        text = f"{shown_counts(self.repeated)}: a perturbation named twice is read once, as for two guides of one gene."
        return [Problem(Severity.WARNING, "repeated-parts", text, "Rename these labels if they mean something else.")]

    def _unlike(self) -> list[Problem]:
        """An error for a perturbation with doses in units that cannot be compared."""
        for name, units in self.units_of.items():
            first = next(iter(units))
            other = next((unit for unit in units if unit and first and factor(unit, first) is None), None)
            if other is not None:
                text = f"The doses of {name} are in {first} and in {other}, which cannot be converted into each other."
                return [error("dose", text, "Mend it, or pass --dose none to read the file without doses.")]
        return []

    def _units(self) -> list[Problem]:
        wanted = self.layout.unit
        if wanted is None:
            return []
        given = {unit: cells for unit, cells in self.units.items() if unit and unit != wanted}
        apart = {unit: cells for unit, cells in given.items() if factor(unit, wanted) is None}
        changed = {unit: cells for unit, cells in given.items() if unit not in apart}
        bare = self.units.get("", 0)
        problems = []
        if changed:
            text = f"Doses in {shown_counts(changed)} are converted to {wanted}."
            problems.append(Problem(Severity.NOTE, "dose-units", text))
        if apart:
            text = f"Doses in {shown_counts(apart)} cannot be converted to {wanted}; each perturbation keeps its unit."
            problems.append(Problem(Severity.WARNING, "unlike-units", text, "Do not compare their numbers."))
        if bare:
            text = f"The doses of {bare:,} cells have no unit; they are taken to be in {wanted}."
            problems.append(Problem(Severity.WARNING, "dose-without-unit", text, "Write the unit into the file."))
        return problems


def _checked(conditions: tuple[Condition, ...], condition_of: np.ndarray, layout: Layout) -> list[Problem]:
    """Problems of the conditions as a whole."""
    if all(condition.is_control for condition in conditions):
        text = f"There is one condition only: all cells are {layout.control!r} in obs column {layout.condition!r}."
        return [error("one-condition", text, "Perturbed cells are needed too; name their column with --condition.")]
    if not any(condition.is_control for condition in conditions):
        text = f"No cell is a control: {layout.control!r} is only a part of labels in obs column {layout.condition!r}."
        return [error("no-control-cells", text, "Name the unperturbed cells with --control.")]
    problems = []
    contexts = dict.fromkeys(condition.context for condition in conditions)
    with_control = {condition.context for condition in conditions if condition.is_control}
    bare = [context for context in contexts if context not in with_control]
    if bare:
        text = f"No control cells for {', '.join(bare[:6])}{' and others' if len(bare) > 6 else ''}."
        problems.append(Problem(Severity.WARNING, "context-without-control", text, "Effects there cannot be measured."))
    few = int((np.bincount(condition_of, minlength=len(conditions)) < FEW_CELLS).sum())
    if few:
        text = f"{few:,} of {len(conditions):,} conditions have fewer than {FEW_CELLS} cells."
        problems.append(Problem(Severity.WARNING, "few-cells", text, "Fewer --covariates make larger groups."))
    return problems


def _kinds(
    obs: pd.DataFrame,
    layout: Layout,
    conditions: tuple[Condition, ...],
    condition_of: np.ndarray,
    problems: list[Problem],
) -> tuple[str, ...]:
    """The kind that most cells of each condition have; empty where they have none. Several kinds are told."""
    if layout.kind is None:
        return ()
    found, _ = without(column(obs, layout.kind), is_nothing)
    counts = np.zeros((len(conditions), len(found.values) + 1), dtype=np.int64)
    np.add.at(counts, (condition_of, found.codes), 1)
    several = [i for i in np.flatnonzero((counts[:, :-1] > 0).sum(axis=1) > 1) if not conditions[i].is_control]
    if several:
        first = several[0]
        each = {kind: int(n) for kind, n in zip(found.values, counts[first], strict=False) if n}
        others = "" if len(several) == 1 else f", and so {len(several) - 1:,} more"
        text = (
            f"{conditions[first].label} is read as one condition though its cells differ in obs column "
            f"{layout.kind!r}: {shown_counts(each)}{others}."
        )
        problems.append(Problem(Severity.WARNING, "mixed-kinds", text, _apart(found, layout, conditions, counts)))
    return tuple([*found.values, ""][i] for i in counts.argmax(axis=1))


def _apart(found: ObsColumn, layout: Layout, conditions: tuple[Condition, ...], counts: np.ndarray) -> str:
    """How the kinds are kept apart: as contexts if each has control cells."""
    control = np.array([condition.is_control for condition in conditions])
    bare = [kind for kind, n in zip(found.values, counts[control].sum(axis=0), strict=False) if not n]
    keep = f"Keep them apart with --covariates {','.join((*layout.covariates, found.name))}"
    if not bare:
        return f"{keep}."
    return f"{keep}; for {shown(bare)} there are no control cells then, so rather write one file for each kind."
