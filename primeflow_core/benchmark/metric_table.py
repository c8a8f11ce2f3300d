"""What each metric of a benchmark can tell on its data, as a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from primeflow_core.benchmark.leaderboard import Figure
from primeflow_core.benchmark.standings import Standings
from primeflow_core.evaluation.metrics.registry import metric_named

COLUMNS = ("Metric", "Typical perturbed cells", "Repeat of the experiment", "Repeat is better in", "Standard errors",
           "Takes part")  # fmt: skip
EXPLAINED = (
    "What each metric can tell on these data. Typical perturbed cells: random training cells of other perturbations "
    "(their mean where a metric compares means). Repeat of the experiment: one half of the measured cells against the "
    "other half, each with its own half of the control cells. A metric takes part in comparisons if the repeat is "
    "better by 2 standard errors over conditions."
)


def metric_table(found: Standings, metrics: Sequence[str]) -> pd.DataFrame:
    """A row for each metric that was calibrated, in words and figures; empty for a benchmark of an earlier version."""
    rows = [
        (
            f"{metric_named(name).label} {metric_named(name).arrow}", Figure(one.baseline, np.nan).text,
            Figure(one.replicate, np.nan).text, f"{one.won} of {one.conditions}",
            f"{one.standard_errors:.1f}" if np.isfinite(one.standard_errors) else "-",
            "yes" if one.can_tell else "no, cannot tell",
        )
        for name in metrics
        if (one := found.calibrations.get(name)) is not None
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def metric_markdown(found: Standings, metrics: Sequence[str]) -> str:
    """The table with its explanation; empty without rows."""
    table = metric_table(found, metrics)
    if table.empty:
        return ""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return f"{EXPLAINED}\n\n" + "\n".join(lines) + "\n"
