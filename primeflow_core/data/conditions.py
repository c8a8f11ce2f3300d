"""Conditions: which perturbations a cell received in which context, and their encoding as numbers.

A condition label is names joined by a separator, each with an optional dose: ``KLF1+MAP2K6``,
``drug_03@0.1+gene_07``. The order of the names carries no meaning. The network sees a combination as
the sum of its parts (paper, section 3): a multi-hot of single perturbations, control all zeros,
followed by one one-hot for each covariate.
"""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from primeflow_core.data.control_labels import matcher
from primeflow_core.data.layout import CONTROL, SEPARATOR
from primeflow_core.errors import ConditionError

_DOSE = re.compile(r"^(?P<name>.+)@(?P<dose>\d+(\.\d+)?([eE][+-]?\d+)?)$")


@dataclass(frozen=True, order=True)
class Perturbation:
    """One switched gene or one drug; ``dose`` in the unit of the data, None where the data have no dose."""

    name: str
    dose: float | None = None

    @property
    def label(self) -> str:
        return self.name if self.dose is None else f"{self.name}@{self.dose:g}"


@dataclass(frozen=True)
class Condition:
    """Perturbations, sorted by name (none: control), and the covariates of the cells, in column order."""

    perturbations: tuple[Perturbation, ...]
    covariates: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        return SEPARATOR.join(p.label for p in self.perturbations) or CONTROL

    @property
    def is_control(self) -> bool:
        return not self.perturbations

    @property
    def context(self) -> str:
        """The covariate values as one text, e.g. ``k562``; empty where the data have no covariate."""
        return " · ".join(value for _, value in self.covariates)

    @property
    def parts(self) -> tuple["Condition", ...]:
        """Each perturbation alone, in the same context."""
        return tuple(Condition((p,), self.covariates) for p in self.perturbations)

    def control(self) -> "Condition":
        """Unperturbed cells of the same context."""
        return Condition((), self.covariates)

    def to_json(self) -> dict[str, Any]:
        return {
            "perturbations": [[p.name, p.dose] for p in self.perturbations],
            "covariates": [list(pair) for pair in self.covariates],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Condition":
        perturbations = tuple(Perturbation(name, dose) for name, dose in data["perturbations"])
        return Condition(perturbations, tuple((column, value) for column, value in data["covariates"]))


def parse_perturbations(
    label: str,
    *,
    separator: str | None = SEPARATOR,
    control: str | tuple[str, ...] = CONTROL,
) -> tuple[Perturbation, ...]:
    """Read a condition label; a part that is one of ``control`` (as in GEARS' ``A+ctrl``) is left out.

    ``separator`` None: the whole label is one name. Raises ConditionError for an empty or repeated part.
    """
    is_control = matcher((control,) if isinstance(control, str) else control)
    if is_control(label):
        return ()
    texts = split_label(label, separator)
    parts = [parse_part(text, label) for text in texts if not is_control(text)]
    names = [part.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise ConditionError(f"You chose {name} twice in {label!r}. Name each perturbation once.")
    return tuple(sorted(parts, key=lambda part: part.name))


def split_label(label: str, separator: str | None) -> list[str]:
    """Parts of a label, stripped. A separator inside brackets belongs to the name, as in the drug ``(+)-JQ1``."""
    if separator is None:
        return [label]
    whole = "".join(_masked(label))
    cuts = [match.start() for match in re.finditer(re.escape(separator), whole)]
    starts = [0, *(cut + len(separator) for cut in cuts)]
    return [label[start:end].strip() for start, end in zip(starts, [*cuts, len(label)], strict=True)]


def _masked(label: str) -> list[str]:
    """The label with everything inside closed brackets blanked; as it is where brackets do not close."""
    masked, depth = [], 0
    for character in label:
        depth += (character in "([") - (character in ")]" and depth > 0)
        masked.append("\0" if depth else character)
    return masked if depth == 0 else list(label)


def parse_part(text: str, label: str) -> Perturbation:
    """One part of ``label``, for instance ``drug@0.1``. Raises ConditionError where it is empty."""
    if not text:
        raise ConditionError(f"The combination {label!r} has an empty part. Write it as A{SEPARATOR}B.")
    match = _DOSE.match(text)
    return Perturbation(match["name"], float(match["dose"])) if match else Perturbation(text)


@dataclass(frozen=True)
class Vocabulary:
    """All perturbations and covariate values that a model can encode, in the order of its input channels.

    ``highest_dose`` holds a value for each perturbation, or None where it has no dose; a dose enters as
    log1p(dose) / log1p(highest dose), so the highest dose counts as 1 and no dose as 0.
    """

    perturbations: tuple[str, ...]
    highest_dose: tuple[float | None, ...]
    covariates: tuple[tuple[str, tuple[str, ...]], ...]

    @staticmethod
    def from_conditions(conditions: Iterable[Condition]) -> "Vocabulary":
        """Collect names, doses and covariate values, sorted. Raises ConditionError for mixed covariate columns."""
        doses: dict[str, float | None] = {}
        values: dict[str, set[str]] = {}
        columns: set[tuple[str, ...]] = set()
        for condition in conditions:
            columns.add(tuple(column for column, _ in condition.covariates))
            for column, value in condition.covariates:
                values.setdefault(column, set()).add(value)
            for part in condition.perturbations:
                known = doses.get(part.name)
                doses[part.name] = part.dose if known is None else max(known, part.dose or 0.0)
        if len(columns) > 1:
            raise ConditionError(f"All cells need the same covariate columns; found {sorted(columns)}.")
        names = tuple(sorted(doses))
        covariates = tuple((column, tuple(sorted(found))) for column, found in values.items())
        return Vocabulary(names, tuple(doses[name] for name in names), covariates)

    @property
    def size(self) -> int:
        """C, the number of condition channels."""
        return len(self.perturbations) + sum(len(values) for _, values in self.covariates)

    def knows(self, condition: Condition) -> bool:
        """Whether ``condition`` can be encoded: training has every part and every covariate value of it."""
        try:
            self._encode_one(condition)
        except ConditionError:
            return False
        return True

    def encode(self, conditions: Sequence[Condition]) -> np.ndarray:
        """(B,) conditions to float32 (B, C). Raises ConditionError for anything unknown."""
        encoded = np.zeros((len(conditions), self.size), dtype=np.float32)
        rows: dict[Condition, np.ndarray] = {}
        for i, condition in enumerate(conditions):
            if condition not in rows:
                rows[condition] = self._encode_one(condition)
            encoded[i] = rows[condition]
        return encoded

    def _encode_one(self, condition: Condition) -> np.ndarray:
        row = np.zeros(self.size, dtype=np.float32)
        for part in condition.perturbations:
            row[self._index(part.name)] = self._strength(part)
        self._check_columns(condition)
        offset = len(self.perturbations)
        given = dict(condition.covariates)
        for column, values in self.covariates:
            row[offset + self._covariate_index(column, given[column], values)] = 1.0
            offset += len(values)
        return row

    def _index(self, name: str) -> int:
        if name in self.perturbations:
            return self.perturbations.index(name)
        close = difflib.get_close_matches(name.upper(), [p.upper() for p in self.perturbations], n=1)
        near = next((p for p in self.perturbations if close and p.upper() == close[0]), None)
        hint = f"Did you mean {near}? " if near else ""
        raise ConditionError(
            f"{name} is not a perturbation this model knows. {hint}It knows {len(self.perturbations)}: "
            + _shortened(self.perturbations)
        )

    def _strength(self, part: Perturbation) -> float:
        highest = self.highest_dose[self._index(part.name)]
        if highest is None:
            if part.dose is not None:
                raise ConditionError(f"{part.name} has no doses in the training data; leave out @{part.dose:g}.")
            return 1.0
        if part.dose is None or part.dose <= 0:
            raise ConditionError(f"{part.name} needs a dose above 0 and up to {highest:g}: {part.name}@{highest:g}.")
        if part.dose > highest:
            raise ConditionError(f"{part.name} was measured up to dose {highest:g}; {part.dose:g} is beyond that.")
        return math.log1p(part.dose) / math.log1p(highest)

    def _check_columns(self, condition: Condition) -> None:
        expected = [column for column, _ in self.covariates]
        given = [column for column, _ in condition.covariates]
        if sorted(expected) != sorted(given):
            raise ConditionError(
                f"This model needs the covariates {', '.join(expected) or 'none'}; got {', '.join(given) or 'none'}."
            )

    def _covariate_index(self, column: str, value: str, values: tuple[str, ...]) -> int:
        if value not in values:
            raise ConditionError(f"{value!r} is not a {column} this model knows. It knows: {_shortened(values)}")
        return values.index(value)


def _shortened(names: Sequence[str], most: int = 12) -> str:
    listed = ", ".join(names[:most])
    return f"{listed}." if len(names) <= most else f"{listed} and {len(names) - most} more."


class Novelty(StrEnum):
    """How much of a condition was seen in training."""

    SEEN = "seen in training"
    PARTS_SEEN = "each part seen alone, the combination was not"
    PART_ELSEWHERE = "a part was seen only in another combination, dose or context"
    PART_UNSEEN = "a part was never seen"


def novelty(condition: Condition, trained_on: Iterable[Condition]) -> Novelty:
    """Compare ``condition`` with the conditions of the training cells; control counts as seen."""
    known = set(trained_on)
    if condition in known or condition.is_control:
        return Novelty.SEEN
    if len(condition.perturbations) > 1 and all(part in known for part in condition.parts):
        return Novelty.PARTS_SEEN
    names = {part.name for seen in known for part in seen.perturbations}
    everywhere = all(part.name in names for part in condition.perturbations)
    return Novelty.PART_ELSEWHERE if everywhere else Novelty.PART_UNSEEN
