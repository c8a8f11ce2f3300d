"""Which obs columns tell contexts apart, and which others would."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.missing_values import is_nothing, without
from primeflow_core.data.h5ad.obs_values import ObsColumn, column, shown

MORE_COLUMNS = (
    "donor", "donor_id", "patient", "patient_id", "individual", "individual_id", "subject", "subject_id", "replicate",
    "rep", "bio_rep", "biological_replicate", "time", "timepoint", "time_point", "time_h", "hours", "hour", "day",
    "cytokine", "stimulation", "stimulus", "stim", "genotype", "disease", "disease_status", "status", "sex", "tissue",
    "organ", "plate", "library", "sample", "orig.ident", "condition", "treatment", "cell_line", "cell_type",
    "celltype",
    "line", "strain", "age_group", "infection", "cell_line_id", "cell_name", "media", "medium",
)  # fmt: skip
_MOST_VALUES, _MOST_OF_OTHERS, _MOST_TOLD = 500, 20, 8
_COMPUTED = ("leiden", "louvain", "phase", "seurat", "cluster", "predict", "doublet", "n_", "pct", "_", "is_", "pass")


@dataclass(frozen=True)
class PossibleContext:
    """A column that is left out and tells cells of one condition apart; ``with_controls``: values with controls."""

    name: str
    values: tuple[str, ...]
    with_controls: int

    def __str__(self) -> str:
        number = len(self.values)
        controls = "controls in each" if self.with_controls == number else f"controls in {self.with_controls:,}"
        return f"{self.name} ({number:,} values: {shown(self.values, 4)}; {controls})"


def chosen_covariates(
    obs: pd.DataFrame,
    usual: Sequence[str],
    apart: Sequence[str],
    is_control: np.ndarray,
    perturbed: np.ndarray,
    told: Sequence[str] | None,
    why: dict[str, str],
) -> tuple[str, ...]:
    """The told columns, else the usual ones that both control and perturbed cells share values of.

    ``apart``: columns of kinds that must be kept apart; taken where each kind has control cells.
    """
    if told is not None:
        why["covariates"] = "named by you"
        return tuple(told)
    chosen: list[ObsColumn] = []
    reasons: list[str] = []
    for name in (*usual, *apart):
        candidate, _ = without(column(obs, name), is_nothing)
        against = _against(candidate, is_control, perturbed, chosen)
        if not against and name in apart and len(np.unique(candidate.codes[is_control])) < len(candidate.values):
            against = "left out, not every value has control cells"
        reasons.append(f"{name}: {against or f'{len(candidate.values)} values'}")
        if not against:
            chosen.append(candidate)
    why["covariates"] = "; ".join(reasons) or "no column with a usual name"
    return tuple(found.name for found in chosen)


def _against(candidate: ObsColumn, is_control: np.ndarray, perturbed: np.ndarray, chosen: Sequence[ObsColumn]) -> str:
    """Why a column is not a covariate; empty if it is one."""
    if len(candidate.values) < 2:
        return "left out, the same in all cells"
    known = candidate.codes >= 0
    if 2 * known.sum() < len(known):
        return "left out, most cells have no value"
    both = np.intersect1d(candidate.codes[is_control & known], candidate.codes[perturbed & known])
    if not len(both):
        return "left out, no value has both control and perturbed cells"
    for one in chosen:
        pairs = len(np.unique(one.codes[known] * len(candidate.values) + candidate.codes[known]))
        if pairs == len(np.unique(one.codes[known])):
            return f"left out, given by {one.name}"
    return ""


def possible_contexts(
    obs: pd.DataFrame,
    usual: Sequence[str],
    taken: Collection[str | None],
    conditions: ObsColumn,
    covariates: Sequence[str],
    dose: str | None,
    is_control: np.ndarray,
) -> tuple[PossibleContext, ...]:
    """The columns with a usual name, or with a few words, not taken, that tell cells of one condition apart."""
    lower = {str(name).lower(): str(name) for name in obs.columns}
    named = [lower[name] for name in MORE_COLUMNS if name in lower]
    named += [str(name) for name in obs.columns if _in_words(obs[name]) and not str(name).lower().startswith(_COMPUTED)]
    groups = np.column_stack(
        [conditions.codes, *(column(obs, name).codes for name in (*covariates, *filter(None, [dose])))]
    )
    _, group = np.unique(groups, axis=0, return_inverse=True)
    found = []
    for name in dict.fromkeys((*usual, *named)):
        values, _ = without(column(obs, name), is_nothing)
        known = values.codes >= 0
        if name in taken or not 1 < len(values.values) <= _MOST_VALUES:
            continue
        pairs = len(np.unique(group.ravel()[known] * len(values.values) + values.codes[known]))
        if pairs > len(np.unique(group.ravel()[known])):
            controls = len(np.unique(values.codes[is_control & known]))
            found.append(PossibleContext(name, values.values, controls))
    return tuple(found)


def _in_words(values: pd.Series) -> bool:
    """Whether a column has a few distinct texts."""
    return not pd.api.types.is_numeric_dtype(values) and 1 < values.nunique() <= _MOST_OF_OTHERS


def left_out(possible: Sequence[PossibleContext]) -> list[Problem]:
    """A note of the columns that are left out."""
    if not possible:
        return []
    listed = "; ".join(map(str, possible[:_MOST_TOLD]))
    more = f"; and {len(possible) - _MOST_TOLD} more" if len(possible) > _MOST_TOLD else ""
    text = f"Left out, though they tell cells of one condition apart: {listed}{more}."
    return [Problem(Severity.NOTE, "left-out", text, "Those that matter can be named with --covariates.")]
