"""Finds out which obs column says what: the conventions of published perturbation files, and the layout of one file.

Sources: PerturBench, scPerturb, GEARS, Virtual Cell Challenge, Replogle, Tahoe-100M, OP3, muscat. A separator is
only proposed where the parts of the labels are themselves known, and the proposal is always shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from primeflow_core.data.conditions import split_label
from primeflow_core.data.control_labels import matcher
from primeflow_core.data.h5ad.condition_parsing import condition_column_of
from primeflow_core.data.h5ad.controls import controls_in_parts, find_controls, holds_control
from primeflow_core.data.h5ad.covariates import PossibleContext, chosen_covariates, left_out, possible_contexts
from primeflow_core.data.h5ad.doses import DoseError, amount_of, commonest, converted, dose_texts, unit_in_name
from primeflow_core.data.h5ad.guides import guides_seen
from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.obs_values import ObsColumn, column, shown, shown_counts
from primeflow_core.data.h5ad.pooled_labels import pooled_labels
from primeflow_core.data.h5ad.separator import propose_separator
from primeflow_core.data.h5ad.wishes import NONE, Wishes
from primeflow_core.data.layout import Layout

CONDITION_COLUMNS = (
    "condition", "perturbation", "target_gene", "gene", "drug", "drugname_drugconc", "product_name", "sm_name",
    "compound", "smiles", "group_id", "stim", "label", "treatment", "cytokine",
)  # fmt: skip
COVARIATE_COLUMNS = (
    "cell_type", "celltype", "cell_line", "cluster_id", "treatment", "perturbation_2", "donor_id",
    "sample_id", "batch", "gem_group",
)  # fmt: skip
DOSE_COLUMNS = (
    "dose", "dose_value", "dose_val", "concentration", "conc", "pert_dose", "drug_dose", "dosage", "dose_um", "dose_nm",
    "concentration_um", "concentration_nm", "conc_um", "conc_nm", "dose (um)", "dose (nm)", "drugname_drugconc",
)  # fmt: skip
UNIT_COLUMNS = ("dose_unit", "dose_units", "concentration_unit", "conc_unit", "unit", "units")
KIND_COLUMNS = ("perturbation_type", "perturbation_kind", "kind", "crispr_type", "crispr", "modality", "pert_type")
_NAMES_TREATED = ("perturbation", "target_gene", "gene", "drug", "product_name", "sm_name", "compound", "smiles")


@dataclass(frozen=True)
class FoundLayout:
    """The layout found (None: no condition column or no control), why, and the problems that must be fixed.

    ``possible``: columns that are left out though they tell cells of one condition apart.
    """

    layout: Layout | None
    why: dict[str, str]
    problems: tuple[Problem, ...]
    possible: tuple[PossibleContext, ...] = ()


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
    controls = find_controls(column(obs, name), wishes.controls, why, problems)
    if controls is None:
        return FoundLayout(None, why, tuple(problems))
    layout = Layout(name, control=controls.label, controls=controls.others, guides=bool(wishes.merge_guides))
    return _completed(obs, layout, wishes, why, problems)


def _completed(
    obs: pd.DataFrame, layout: Layout, wishes: Wishes, why: dict[str, str], problems: list[Problem]
) -> FoundLayout:
    """The other columns, once the conditions and their control are known."""
    conditions, _ = condition_column_of(obs, layout)
    separator = _separator(conditions, layout, wishes, why, problems)
    layout = replace(layout, controls=(*layout.controls, *controls_in_parts(conditions, layout, separator, problems)))
    if not layout.guides and separator is None:
        problems += guides_seen(conditions.values, matcher(layout.control_labels))
    is_control = _is_control(conditions, layout.control_labels, separator)
    perturbed = (conditions.codes >= 0) & ~is_control
    kind = _kind(obs, wishes, why)
    passed = _passed_over(obs, layout.condition, wishes)
    usual = [name for name in dict.fromkeys((*present(obs, COVARIATE_COLUMNS), *passed)) if name != layout.condition]
    apart = [kind] if kind and _mixed(conditions, column(obs, kind), perturbed) else []
    covariates = chosen_covariates(obs, usual, apart, is_control, perturbed, wishes.covariates, why)
    dose, unit_column, unit = _dose(obs, perturbed, wishes, why)
    taken = {layout.condition, *covariates, dose, unit_column, kind}
    problems += _two_columns(obs, passed, covariates, layout.condition)
    possible = possible_contexts(
        obs, [n for n in usual if n not in taken], taken, conditions, covariates, dose, is_control
    )
    pooled = pooled_labels(obs, taken, conditions, is_control)
    problems += [*pooled, *left_out(possible)]
    found = Layout(
        layout.condition, covariates, layout.control, separator, dose, kind, layout.controls, layout.guides,
        unit_column, unit,
    )  # fmt: skip
    return FoundLayout(found, why, tuple(problems), possible)


def _unknown_columns(obs: pd.DataFrame, wishes: Wishes) -> list[Problem]:
    asked = [("--condition", wishes.condition), *(("--covariates", name) for name in wishes.covariates or ())]
    asked += [(flag, name) for flag, name in (("--dose", wishes.dose), ("--kind", wishes.kind)) if name != NONE]
    known = [str(name) for name in obs.columns]
    return [
        error("unknown-column", f"There is no obs column {name!r}.", f"{flag} can be one of: {shown(known, 40)}.")
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
    with_control = _with_control(obs, varied, wishes)
    for found, reason in (
        (with_control, "a usual name, and it holds a control label"),
        (varied, "a usual name, and its values differ"),
        (usual, "a usual name"),
    ):
        if found:
            why["condition"] = reason
            return found[0]
    return None


def _with_control(obs: pd.DataFrame, varied: Sequence[str], wishes: Wishes) -> list[str]:
    """Columns with a control label: in the usual order, but one called after what was perturbed before one that
    says how cells were kept, where both split the cells, and names before a word for all that was perturbed."""
    found = [name for name in varied if holds_control(column(obs, name).values, wishes.controls)]
    if len(found) < 2:
        return found
    first = column(obs, found[0])
    for name in found[1:]:
        other = column(obs, name)
        named = name.lower() in _NAMES_TREATED and found[0].lower() not in _NAMES_TREATED
        crossed = named and _crossed(first, other) and len(other.values) >= len(first.values)
        if crossed or (len(first.values) == 2 < len(other.values) and _within(other, first)):
            return [name, *(one for one in found if one != name)]
    return found


def _within(finer: ObsColumn, coarse: ObsColumn) -> bool:
    """Whether each value of one column belongs to one value of the other."""
    return len(np.unique(np.column_stack([finer.codes, coarse.codes]), axis=0)) == len(np.unique(finer.codes))


def _crossed(one: ObsColumn, other: ObsColumn) -> bool:
    """Whether neither column can be told from the other."""
    pairs = len(np.unique(np.column_stack([one.codes, other.codes]), axis=0))
    return pairs > max(len(np.unique(one.codes)), len(np.unique(other.codes)))


def _passed_over(obs: pd.DataFrame, condition: str, wishes: Wishes) -> list[str]:
    """Other columns that could name the conditions, and split them."""
    if wishes.condition is not None:
        return []
    chosen = column(obs, condition)
    usual = [name for name in present(obs, CONDITION_COLUMNS) if name != condition]
    varied = [name for name in usual if len(column(obs, name).values) > 1]
    return [
        n for n in varied if holds_control(column(obs, n).values, wishes.controls) and _crossed(chosen, column(obs, n))
    ]


def _two_columns(obs: pd.DataFrame, passed: Sequence[str], covariates: Sequence[str], condition: str) -> list[Problem]:
    problems = []
    for name in passed:
        use = "it is used as a covariate" if name in covariates else "it is not used"
        text = (
            f"{condition!r} is read as the perturbation; obs column {name!r} could be it too "
            f"({shown_counts(column(obs, name).counts)}), and {use}."
        )
        problems.append(Problem(Severity.WARNING, "two-columns", text, f"Choose with --condition {name}."))
    return problems


def _no_condition(obs: pd.DataFrame) -> Problem:
    return error(
        "no-condition",
        "No obs column says which perturbation a cell met.",
        f"Name it with --condition; there are: {shown([str(name) for name in obs.columns], 40) or 'none'}.",
    )


def _separator(
    conditions: ObsColumn, layout: Layout, wishes: Wishes, why: dict[str, str], problems: list[Problem]
) -> str | None:
    if wishes.separator is not None:
        why["separator"] = "given by you"
        return None if wishes.separator == NONE else wishes.separator
    return propose_separator(conditions.values, layout.control_labels, why, problems)


def _is_control(conditions: ObsColumn, controls: tuple[str, ...], separator: str | None) -> np.ndarray:
    """(N,) whether each cell is a control: its label is one, or every part of it."""
    matches = matcher(controls)
    of_value = [matches(label) or all(map(matches, split_label(label, separator))) for label in conditions.values]
    return np.array([*of_value, False])[conditions.codes]


def _mixed(conditions: ObsColumn, kinds: ObsColumn, perturbed: np.ndarray) -> bool:
    """Whether perturbed cells of one label are of several kinds."""
    used = perturbed & (kinds.codes >= 0)
    pairs = np.unique(np.column_stack([conditions.codes[used], kinds.codes[used]]), axis=0)
    return len(pairs) > len(np.unique(pairs[:, 0]))


def _dose(
    obs: pd.DataFrame, perturbed: np.ndarray, wishes: Wishes, why: dict[str, str]
) -> tuple[str | None, str | None, str | None]:
    """The columns of doses and of their units, and the unit that most perturbed cells have."""
    if wishes.dose is not None:
        why["dose"] = "given by you"
        if wishes.dose == NONE:
            return None, None, None
    for name in present(obs, DOSE_COLUMNS) if wishes.dose is None else [wishes.dose]:
        unit_column = _unit_column(obs, name, wishes)
        amounts, unit = _amounts(obs, name, unit_column, perturbed, wishes.unit)
        if wishes.dose is None and len(amounts) < 2:
            why["dose"] = f"{name}: left out, always the same"
            continue
        if wishes.dose is None:
            why["dose"] = f"{len(amounts)} doses" + (f", in {unit}" if unit else "")
        return name, unit_column, unit
    return None, None, None


def _unit_column(obs: pd.DataFrame, dose: str, wishes: Wishes) -> str | None:
    if wishes.unit_column is not None:
        return None if wishes.unit_column == NONE else wishes.unit_column
    return unit_column_of(obs, dose)


def unit_column_of(obs: pd.DataFrame, dose: str) -> str | None:
    """The column with the units of the doses in column ``dose``, by its name."""
    return next(iter(present(obs, (f"{dose.lower()}_unit", f"{dose.lower()}_units", *UNIT_COLUMNS))), None)


def _amounts(
    obs: pd.DataFrame, dose: str, unit_column: str | None, perturbed: np.ndarray, unit: str | None
) -> tuple[set[object], str | None]:
    """The distinct doses of perturbed cells, as text where they cannot be read, and their commonest unit."""
    found = column(obs, dose)
    units = column(obs, unit_column) if unit_column else ObsColumn("", (), np.full(len(obs), -1))
    used = perturbed & (found.codes >= 0)
    pairs, cells = np.unique(np.column_stack([found.codes[used], units.codes[used]]), axis=0, return_counts=True)
    read, unread = [], set()
    for (code, unit_code), number in zip(pairs, cells.tolist(), strict=True):
        for text in dose_texts(found.values[code]):
            try:
                amount = amount_of(text, units.values[unit_code] if unit_code >= 0 else unit_in_name(dose))
            except DoseError:
                unread.add(text)
                continue
            if amount is not None:
                read.append((amount, number))
    unit = unit or commonest([amount.unit for amount, _ in read], [number for _, number in read])
    return {*unread, *(converted(amount, unit or "") for amount, _ in read)}, unit


def _kind(obs: pd.DataFrame, wishes: Wishes, why: dict[str, str]) -> str | None:
    if wishes.kind is not None:
        why["kind"] = "given by you"
        return None if wishes.kind == NONE else wishes.kind
    usual = present(obs, KIND_COLUMNS)
    if usual:
        why["kind"] = "a usual name"
        return usual[0]
    return None
