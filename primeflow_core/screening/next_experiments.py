"""Selects the next experiments: candidates that are promising, uncertain and different from each other.

Chosen one after the other, each the largest promising (1 + uncertain) different that is left. promising: share of the
others whose interval has a worse better end. uncertain: the same of the width of the interval and of how far the sum
of single effects disagrees, averaged. different: the smallest angle between its log2 changes and those
of one already chosen, 1 for a right angle and more, or without changes 1 - the largest share of perturbations in
common. It is a factor: the most promising candidates often share one strong part: many times the same experiment.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from primeflow_core.data.conditions import parse_perturbations
from primeflow_core.evaluation.profiles import cosines
from primeflow_core.model_store.available_conditions import Standing
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_uncertainty import goodness

LOOKED_AT, FOR_EACH = 300, 10
RULE = (
    "Of the unmeasured candidates that could be best (a quarter, ten for each place at least, 300 at most) the next "
    "one always has the largest promising × (1 + uncertain) × different: promising by the better end of its interval, "
    "uncertain by its width and the disagreement with the sum of single effects, different by how unlike it is to "
    "those already on the list."
)
ALREADY = (str(Standing.TRAINED), str(Standing.HELD_OUT))
REASONS = ("promising", "uncertain", "different")
FACTS = ("score", "low", "high", "sum_score")
Difference = Callable[[int], np.ndarray]
"""The difference of all candidates from one of them, (n,), 0 to 1."""


def columns(covariates: Sequence[str]) -> tuple[str, ...]:
    """The columns of the list, in their order."""
    return ("place", "perturbation", *covariates, *FACTS, *REASONS, "why")


def next_experiments(table: pd.DataFrame, changes: np.ndarray, k: int, goal: Goal) -> pd.DataFrame:
    """At most ``k`` unmeasured candidates of a ranking, with ``columns`` of its covariates; the last column a sentence.

    ``changes``: (N, G) log2 changes of the table's rows, or (0, any) where they were not kept. promising, uncertain and
    different go from 0 to 1.
    """
    covariates = list(table.columns[list(table).index("perturbation") + 1 : list(table).index("standing")])
    pool, hope = _pool(table, goal, k)
    found = table.loc[pool, ["perturbation", *covariates, *FACTS]].reset_index(drop=True)
    promising, uncertain = _share(hope), _uncertain(found)
    difference = _of_changes(changes[pool].astype(np.float64)) if len(changes) else _of_parts(found["perturbation"])
    chosen, different = _greedy(promising, uncertain, difference, min(k, len(found)))
    found = found.iloc[chosen].reset_index(drop=True)
    reasons = dict(zip(REASONS, (promising[chosen], uncertain[chosen], different), strict=True))
    found = found.assign(place=np.arange(1, len(found) + 1), **reasons)
    whys = [_why(row, others=len(pool) - 1, by_changes=len(changes) > 0) for row in found.to_dict("records")]
    return found.assign(why=pd.Series(whys, dtype=object))[list(columns(covariates))]


def _pool(table: pd.DataFrame, goal: Goal, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the unmeasured candidates looked at, and (pool,) the better end of the interval of each."""
    ends = goodness(table[["score", "low", "high"]].to_numpy(np.float64), goal)
    hope = np.where(np.isfinite(ends[:, 0]), np.fmax.reduce(ends, axis=1), np.nan)
    open_rows = np.flatnonzero(~table["standing"].isin(ALREADY).to_numpy() & np.isfinite(hope))
    count = min(LOOKED_AT, max(FOR_EACH * k, len(open_rows) // 4))
    best = np.argsort(-hope[open_rows], kind="stable")[:count]
    pool: np.ndarray = open_rows[best]
    return pool, hope[pool]


def _uncertain(found: pd.DataFrame) -> np.ndarray:
    """A candidate without interval is as uncertain as any; one without a sum is judged by its interval alone."""
    width = (found["high"] - found["low"]).fillna(np.inf).to_numpy()
    apart = (found["score"] - found["sum_score"]).abs().to_numpy()
    known = np.isfinite(apart)
    by_width, by_sum = _share(width), np.zeros(len(found))
    by_sum[known] = _share(apart[known])
    uncertain: np.ndarray = np.where(known, (by_width + by_sum) / 2, by_width)
    return uncertain


def _share(values: np.ndarray) -> np.ndarray:
    """(n,) of the others, how many are smaller; equal ones count half. 1 for the only one."""
    from scipy.stats import rankdata

    share: np.ndarray = (rankdata(values) - 1) / (len(values) - 1) if len(values) > 1 else np.ones(len(values))
    return share


def _of_changes(changes: np.ndarray) -> Difference:
    return lambda i: _angle(np.nan_to_num(cosines(changes, changes[i : i + 1])[:, 0]))


def _angle(cosine: np.ndarray) -> np.ndarray:
    """The angle as a share of a right angle."""
    angle: np.ndarray = np.arccos(np.clip(cosine, 0.0, 1.0)) / (np.pi / 2)
    return angle


def _of_parts(labels: Iterable[str]) -> Difference:
    """Perturbations that are not shared, as a share of those of the larger combination."""
    names = [{part.name for part in parse_perturbations(label)} for label in labels]
    return lambda i: np.array([1 - len(names[i] & other) / max(len(names[i]), len(other)) for other in names])


def _greedy(
    promising: np.ndarray, uncertain: np.ndarray, difference: Difference, count: int
) -> tuple[list[int], np.ndarray]:
    """Places of those chosen, and (count,) how different each was from those before it; of equals the first."""
    chosen: list[int] = []
    different = np.ones(len(promising))
    when_chosen = []
    for _ in range(count):
        worth = promising * (1 + uncertain) * different
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
        when_chosen.append(different[chosen[-1]])
        different = np.minimum(different, difference(chosen[-1]))
    return chosen, np.array(when_chosen)


def _promise(promising: float, others: int) -> str:
    if not others:
        return "The only remaining candidate"
    share = f"{100 * promising:.0f}"
    return (
        "Least promising of those considered"
        if share == "0"
        else f"May be better than {share} % of the others considered"
    )


def _why(row: Mapping[Hashable, Any], *, others: int, by_changes: bool) -> str:
    said = [_promise(row["promising"], others)]
    if np.isfinite(row["sum_score"]):
        said.append(f"the sum of single effects says {row['sum_score']:.3g}, the model {row['score']:.3g}")
    elif np.isfinite(row["low"]):
        said.append(f"its interval goes from {row['low']:.3g} to {row['high']:.3g}")
    if row["place"] > 1:
        said.append(_unlike(row["different"], by_changes))
    return "; ".join(said) + "."


def _unlike(different: float, by_changes: bool) -> str:
    if by_changes:
        return f"cosine of its changes with those above {np.cos(different * np.pi / 2):.2f} at most"
    return "shares no perturbation with those above" if different == 1 else "shares a perturbation with one above"
