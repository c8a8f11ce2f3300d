"""A benchmark in sentences: which model is best on which metric, and whether PRiMeFlow is better than the baselines.

A difference is counted in spreads: the standard deviation of the difference over trainings, sqrt(s_a² + s_b²). Models
less than one spread apart are not told apart. PRiMeFlow is the first of its recipes with guidance weight 1, chosen
before any score is seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.benchmark.display_names import PRIMEFLOW, PRIMEFLOW_PLUS, Entry, family, labels
from primeflow_core.benchmark.leaderboard import FLOOR, Figure, best, figure
from primeflow_core.evaluation.metrics.registry import metric_named, ranked_metrics
from primeflow_core.evaluation.paired import MetricStanding
from primeflow_core.models.baselines.registry import baselines_with_recipe
from primeflow_core.wording import counted

UNGUIDED = 1.0
MOST_SPREADS = 99.0


@dataclass(frozen=True)
class Duel:
    """One model against another by one metric; ``baseline`` is the other's name before people."""

    metric: str
    baseline: str
    own: Figure
    other: Figure

    @property
    def gain(self) -> float:
        """The lead of the first model, in the unit of the metric."""
        difference = self.own.mean - self.other.mean
        return difference if metric_named(self.metric).larger_is_better else -difference

    @property
    def spread(self) -> float:
        """The spread of the difference over trainings; NaN if either was trained once."""
        return float(np.hypot(self.own.spread, self.other.spread))

    @property
    def spreads(self) -> float | None:
        """The gain in spreads; None if no spread is known, or the trainings do not differ at all."""
        return self.gain / self.spread if np.isfinite(self.gain) and self.spread > 0 else None

    @property
    def outcome(self) -> MetricStanding:
        if not np.isfinite(self.gain):
            return MetricStanding.UNKNOWN
        once = np.isnan([self.own.spread, self.other.spread])
        if once.any() and not once.all():
            return MetricStanding.EVEN
        if abs(self.gain) <= (0.0 if once.all() else self.spread):
            return MetricStanding.EVEN
        return MetricStanding.BETTER if self.gain > 0 else MetricStanding.WORSE


def champion(table: pd.DataFrame) -> int | None:
    """The row of PRiMeFlow-plus, or where there is none of PRiMeFlow: its first recipe, with guidance weight 1 if there
    is one."""
    families = table["model"].map(family)
    own = table[families == (PRIMEFLOW_PLUS if (families == PRIMEFLOW_PLUS).any() else PRIMEFLOW)]
    unguided = own[own["guidance"] == UNGUIDED]
    return next(iter([*unguided.index, *own.index]), None)


def compared_baselines() -> list[str]:
    """The recipes of the baselines that PRiMeFlow is held against; the floor stands for control cells."""
    return [baseline.recipe for baseline in baselines_with_recipe() if not baseline.is_floor]


def duels(table: pd.DataFrame, metrics: Sequence[str]) -> list[Duel]:
    """PRiMeFlow against each of ``compared_baselines`` that was scored, by every metric."""
    row = champion(table)
    if row is None:
        return []
    others = [other for name in compared_baselines() for _, other in table[table["model"] == name].iterrows()]
    own = table.iloc[row]
    return [
        Duel(name, family(other["model"]), figure(own, name), figure(other, name))
        for other in others
        for name in metrics
    ]


def mean_places(table: pd.DataFrame) -> pd.Series:
    """For each model, the mean of its places by the ranked metrics (1 is the best). Ties share a place; a model without
    a value comes last."""
    places = {
        metric.name: table[metric.name].rank(ascending=not metric.larger_is_better, na_option="bottom")
        for metric in ranked_metrics()
        if metric.name in table
    }
    return pd.DataFrame(places, index=table.index).mean(axis=1)


