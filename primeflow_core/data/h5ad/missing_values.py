"""Words that stand for no value in an obs column, and the cells that are set aside for want of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.control_labels import key_of
from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.obs_values import ObsColumn

_NOTHING = frozenset(("", "nan", "na", "n/a", "n.a.", "<na>", "#n/a", "null", "nil", "nat", "<none>", "missing"))
_NO_PERTURBATION = _NOTHING | frozenset((
    "none", "-", "--", "?", "*", ".", "unassigned", "not-assigned", "not-assignable", "unknown", "undetermined",
    "unmapped", "undefined", "multiplet", "multiplets", "doublet", "doublets", "multiple", "multi", "multiple-guides",
    "multiple-sgrnas", "negative", "ambiguous", "no-guide", "noguide", "no-guides", "no-grna", "no-sgrna", "no-sgrnas",
    "no-call", "no-assignment", "not-detected", "undetected", "no-data", "not-available", "low-quality", "filtered",
    "no-feature", "no-barcode", "unlabeled", "unlabelled", "tbd",
))  # fmt: skip


@dataclass(frozen=True)
class SetAside:
    """Cells that are not used because an obs column gives no value: ``words`` it has instead (empty: nothing)."""

    column: str
    cells: int
    words: dict[str, int]

    @property
    def shown(self) -> str:
        return ", ".join(f"{word!r} {count:,}" if word else f"empty {count:,}" for word, count in self.words.items())


def is_no_perturbation(label: str) -> bool:
    return key_of(label) in _NO_PERTURBATION or label.strip() in ("-", "--", "_")


def is_nothing(value: str) -> bool:
    """Whether a value of a covariate means that there is none; ``none`` is a value, as in a column of treatments."""
    return key_of(value) in _NOTHING


def without(found: ObsColumn, is_missing: Callable[[str], bool]) -> tuple[ObsColumn, SetAside | None]:
    """The column with code -1 where it has no value, and what was there."""
    absent = np.array([*map(is_missing, found.values), True])
    lost = absent[found.codes]
    if not lost.any():
        return found, None
    counts = np.bincount(found.codes[lost] % len(absent), minlength=len(absent))
    words = {word: int(n) for word, n in zip((*found.values, ""), counts, strict=True) if n}
    kept = [value for value, gone in zip(found.values, absent, strict=False) if not gone]
    lookup = np.where(absent, -1, np.cumsum(~absent) - 1)
    return ObsColumn(found.name, tuple(kept), lookup[found.codes]), SetAside(found.name, int(lost.sum()), words)


def told_of(aside: Sequence[SetAside], kept: int, cells: int) -> list[Problem]:
    """A warning for each column; an error where most cells would be lost."""
    problems = [_warning(one) for one in aside]
    if aside and 2 * kept < cells:
        columns = ", ".join(repr(one.column) for one in aside)
        text = f"{cells - kept:,} of {cells:,} cells have no value in obs column {columns}: more than half of them."
        problems.append(error("missing-value", text, "Fill it in, choose another column, or remove these cells."))
    return problems


def _warning(one: SetAside) -> Problem:
    cells, are = ("1 cell has", "is") if one.cells == 1 else (f"{one.cells:,} cells have", "are")
    text = f"{cells} no value in obs column {one.column!r} ({one.shown}) and {are} set aside."
    return Problem(Severity.WARNING, "set-aside", text, "Fill it in to use them.")
