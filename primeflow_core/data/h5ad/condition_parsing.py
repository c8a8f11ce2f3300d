"""The condition of each cell, built from the obs columns that a layout names."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.conditions import Condition, Perturbation, parse_perturbations, split_label
from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.obs_columns import ObsColumn, column
from primeflow_core.data.layout import Layout
from primeflow_core.errors import ConditionError

FEW_CELLS = 10


class _DoseError(ConditionError):
    """A dose column that cannot be read; without it the file can."""


@dataclass(frozen=True)
class ConditionTable:
    """Distinct conditions in order of appearance, as labelled in the file, the index of each cell's (N,), the kinds.

    ``label_order``: the distinct labels in the order in which pandas groups by them.
    """

    conditions: tuple[Condition, ...]
    labels: tuple[str, ...]
    condition_of: np.ndarray
    kinds: tuple[str, ...]
    label_order: tuple[str, ...]


def condition_table(obs: pd.DataFrame, layout: Layout, problems: list[Problem]) -> ConditionTable | None:
    """Read labels, doses, covariates and kinds; what is wrong is added to ``problems``, None where that stops it."""
    columns = [column(obs, name) for name in (layout.condition, *layout.covariates)]
    problems += [found for found in map(_missing, columns) if found is not None]
    if any((found.codes < 0).any() for found in columns):
        return None
    doses = column(obs, layout.dose) if layout.dose else None
    codes = np.column_stack([c.codes for c in (*columns, *([doses] if doses else []))])
    distinct, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    position: dict[Condition, int] = {}
    labels: list[str] = []
    of_row = np.zeros(len(distinct), dtype=np.int64)
    for row in np.argsort(first):
        try:
            condition = _condition(distinct[row], columns, doses, layout)
        except _DoseError as wrong:
            problems.append(error("dose", str(wrong), "Mend it, or pass --dose none to read the file without doses."))
            return None
        except ConditionError as wrong:
            problems.append(error("condition", str(wrong)))
            return None
        if condition not in position:
            labels.append(columns[0].values[distinct[row][0]])
        of_row[row] = position.setdefault(condition, len(position))
    condition_of = of_row[inverse.ravel()]
    conditions = tuple(position)
    problems += _checked(conditions, condition_of, layout)
    kinds = _kinds(obs, layout, condition_of, len(conditions))
    return ConditionTable(conditions, tuple(labels), condition_of, kinds, _ordered(obs, layout.condition))


def _missing(found: ObsColumn) -> Problem | None:
    empty = int((found.codes < 0).sum())
    if not empty:
        return None
    text = f"{empty:,} {'cell has' if empty == 1 else 'cells have'} no value in obs column {found.name!r}."
    return error("missing-value", text, "Fill it in, or remove these cells.")


def _ordered(obs: pd.DataFrame, name: str) -> tuple[str, ...]:
    """The values of a column in the order in which pandas groups by it: that of its categories, else sorted."""
    return column(pd.DataFrame({name: pd.Categorical(obs[name]).categories}), name).values


def _condition(row: np.ndarray, columns: list[ObsColumn], doses: ObsColumn | None, layout: Layout) -> Condition:
    label, *values = (found.values[code] for found, code in zip(columns, row, strict=False))
    amount = doses.values[row[-1]] if doses and row[-1] >= 0 else ""
    return Condition(_perturbations(label, amount, layout), tuple(zip(layout.covariates, values, strict=True)))


def _perturbations(label: str, amount: str, layout: Layout) -> tuple[Perturbation, ...]:
    parsed = parse_perturbations(label, separator=layout.separator, control=layout.control)
    amounts = [text.strip() for text in amount.split("+")] if amount else []
    if not amounts or not parsed or any(part.dose is not None for part in parsed):
        return parsed
    names = split_label(label, layout.separator)
    switched = [name for name in names if name != layout.control]
    if len(amounts) == len(names) != len(switched):
        amounts = [text for text, name in zip(amounts, names, strict=True) if name != layout.control]
    if len(amounts) != len(switched):
        raise _DoseError(
            f"obs column {layout.dose!r} gives {amount!r} for {label!r}: {len(amounts)} doses for {len(switched)} "
            "perturbations."
        )
    by_name = {name: _dose(text, label, layout) for name, text in zip(switched, amounts, strict=True)}
    return tuple(Perturbation(part.name, by_name[part.name]) for part in parsed)


def _dose(text: str, label: str, layout: Layout) -> float | None:
    if text.lower() in ("", "nan", "none", "na"):
        return None
    try:
        dose = float(text)
    except ValueError:
        dose = -1.0
    if not 0 < dose < np.inf:
        raise _DoseError(f"obs column {layout.dose!r} holds {text!r} for {label!r}; a dose is a number above 0.")
    return dose


def _checked(conditions: tuple[Condition, ...], condition_of: np.ndarray, layout: Layout) -> list[Problem]:
    """Problems of the conditions as a whole."""
    if all(condition.is_control for condition in conditions):
        text = f"There is one condition only: all cells are {layout.control!r} in obs column {layout.condition!r}."
        return [error("one-condition", text, "Perturbed cells are needed too; name their column with --condition.")]
    problems = []
    contexts = dict.fromkeys(condition.context for condition in conditions)
    with_control = {condition.context for condition in conditions if condition.is_control}
    without = [context for context in contexts if context not in with_control]
    if without:
        text = f"No control cells for {', '.join(without[:6])}{' and others' if len(without) > 6 else ''}."
        problems.append(Problem(Severity.WARNING, "context-without-control", text, "Effects there cannot be measured."))
    few = int((np.bincount(condition_of, minlength=len(conditions)) < FEW_CELLS).sum())
    if few:
        text = f"{few:,} of {len(conditions):,} conditions have fewer than {FEW_CELLS} cells."
        problems.append(Problem(Severity.WARNING, "few-cells", text, "Fewer --covariates make larger groups."))
    return problems


def _kinds(obs: pd.DataFrame, layout: Layout, condition_of: np.ndarray, conditions: int) -> tuple[str, ...]:
    """The kind that most cells of each condition have; empty where they have none."""
    if layout.kind is None:
        return ()
    found = column(obs, layout.kind)
    counts = np.zeros((conditions, len(found.values) + 1), dtype=np.int64)
    np.add.at(counts, (condition_of, found.codes), 1)
    return tuple([*found.values, ""][i] for i in counts.argmax(axis=1))
