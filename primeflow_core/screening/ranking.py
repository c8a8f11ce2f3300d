"""The ranking of a screen: one row a candidate, best first, with how sure its place is."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_uncertainty import Placing, placed
from primeflow_core.screening.screen_spec import ScreenOrder
from primeflow_core.wording import counted

PLACES = ("rank", "rank_low", "rank_high", "tier")
PERTURBATION, STANDING = "perturbation", "standing"
SCORES = ("score", "low", "high", "sum_score", "seed_spread")
FACTS = (
    "size", "size_low", "size_high", "genes_up", "genes_down", "interaction", "share", "magnitude", "magnitude_low",
    "magnitude_high", "direction", "dominance", "explained", "dominant", "predicted_magnitude",
    "predicted_magnitude_low", "predicted_magnitude_high",
)  # fmt: skip
TEXTS = (PERTURBATION, STANDING, "interaction", "dominant")
WHOLE = (*PLACES, "genes_up", "genes_down")


def columns(covariates: Sequence[str]) -> tuple[str, ...]:
    """The columns of a ranking, in their order."""
    return (*PLACES, PERTURBATION, *covariates, STANDING, *SCORES, *FACTS)


def ranked(rows: pa.Table, order: ScreenOrder, standing: Callable[[Condition], str]) -> pd.DataFrame:
    """The candidates among the ``rows`` (screening.rows) that are there so far, best first; ``columns`` of the model's
    covariates.

    What has no score comes last, by name, its rank, tier and their ends missing. ``standing`` is
    ``Catalogue.standing``. rank_low and rank_high hold 95 % of a candidate's ranks; tier: see ``placing.placed``.
    seed_spread: standard deviation of the score over noise seeds, in its unit.
    """
    everything = order.everything
    candidates = _candidates(rows, order)
    conditions = [everything[position] for position in candidates["position"].to_pylist()]
    covariates = [column for column, _ in everything[0].covariates]
    kept = candidates.select([PERTURBATION, *covariates, "score", "sum_score", *FACTS])
    table = kept.to_pandas()
    table[STANDING] = [str(standing(condition)) for condition in conditions]
    table["seed_spread"] = _spread(matrix(candidates, "by_seed"))
    return with_places(table, matrix(candidates, "replicates"), covariates, order.goal)[0]


def best_first(rows: pa.Table, order: ScreenOrder) -> np.ndarray:
    """(N,) where the rows of ``ranked`` stand in ``rows``, for what belongs to them, such as changes."""
    at = np.flatnonzero(_are_candidates(rows, order))
    candidates = rows.take(at)
    covariates = [column for column, _ in order.everything[0].covariates]
    names = _names(candidates.select([PERTURBATION, *covariates]).to_pandas(), covariates)
    scores = candidates["score"].to_numpy()
    found: np.ndarray = at[placed(scores, np.zeros((len(at), 0)), names, order.goal).best_first]
    return found


def with_places(
    table: pd.DataFrame, replicates: np.ndarray, covariates: Sequence[str], goal: Goal
) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of candidates with a score and the paired ``replicates`` (N, B) of each: best first, with its places and
    intervals, in ``columns``; and (N,) where each of its rows stood."""
    found = placed(table["score"].to_numpy(np.float64), replicates, _names(table, covariates), goal)
    table = table.iloc[found.best_first].reset_index(drop=True)
    table = table.assign(low=found.low, high=found.high, **_places(found))
    whole = {name: table[name].astype("Int64") for name in WHOLE}
    return table.assign(**whole)[list(columns(covariates))], found.best_first


