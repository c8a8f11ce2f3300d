"""The Virtual Cell Challenge's metrics, for comparison with its tables: MAE, PDS, DES, and its score.

Defined by the organisers' evaluator cell-eval (Arc Institute, profile ``vcc`` of 2025) and by
virtualcellchallenge.org/evaluation. Means are over cells, of log-normalised values.

- **MAE**: mean over genes of |predicted mean − measured mean|. Smaller is better.
- **PDS**, perturbation discrimination: the predicted effect's L1 distance to the measured effect of each of the N
  conditions of the group, the condition's own target genes left out; 1 − rank / N, where rank 0 is the nearest.
  Ties take their average rank; in cell-eval they fall in any order. Effects are differences from the
  reference's controls, which cancel. About 0.5 by chance, 1 best.
- **DES**, differential expression: genes with p < 0.05 in Wilcoxon's rank-sum test against control cells (corrected
  for ties; Benjamini-Hochberg), the k measured ones and at most as many predicted ones, those with the largest
  |log2 fold change|: the share of the k that is predicted. 0 to 1. A side without significant genes gives 0, the
  measured side too, as in cell-eval: such a 0 says nothing about the prediction, so ``significant_genes`` gives k.
- **score**: of the means over conditions, the share of the way from a baseline to perfection: (m − b) / (1 − b) for
  PDS and DES, (b − m) / b for MAE; each 0 where worse than the baseline; then the mean of the three.

Where this differs from cell-eval: tests and fold changes are Scanpy's, so z has no correction for continuity, and a
gene silent on one side has |log2 fold change| of 20 to 30, not cell-eval's infinity (log2 20 in its first releases,
which also adjusted p over all conditions at once). Equal fold changes are ordered by gene name, PDS compares the
conditions of one covariate group, and the predicted side has the reference's controls, never controls of its own.
Where the baseline leaves nothing to gain, as with one condition, the score is NaN; cell-eval counts 0.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from primeflow_core.data.layout import SEPARATOR
from primeflow_core.errors import DataError
from primeflow_core.evaluation.differential import FEWEST_CELLS, DifferentialTest, contrasts
from primeflow_core.evaluation.mean_row import with_mean
from primeflow_core.evaluation.pair import ConditionCells, Pair
from primeflow_core.evaluation.profiles import mean_profile
from primeflow_core.evaluation.ranks import tie_average_ranks

Group = tuple[str, ...]

LARGER_IS_BETTER = {"mae": False, "pds": True, "des": True}
SIGNIFICANT = 0.05
NO_CHANGE, GIVEN = "control mean", "given profile"


def virtual_cell_table(
    pair: Pair, baseline: Mapping[Group, np.ndarray] | None = None, *, separator: str | None = SEPARATOR
) -> pd.DataFrame:
    """One row a scored condition, last the row ``mean``: condition, covariates, mae, pds, des, significant_genes (the
    k of DES), then mae_baseline, pds_baseline, des_baseline; in the row ``mean`` also mae_score, pds_score,
    des_score and their mean ``score``; last ``baseline``, which says what the baseline was.

    ``baseline``: of each covariate group one profile (G,) in the order of ``pair.genes``, offered as the prediction of
    every condition, in as many equal cells as were measured. The organisers' is the mean over the training conditions
    of their mean profiles. None: the mean of the reference's controls, "no change", which is not theirs. To find target
    genes, labels are split at ``separator`` and at ``+``.

    N of PDS counts the scored conditions of the group. A set of fewer than two cells has no significant genes. Raises
    DataError for a baseline in which a group is missing or that has another number of genes.
    """
    profiles = {group: _baseline_of(group, pair, baseline) for group in pair.by_group()}
    rows = [row for group, profile in profiles.items() for row in _rows(pair, group, profile, separator)]
    table = _with_scores(with_mean(pd.DataFrame(rows), pair.covariates))
    return table.assign(baseline=NO_CHANGE if baseline is None else GIVEN)


def discrimination(predicted: np.ndarray, measured: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """PDS (N,) of mean profiles (N, G) against the measured ones (N, G); ``left_out`` (N, G) masks target genes."""
    pairs = zip(predicted, ~left_out, strict=True)
    distances = np.array([np.abs(measured[:, kept] - profile[kept]).sum(axis=1) for profile, kept in pairs])
    n = len(distances)
    if n == 1:
        return np.ones(1)
    # Ranks of references for each prediction, hence transposed; there they run from 0 to 1 over n - 1.
    return 1 - tie_average_ranks(distances.T, larger_is_better=False) * (n - 1) / n


def overlap(predicted: Sequence[int], measured: Sequence[int]) -> float:
    """DES of significant genes, the largest change first; 0 where nothing was measured to be significant."""
    k = len(measured)
    return len(set(predicted[:k]) & set(measured)) / k if k else 0.0


def target_genes(label: str, genes: Sequence[str], separator: str | None = SEPARATOR) -> np.ndarray:
    """Mask (G,) of the genes that a condition switches: named as its label, or as a part of it without its dose."""
    joints = "|".join(re.escape(joint) for joint in {SEPARATOR, separator or SEPARATOR})
    parts = [label, *(part.strip() for part in re.split(joints, label))]
    names = {*parts, *(part.rpartition("@")[0] for part in parts)}
    return np.array([gene in names for gene in genes], dtype=bool)


def _with_scores(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the columns name_score of each metric and ``score``, filled in its last row, the mean, only."""
    mean = table.index == len(table) - 1
    parts = {f"{name}_score": _score(name, table[name], table[f"{name}_baseline"]) for name in LARGER_IS_BETTER}
    scores = pd.DataFrame(parts)
    scores["score"] = scores.mean(axis=1, skipna=False)
    return table.join(scores[mean])


