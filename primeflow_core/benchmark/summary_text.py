"""A benchmark in sentences: which model is best on which metric, whether PRiMeFlow is better than the baselines, and
whether its network earns its cost.

Better and worse are as standings.py has them. PRiMeFlow is the first of its recipes with guidance weight 1, chosen
before any score is seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.benchmark.display_names import PRIMEFLOW, PRIMEFLOW_PLUS, Entry, family, labels
from primeflow_core.benchmark.leaderboard import Figure, figure
from primeflow_core.benchmark.standings import Standings
from primeflow_core.evaluation.calibration import CALIBRATED
from primeflow_core.evaluation.metrics.registry import metric_named, ranked_metrics
from primeflow_core.evaluation.paired import FEWEST_CONDITIONS, MetricStanding, PairedDifference
from primeflow_core.models.baselines.registry import baselines_with_recipe
from primeflow_core.wording import counted

UNGUIDED = 1.0
WORDS = {
    MetricStanding.BETTER: "better on", MetricStanding.WORSE: "worse on", MetricStanding.EVEN: "not told apart on",
    MetricStanding.UNTOLD: "not told apart on", MetricStanding.UNKNOWN: "without a value for",
}  # fmt: skip
NOT_KNOWN = "What each metric can tell on these data is not known: an earlier version made this benchmark."


@dataclass(frozen=True)
class Duel:
    """One model against another by one metric; ``baseline`` is the other's name before people."""

    metric: str
    baseline: str
    difference: PairedDifference

    @property
    def outcome(self) -> MetricStanding:
        return self.difference.standing

    @property
    def size(self) -> str:
        """For instance ``by 0.0234``, in the unit of the metric; empty where nothing is told apart."""
        if self.outcome not in (MetricStanding.BETTER, MetricStanding.WORSE):
            return ""
        return f"by {Figure(round(abs(self.difference.gain), 9), np.nan).text}"


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


def duels(found: Standings, metrics: Sequence[str]) -> list[Duel]:
    """PRiMeFlow against each of ``compared_baselines`` that was scored, by every metric that takes part."""
    row = champion(found.table)
    if row is None:
        return []
    models = found.table["model"]
    others = [other for name in compared_baselines() for other in np.flatnonzero(models == name).tolist()]
    return [
        Duel(name, family(models.iloc[other]), found.against(row, other, name))
        for other in others
        for name in found.taking_part(metrics)
    ]


def closed_form_duels(found: Standings, metrics: Sequence[str]) -> list[Duel]:
    """PRiMeFlow against the best model with nothing to train, by every metric that takes part."""
    row = champion(found.table)
    if row is None:
        return []
    rivals = {name: found.first(found.closed_form, name) for name in found.taking_part(metrics)}
    return [
        Duel(name, family(found.table["model"].iloc[other]), found.against(row, other, name))
        for name, other in rivals.items()
        if other is not None
    ]


def mean_places(table: pd.DataFrame, metrics: Sequence[str] | None = None) -> pd.Series:
    """For each model, the mean of its places by the ranked metrics (1 is the best), or by those of them in ``metrics``.
    Ties share a place; a model without a value comes last."""
    places = {
        metric.name: table[metric.name].rank(ascending=not metric.larger_is_better, na_option="bottom")
        for metric in ranked_metrics()
        if metric.name in table and (metrics is None or metric.name in metrics)
    }
    return pd.DataFrame(places, index=table.index).mean(axis=1)


def verdict(found: Standings, metrics: Sequence[str]) -> list[str]:
    """Sentences with numbers: the best models, PRiMeFlow among them, whether its network earns its cost, PRiMeFlow
    against each baseline and the floor, which metrics take no part, and last when a model is called better."""
    entries: list[Entry] = list(zip(found.table["model"], found.table["guidance"], strict=True))
    named = labels(entries)
    row = champion(found.table)
    said = [_leaders(found.table, [named[entry] for entry in entries], found.taking_part(metrics))]
    if row is None:
        said.append(f"{PRIMEFLOW} is not among these models.")
    else:
        said += _of_primeflow(found, row, named[entries[row]], metrics)
    return [*filter(None, [*said, _silent(found, metrics)]), _rule(found)]


def _of_primeflow(found: Standings, row: int, name: str, metrics: Sequence[str]) -> list[str]:
    heard, against = found.taking_part(metrics), duels(found, metrics)
    baselines = dict.fromkeys(duel.baseline for duel in against)
    return [
        _among_the_best(found, row, name, heard),
        _cost(found, name, metrics),
        _calibrated(found, row, name, heard),
        *(_against(name, [duel for duel in against if duel.baseline == one]) for one in baselines),
        _below_floor(found, row, name, heard),
    ]


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
        return "No model has a value for any metric that can tell." if len(table) else ""
    told = "; ".join(f"{model} by {_listed(names)}" for model, names in won.items())
    if len(table) == 1:
        return f"The only model, {told}."
    guided = " and guidance weights" if table["model"].duplicated().any() else ""
    return f"Best mean of {len(table)} models{guided}: {told}."