def told_apart(table: pd.DataFrame) -> str:
    """One or two sentences that say which ranks can be told apart; empty if nothing is ranked."""
    tiers = table["tier"].dropna().to_numpy(dtype=np.int64)
    if not len(tiers):
        return ""
    first, number = int((tiers == 1).sum()), int(tiers[-1])
    if len(tiers) == 1:
        return "Only one candidate has a rank."
    if number == 1:
        return f"None of the {len(tiers):,} can be told apart from rank 1."
    start = "Rank 2 is below rank 1." if first == 1 else (
        f"{_down_to(first)} cannot be told apart from rank 1; rank {first + 1:,} is below it."
    )  # fmt: skip
    return f"{start} The {len(tiers):,} fall into {number:,} groups, each below the first of the group above it."


def without_score(table: pd.DataFrame, goal: Goal) -> str:
    """A sentence that says how many candidates have no score, and why; empty if all have one."""
    count = int(table["score"].isna().sum())
    if not count:
        return ""
    why = f": {goal.record.unscored}" if goal.record.unscored else ""
    verb = "has" if count == 1 else "have"
    return f"{count:,} of {counted(len(table), 'candidate')} {verb} no score, and so no rank{why}."


def contains_target(labels: Iterable[str], goal: Goal) -> np.ndarray:
    """(N,) whether each candidate has all perturbations of the goal's target, so that a near score is expected."""
    wanted = {part.name for part in goal.target.perturbations} if goal.target is not None else set()
    held = ({part.name for part in parse_perturbations(label)} for label in labels)
    return np.array([bool(wanted) and wanted <= names for names in held], dtype=bool)


def by_predicted_parts(table: pd.DataFrame, goal: Goal) -> np.ndarray:
    """(N,) whether a combination was scored against its parts as the model predicts them, since not all of them were
    measured alone."""
    scored, measured = (np.isfinite(table[name].to_numpy(np.float64)) for name in ("score", "magnitude"))
    found: np.ndarray = scored & ~measured & goal.record.share_of_sum
    return found


def matrix(rows: pa.Table, name: str) -> np.ndarray:
    """A list column as (N, width) of its own kind of number; NaN for a row whose list is empty."""
    lists = rows[name].combine_chunks()
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    values = pc.list_flatten(lists).to_numpy(zero_copy_only=False)
    width = int(lengths.max()) if len(lengths) else 0
    if not len(lengths) or lengths.min() == width:
        shaped: np.ndarray = values.reshape(len(lengths), width)
        return shaped
    filled = np.full((len(lengths), width), np.nan, dtype=values.dtype)
    filled[np.arange(width) < lengths[:, None]] = values
    return filled


def _down_to(rank: int) -> str:
    return "Rank 2" if rank == 2 else f"Ranks 2 to {rank:,}"


def _candidates(rows: pa.Table, order: ScreenOrder) -> pa.Table:
    return rows.filter(pa.array(_are_candidates(rows, order)))


def _are_candidates(rows: pa.Table, order: ScreenOrder) -> np.ndarray:
    """(rows,) bool: False for checked conditions that are not candidates."""
    everything, wanted = order.everything, set(order.candidates)
    return np.array([everything[position] in wanted for position in rows["position"].to_pylist()], dtype=bool)


def _names(table: pd.DataFrame, covariates: Sequence[str]) -> list[str]:
    """Perturbation, then context: what equal scores are ordered by."""
    return ["\0".join(row) for row in table[[PERTURBATION, *covariates]].itertuples(index=False)]


def _places(found: Placing) -> dict[str, pd.Series]:
    without = len(found.best_first) - found.ranked
    numbers = (np.arange(1, found.ranked + 1), found.rank_low, found.rank_high, found.tier)
    return {
        name: pd.Series([*number.tolist(), *[pd.NA] * without], dtype="Int64")
        for name, number in zip(PLACES, numbers, strict=True)
    }


def _spread(by_seed: np.ndarray) -> np.ndarray:
    """(N, seeds) to (N,)."""
    if by_seed.shape[1] < 2:
        return np.full(len(by_seed), np.nan)
    spread: np.ndarray = by_seed.std(axis=1, ddof=1, dtype=np.float64)
    return spread
