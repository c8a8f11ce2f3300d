"""Warns of obs columns whose names the chosen column puts together: ``KO`` where ``gene`` says STAT1 and CUL3."""

import re

import numpy as np
import pandas as pd

from primeflow_core.data.control_labels import SURE_GROUP, control_key
from primeflow_core.data.h5ad.issues import Problem, Severity
from primeflow_core.data.h5ad.missing_values import is_no_perturbation, without
from primeflow_core.data.h5ad.obs_values import ObsColumn, column, shown_counts


def pooled_labels(
    obs: pd.DataFrame, used: set[str | None], conditions: ObsColumn, is_control: np.ndarray
) -> list[Problem]:
    """A warning of each column that is not ``used``, has control labels where the controls are, and tells cells of one
    label of ``conditions`` apart. Guides of one gene (``STAT1_1``) are put together on purpose.
    """
    problems = []
    for name in map(str, obs.columns):
        if name in used or pd.api.types.is_numeric_dtype(obs[name]):
            continue
        finer, _ = without(column(obs, name), is_no_perturbation)
        pooled = _pooled(conditions, finer, is_control)
        if pooled is None:
            continue
        label, counts = pooled
        text = (
            f"{sum(counts.values()):,} cells are read as one perturbation, {label!r}; obs column {name!r} tells them "
            f"apart: {shown_counts(counts)}."
        )
        problems.append(Problem(Severity.WARNING, "pooled-labels", text, f"Choose it with --condition {name}."))
    return problems


def _pooled(conditions: ObsColumn, finer: ObsColumn, is_control: np.ndarray) -> tuple[str, dict[str, int]] | None:
    """The first label that stands for several of ``finer``, with their cells; None where the columns differ otherwise.

    Each of the finer names must belong to one label, and only controls may be called like a control.
    """
    known = (finer.codes >= 0) & (conditions.codes >= 0)
    if not 2 < len(finer.values) <= known.sum() // 2 or not known[is_control].any():
        return None
    controls = {code for code, name in enumerate(finer.values) if control_key(name) in SURE_GROUP}
    if set(np.unique(finer.codes[known & is_control]).tolist()) != controls:
        return None
    pairs, cells = np.unique(
        np.column_stack([finer.codes, conditions.codes])[known & ~is_control], axis=0, return_counts=True
    )
    if len(np.unique(pairs[:, 0])) < len(pairs) or controls & set(pairs[:, 0].tolist()):
        return None
    names_of: dict[int, dict[str, int]] = {}
    for (code, label), number in zip(pairs.tolist(), cells.tolist(), strict=True):
        names_of.setdefault(label, {})[finer.values[code]] = number
    several = ((conditions.values[label], names) for label, names in names_of.items() if len(names) > 1)
    return next(((label, names) for label, names in several if not all(_about(label, name) for name in names)), None)


def _about(label: str, name: str) -> bool:
    """Whether a name has all parts of a label, as that of a guide has: ``STAT1_2``, ``A_1|B_3`` of ``A+B``."""
    return all(part in name.casefold() for part in re.split(r"[\W_]+", label.casefold()))
