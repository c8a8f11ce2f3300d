"""Finds out which obs column says what: the conventions of published perturbation files, and the layout of one file.

Sources: PerturBench, scPerturb, GEARS, Virtual Cell Challenge, Replogle, Tahoe-100M, OP3, muscat. A separator is
only proposed where the parts of the labels are themselves known, and the proposal is always shown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.separator import propose_separator
from primeflow_core.data.layout import Layout

CONDITION_COLUMNS = (
    "condition", "perturbation", "target_gene", "gene", "drug", "drugname_drugconc", "smiles",
    "group_id", "stim", "label", "treatment",
)  # fmt: skip
COVARIATE_COLUMNS = (
    "cell_type", "celltype", "cell_line", "cluster_id", "treatment", "perturbation_2", "donor_id",
    "sample_id", "batch", "gem_group",
)  # fmt: skip
DOSE_COLUMNS = ("dose", "dose_value", "dose_val", "concentration", "conc")
KIND_COLUMNS = ("perturbation_type", "perturbation_kind", "kind")
CONTROL_LABELS = (
    "control", "ctrl", "non-targeting", "nt", "dmso", "dmso-tf", "c[s+](c)[o-]", "vehicle", "untreated",
    "unstimulated", "unstim", "unperturbed", "mock", "pbs", "scramble", "scrambled", "safe-targeting",
    "negative-control", "neg-ctrl", "no-treatment",
)  # fmt: skip
NONE = "none"
_LIST_AS_TEXT = re.compile(r"^\[\(['\"](?P<name>[^'\"]+)['\"]")


@dataclass(frozen=True)
class Wishes:
    """What the user says about a file; None: find it. The word ``none`` for separator, dose or kind: there is none."""

    condition: str | None = None
    covariates: Sequence[str] | None = None
    control: str | None = None
    separator: str | None = None
    dose: str | None = None
    kind: str | None = None

    @staticmethod
    def exactly(layout: Layout) -> "Wishes":
        """Nothing is left to find."""
        return Wishes(
            layout.condition, layout.covariates, layout.control,
            layout.separator or NONE, layout.dose or NONE, layout.kind or NONE,
        )  # fmt: skip


@dataclass(frozen=True)
class ObsColumn:
    """An obs column as text: its values in order of appearance, and for each cell the index of its value (-1: none)."""

    name: str
    values: tuple[str, ...]
    codes: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """(N,) text; empty where the cell has no value."""
        return np.array([*self.values, ""], dtype=object)[self.codes]


def column(obs: pd.DataFrame, name: str) -> ObsColumn:
    """Categories, text and numbers alike; missing and blank values get code -1, whole floats lose their ``.0``."""
    raw, distinct = pd.factorize(obs[name])
    texts = [_text(value) for value in distinct]
    values = tuple(dict.fromkeys(text for text in texts if text))
    position = {text: i for i, text in enumerate(values)}
    lookup = np.array([*(position.get(text, -1) for text in texts), -1], dtype=np.int64)
    return ObsColumn(name, values, lookup[raw])


def _text(value: object) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


@dataclass(frozen=True)
class FoundLayout:
    """The layout found (None: no condition column or no control), why, and the problems that must be fixed."""

    layout: Layout | None
    why: dict[str, str]
    problems: tuple[Problem, ...]


def find_layout(obs: pd.DataFrame, wishes: Wishes) -> FoundLayout:
    """Choose the columns of ``obs``; nothing is raised, what is wrong is listed."""
    problems = list(_unknown_columns(obs, wishes))
    why: dict[str, str] = {}
    if problems:
        return FoundLayout(None, why, tuple(problems))
    name = condition_column(obs, wishes, why)
    if name is None:
        problems.append(_no_condition(obs))
        return FoundLayout(None, why, tuple(problems))
    conditions = column(obs, name)
    control = _control(conditions, wishes, why, problems)
    if control is None:
        return FoundLayout(None, why, tuple(problems))
    separator = _separator(conditions, control, wishes, why, problems)
    is_control = conditions.codes == conditions.values.index(control)
    covariates = _covariates(obs, name, is_control, wishes, why)
    dose = _dose(obs, is_control, wishes, why)
    kind = _kind(obs, wishes, why)
    return FoundLayout(Layout(name, covariates, control, separator, dose, kind), why, tuple(problems))


def _shown(names: Sequence[str], most: int = 12) -> str:
    listed = ", ".join(str(name) for name in names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


def _unknown_columns(obs: pd.DataFrame, wishes: Wishes) -> list[Problem]:
    asked = [("--condition", wishes.condition), *(("--covariates", name) for name in wishes.covariates or ())]
    asked += [(flag, name) for flag, name in (("--dose", wishes.dose), ("--kind", wishes.kind)) if name != NONE]
    known = [str(name) for name in obs.columns]
    return [
        error("unknown-column", f"There is no obs column {name!r}.", f"{flag} can be one of: {_shown(known, 40)}.")
        for flag, name in asked
        if name is not None and name not in known
    ]


def present(obs: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The columns of ``obs`` with one of the usual names, in the order of the names; case does not matter."""
    lower = {str(name).lower(): str(name) for name in obs.columns}
    return [lower[name] for name in names if name in lower]