def _among_the_best(found: Standings, row: int, name: str, metrics: Sequence[str]) -> str:
    if not metrics:
        return ""
    scored = [metric for metric in metrics if np.isfinite(found.table[metric].iloc[row])]
    first = [metric for metric in scored if row in _leaders_by(found.table, metric)]
    level = [metric for metric in scored if metric not in first and row in found.leading(metric)]
    if first:
        told = f"{name} has the best mean on {len(first)} of {counted(len(metrics), 'metric')}"
    else:
        told = f"{name} has the best mean on none of {counted(len(metrics), 'metric')}"
    beside = f", and is not told apart from the best on {_listed(map(word, level))}" if level else ""
    return f"{told}{beside}."


def _cost(found: Standings, name: str, metrics: Sequence[str]) -> str:
    """Whether a network that has to be trained is better than the best model that has not."""
    rivals = closed_form_duels(found, metrics)
    if not rivals:
        return ""
    if not found.enough_conditions:
        return (
            f"Whether {name} earns its cost cannot be told: {counted(found.conditions, 'condition')} "
            f"{'is' if found.conditions == 1 else 'are'} too few; {FEWEST_CONDITIONS} are needed."
        )
    won = [duel for duel in rivals if duel.outcome is MetricStanding.BETTER]
    rest = [duel for duel in rivals if duel.outcome is not MetricStanding.BETTER]
    if not won:
        return (
            f"{name} does not earn its cost here: it is better than the best model without training on none of "
            f"{counted(len(rivals), 'metric')}: {_rivals(rest)}."
        )
    told = f"{name} is better than the best model without training on {_rivals(won)}"
    return f"{told}." if not rest else f"{told}. It does not earn its cost on {_rivals(rest)}."


def _rivals(found: Sequence[Duel]) -> str:
    """For instance ``MMD GEX (Ridge, better by 0.0234)``."""
    return _listed(
        f"{word(duel.metric)} ({', '.join(filter(None, (duel.baseline, _outcome(duel))))})" for duel in found
    )


def _outcome(duel: Duel) -> str:
    if duel.outcome is MetricStanding.BETTER:
        return duel.size
    if duel.outcome is MetricStanding.WORSE:
        return f"worse {duel.size}"
    return duel.outcome.value


def _calibrated(found: Standings, row: int, name: str, metrics: Sequence[str]) -> str:
    scores = {metric: figure(found.table.iloc[row], f"{metric}{CALIBRATED}").mean for metric in metrics}
    told = [f"{score:.2f} on {word(metric)}" for metric, score in scores.items() if np.isfinite(score)]
    if not told:
        return ""
    return (
        f"Where typical perturbed cells are 0 and a repeat of the experiment with half of the cells is 1, {name} is at "
        f"{_listed(told)}."
    )


def _against(name: str, found: Sequence[Duel]) -> str:
    told: dict[str, list[str]] = {words: [] for words in WORDS.values()}
    for kind, words in WORDS.items():
        for duel in found:
            if duel.outcome is kind:
                told[words].append(f"{word(duel.metric)} ({duel.size})" if duel.size else word(duel.metric))
    parts = [f"{words} {_listed(names)}" for words, names in told.items() if names]
    return f"Against {_in_a_sentence(found[0].baseline)}, {name} is {'; '.join(parts)}."


def _below_floor(found: Standings, row: int, name: str, metrics: Sequence[str]) -> str:
    differences = {metric: found.against_floor(row, metric) for metric in metrics}
    lost = [metric for metric, one in differences.items() if one is not None and one.standing is MetricStanding.WORSE]
    if not lost:
        return ""
    return f"{name} is worse than control cells offered as the prediction (the floor) on {_listed(map(word, lost))}."


def _silent(found: Standings, metrics: Sequence[str]) -> str:
    """The metrics that take no part, and why."""
    if not found.calibrations:
        return NOT_KNOWN
    silent = [name for name in metrics if not found.can_tell(name)]
    if not silent:
        return ""
    listed = _listed(f"{word(name)} ({found.calibrations[name].brief.partition(': ')[2]})" for name in silent)
    return (
        f"Not used in these sentences: {listed}. In so many conditions, and by so many standard errors, a repeat of "
        "the experiment is better than typical perturbed cells; that is too little to tell a good prediction from one."
    )


def _rule(found: Standings) -> str:
    """When a model is called better than another."""
    if not found.enough_conditions:
        return (
            f"With {counted(found.conditions, 'condition')} no model is called better than another: "
            f"{FEWEST_CONDITIONS} conditions are needed to say how much conditions differ."
        )
    interval = "the 95 % interval of its difference over conditions (paired bootstrap) excludes 0"
    if found.table["seeds"].max() < 2:
        return (
            f"A model is called better than another where {interval}. Each model was trained once, so how much "
            "trainings differ is not known."
        )
    return (
        f"A model is called better than another where {interval} and the difference is larger than its standard "
        "deviation over trainings. All others are not told apart."
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
