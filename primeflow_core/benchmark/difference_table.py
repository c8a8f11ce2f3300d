"""PRiMeFlow against the baselines and the best model without training, metric by metric, in figures."""

from collections.abc import Sequence

import pandas as pd

from primeflow_core.benchmark.standings import Standings
from primeflow_core.benchmark.summary_text import closed_form_duels, duels
from primeflow_core.evaluation.metrics.registry import metric_named

COLUMNS = ("Metric", "Against", "Better by", "95 % interval over conditions", "Spread over trainings", "So it is")
EXPLAINED = (
    "How much better PRiMeFlow is, in the unit of the metric; below 0 it is worse. The interval draws the conditions "
    "again (paired bootstrap), the spread is the standard deviation of the difference over trainings."
)


def difference_table(found: Standings, metrics: Sequence[str]) -> pd.DataFrame:
    """A row for each comparison of the summary; empty without PRiMeFlow or without a baseline."""
    compared = {
        (duel.metric, duel.baseline): duel for duel in (*duels(found, metrics), *closed_form_duels(found, metrics))
    }
    rows = [
        (
            metric_named(metric).label, baseline, f"{duel.difference.gain:.4f}",
            f"{duel.difference.low:.4f} to {duel.difference.high:.4f}" if found.enough_conditions else "too few",
            "one training" if duel.difference.trained_once else f"{duel.difference.spread:.4f}", duel.outcome.value,
        )
        for (metric, baseline), duel in sorted(compared.items(), key=lambda one: metrics.index(one[0][0]))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))