def _score(name: str, value: pd.Series, baseline: pd.Series) -> pd.Series:
    gained, possible = (value - baseline, 1 - baseline) if LARGER_IS_BETTER[name] else (baseline - value, baseline)
    return (gained / possible.where(possible > 0)).clip(lower=0)


def _baseline_of(group: Group, pair: Pair, baseline: Mapping[Group, np.ndarray] | None) -> np.ndarray:
    """(G,) float64."""
    if baseline is None:
        return mean_profile(pair.controls[group].dense())
    if group not in baseline:
        raise DataError(f"The baseline has no profile for the group {' · '.join(group)!r}. Give one for each group.")
    profile = np.asarray(baseline[group], dtype=np.float64)
    if profile.shape != (len(pair.genes),) or not np.isfinite(profile).all():
        raise DataError(
            f"The baseline of the group {' · '.join(group)!r} has shape {profile.shape}; expected one number for each "
            f"of the {len(pair.genes)} genes."
        )
    return profile


def _rows(pair: Pair, group: Group, baseline: np.ndarray, separator: str | None) -> list[dict[str, object]]:
    conditions = pair.by_group()[group]
    predicted = np.stack([mean_profile(condition.predicted.dense()) for condition in conditions])
    measured = np.stack([mean_profile(condition.measured.dense()) for condition in conditions])
    repeated = np.broadcast_to(baseline, measured.shape)
    left_out = np.stack([target_genes(condition.label, pair.genes, separator) for condition in conditions])
    columns = {
        "mae": np.abs(predicted - measured).mean(axis=1),
        "pds": discrimination(predicted, measured, left_out),
        **_overlaps(pair, conditions, baseline),
        "mae_baseline": np.abs(repeated - measured).mean(axis=1),
        "pds_baseline": discrimination(repeated, measured, left_out),
    }
    order = ("mae", "pds", "des", "significant_genes", "mae_baseline", "pds_baseline", "des_baseline")
    where = dict(zip(pair.covariates, group, strict=True))
    return [
        {"condition": condition.label, **where, **{name: columns[name][i] for name in order}}
        for i, condition in enumerate(conditions)
    ]


def _overlaps(pair: Pair, conditions: Sequence[ConditionCells], baseline: np.ndarray) -> dict[str, np.ndarray]:
    """des, des_baseline and significant_genes of the conditions of one group."""
    controls = pair.controls[conditions[0].group].sparse()
    by_name = np.argsort(np.argsort(np.array(pair.genes, dtype=str)))
    found: dict[str, list[float]] = {"des": [], "des_baseline": [], "significant_genes": []}
    for condition in conditions:
        constant = np.broadcast_to(baseline.astype(np.float32), condition.measured.shape)
        sets = [condition.predicted.sparse(), condition.measured.sparse(), sp.csr_matrix(constant)]
        predicted, measured, repeated = _significant(sets, controls, by_name)
        found["des"].append(overlap(predicted, measured))
        found["des_baseline"].append(overlap(repeated, measured))
        found["significant_genes"].append(len(measured))
    return {name: np.array(values) for name, values in found.items()}


def _significant(sets: Sequence[sp.csr_matrix], controls: sp.csr_matrix, by_name: np.ndarray) -> list[list[int]]:
    """The indices of the significant genes of each set, the largest |log2 fold change| first, ties by name."""
    tested = [min(cells.shape[0], controls.shape[0]) >= FEWEST_CELLS for cells in sets]
    chosen = [cells for cells, enough in zip(sets, tested, strict=True) if enough]
    found = iter(contrasts(chosen, controls, "wilcoxon"))
    return [_ordered(next(found), by_name) if enough else [] for enough in tested]


def _ordered(contrast: DifferentialTest, by_name: np.ndarray) -> list[int]:
    size = np.abs(np.nan_to_num(contrast.log2_fold_change, nan=0.0))
    order = np.lexsort((by_name, -size))
    return [int(gene) for gene in order[contrast.p_adjusted[order] < SIGNIFICANT]]