def condition_column(obs: pd.DataFrame, wishes: Wishes, why: dict[str, str]) -> str | None:
    """The obs column that names the perturbation of each cell; the reason for the choice is added to ``why``."""
    if wishes.condition is not None:
        why["condition"] = "named by you"
        return wishes.condition
    usual = present(obs, CONDITION_COLUMNS)
    varied = [name for name in usual if len(column(obs, name).values) > 1]
    labels = CONTROL_LABELS if wishes.control is None else (wishes.control,)
    with_control = [n for n in varied if any(_key(v) in labels or v in labels for v in column(obs, n).values)]
    for found, reason in (
        (with_control, "a usual name, and it holds a control label"),
        (varied, "a usual name, and its values differ"),
        (usual, "a usual name"),
    ):
        if found:
            why["condition"] = reason
            return found[0]
    return None


def _no_condition(obs: pd.DataFrame) -> Problem:
    return error(
        "no-condition",
        "No obs column says which perturbation a cell met.",
        f"Name it with --condition; there are: {_shown([str(name) for name in obs.columns], 40) or 'none'}.",
    )


def _key(label: str) -> str:
    """A label without case, blanks and underscores; of a list written as text, its first name."""
    match = _LIST_AS_TEXT.match(label)
    return (match["name"] if match else label).lower().replace("_", "-").replace(" ", "-")


def _control(conditions: ObsColumn, wishes: Wishes, why: dict[str, str], problems: list[Problem]) -> str | None:
    seen = _shown(conditions.values)
    if wishes.control is not None:
        why["control"] = "named by you"
        if wishes.control in conditions.values:
            return wishes.control
        text = f"No cell of obs column {conditions.name!r} is labelled {wishes.control!r}."
        problems.append(error("no-control", text, f"--control can be one of: {seen}."))
        return None
    found = {_key(value): value for value in reversed(conditions.values) if _key(value) in CONTROL_LABELS}
    if not found:
        text = f"No control label in obs column {conditions.name!r}; labels seen: {seen or 'none'}."
        problems.append(error("no-control", text, "Name the unperturbed cells with --control."))
        return None
    chosen = min(found, key=CONTROL_LABELS.index)
    why["control"] = "a usual label of unperturbed cells"
    others = [value for key, value in found.items() if key != chosen]
    if others:
        text = f"{found[chosen]!r} is taken as the control; {_shown(others)} could be one too."
        problems.append(Problem(Severity.WARNING, "several-controls", text, "Choose with --control."))
    return found[chosen]


def _separator(
    conditions: ObsColumn, control: str, wishes: Wishes, why: dict[str, str], problems: list[Problem]
) -> str | None:
    if wishes.separator is not None:
        why["separator"] = "given by you"
        return None if wishes.separator == NONE else wishes.separator
    return propose_separator(conditions.values, control, why, problems)


def _covariates(
    obs: pd.DataFrame, condition: str, is_control: np.ndarray, wishes: Wishes, why: dict[str, str]
) -> tuple[str, ...]:
    if wishes.covariates is not None:
        why["covariates"] = "named by you"
        return tuple(wishes.covariates)
    chosen: list[ObsColumn] = []
    reasons: list[str] = []
    for name in present(obs, COVARIATE_COLUMNS):
        if name == condition:
            continue
        candidate = column(obs, name)
        against = _against(candidate, is_control, chosen)
        reasons.append(f"{name}: {against or f'{len(candidate.values)} values'}")
        if not against:
            chosen.append(candidate)
    why["covariates"] = "; ".join(reasons) or "no column with a usual name"
    return tuple(found.name for found in chosen)


def _against(candidate: ObsColumn, is_control: np.ndarray, chosen: Sequence[ObsColumn]) -> str:
    """Why a column is not a covariate; empty if it is one."""
    if len(candidate.values) < 2:
        return "left out, the same in all cells"
    if (candidate.codes < 0).any():
        return "left out, some cells have no value"
    both = np.intersect1d(candidate.codes[is_control], candidate.codes[~is_control])
    if not len(both):
        return "left out, no value has both control and perturbed cells"
    for known in chosen:
        pairs = len(np.unique(known.codes * len(candidate.values) + candidate.codes))
        if pairs == len(known.values):
            return f"left out, given by {known.name}"
    return ""


def _dose(obs: pd.DataFrame, is_control: np.ndarray, wishes: Wishes, why: dict[str, str]) -> str | None:
    if wishes.dose is not None:
        why["dose"] = "given by you"
        return None if wishes.dose == NONE else wishes.dose
    for name in present(obs, DOSE_COLUMNS):
        found = column(obs, name)
        used = {found.values[code] for code in np.unique(found.codes[~is_control]) if code >= 0}
        amounts = {part.strip() for text in used for part in text.split("+")}
        if len(amounts) > 1:
            why["dose"] = f"{len(amounts)} doses"
            return name
        why["dose"] = f"{name}: left out, always the same"
    return None


def _kind(obs: pd.DataFrame, wishes: Wishes, why: dict[str, str]) -> str | None:
    if wishes.kind is not None:
        why["kind"] = "given by you"
        return None if wishes.kind == NONE else wishes.kind
    usual = present(obs, KIND_COLUMNS)
    if usual:
        why["kind"] = "a usual name"
        return usual[0]
    return None