def verdict(table: pd.DataFrame, bounds: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Sentences with numbers: the best models, PRiMeFlow among them, against each baseline, against the floor, and how
    much trainings differ. ``table`` has the models of a leaderboard, ``bounds`` its floor and ceiling."""
    entries: list[Entry] = list(zip(table["model"], table["guidance"], strict=True))
    named = labels(entries)
    said = [_leaders(table, [named[entry] for entry in entries], metrics)]
    row = champion(table)
    if row is None:
        return [*said, f"{PRIMEFLOW} is not among these models.", _spread_told(table)]
    name = named[entries[row]]
    said.append(_among_the_best(table, row, name, metrics))
    found = duels(table, metrics)
    said += [_against(name, [duel for duel in found if duel.baseline == baseline]) for baseline in _baselines(found)]
    said.append(_below_floor(table.iloc[row], bounds, name, metrics))
    return [*filter(None, said), _spread_told(table)]


def _baselines(found: Iterable[Duel]) -> list[str]:
    return list(dict.fromkeys(duel.baseline for duel in found))


def _leaders_by(table: pd.DataFrame, metric: str) -> list[int]:
    """The row of the best model, and of all exactly as good."""
    values = table[metric].dropna()
    first = values.max() if metric_named(metric).larger_is_better else values.min()
    return [int(row) for row in values.index[values == first]]


def _leaders(table: pd.DataFrame, named: Sequence[str], metrics: Sequence[str]) -> str:
    won: dict[str, list[str]] = {}
    for metric in metrics:
        rows = _leaders_by(table, metric)
        if rows:
            reached = Figure(float(table[metric].iloc[rows[0]]), np.nan)
            won.setdefault(_listed(named[row] for row in rows), []).append(f"{word(metric)} ({reached.text})")
    if not won:
        return "No model has a value for any metric."
    told = "; ".join(f"{model} by {_listed(names)}" for model, names in won.items())
    if len(table) == 1:
        return f"The only model, {told}."
    guided = " and guidance weights" if table["model"].duplicated().any() else ""
    return f"Best of {len(table)} models{guided}: {told}."


def _among_the_best(table: pd.DataFrame, row: int, name: str, metrics: Sequence[str]) -> str:
    scored = [metric for metric in metrics if np.isfinite(table[metric].iloc[row])]
    first = [metric for metric in scored if row in _leaders_by(table, metric)]
    level = [metric for metric in scored if metric not in first and row in best(table, metric)]
    if first:
        told = f"{name} is best on {len(first)} of {len(metrics)} metrics"
    else:
        told = f"{name} is best on none of the {counted(len(metrics), 'metric')}"
    beside = f", and within one standard deviation of the best on {_listed(map(word, level))}" if level else ""
    return f"{told}{beside}."


def _against(name: str, found: Sequence[Duel]) -> str:
    """The first number has a unit; the others have the same one."""
    words: Mapping[MetricStanding, str] = {
        MetricStanding.BETTER: "better on", MetricStanding.WORSE: "worse on", MetricStanding.EVEN: "not told apart on",
        MetricStanding.UNKNOWN: "without a value for", MetricStanding.UNTOLD: "not told apart on",
    }  # fmt: skip
    told, unit = [], " times as much as trainings differ"
    for kind in MetricStanding:
        names = []
        for duel in (duel for duel in found if duel.outcome is kind):
            size = "" if kind in (MetricStanding.EVEN, MetricStanding.UNKNOWN) else _size(duel)
            names.append(f"{word(duel.metric)} ({'by ' if unit else ''}{size}{unit})" if size else word(duel.metric))
            unit = "" if size else unit
        told += [f"{words[kind]} {_listed(names)}"] if names else []
    return f"Against {_in_a_sentence(found[0].baseline)}, {name} is {'; '.join(told)}."


def _size(duel: Duel) -> str:
    """The gain or loss in spreads; empty if no spread is known."""
    if duel.spreads is None:
        return ""
    size = abs(duel.spreads)
    return f"{size:.1f}" if size < MOST_SPREADS else f"over {MOST_SPREADS:.0f}"


def _below_floor(row: pd.Series, bounds: pd.DataFrame, name: str, metrics: Sequence[str]) -> str:
    found = bounds[bounds["model"] == FLOOR]
    if found.empty:
        return ""
    floor = found.iloc[0]
    against_it = [
        # The floor is the same in every training, so its spread is 0 where a spread is known.
        Duel(metric, FLOOR, figure(row, metric), Figure(float(floor[metric]), 0.0 * figure(row, metric).spread))
        for metric in metrics
        if metric in floor
    ]
    lost = [duel.metric for duel in against_it if duel.outcome is MetricStanding.WORSE]
    if not lost:
        return ""
    return f"{name} is worse than control cells offered as the prediction (the floor) on {_listed(map(word, lost))}."


def _spread_told(table: pd.DataFrame) -> str:
    if table["seeds"].max() < 2:
        return "Each model was trained once. How much trainings differ is not known, so small differences mean nothing."
    return (
        "How much trainings differ is the standard deviation of the difference over trainings. Models whose difference "
        "is smaller are not told apart."
    )


def title(metric: str) -> str:
    """The display name of the metric."""
    return metric_named(metric).label


def word(metric: str) -> str:
    """The name of the metric within a sentence."""
    return metric_named(metric).word


def _in_a_sentence(baseline: str) -> str:
    return baseline if baseline != "Sum of single effects" else "the sum of single effects"


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
