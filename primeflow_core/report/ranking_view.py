"""A ranking as people read it: its table, its units, and what of it was measured."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from primeflow_core.data.conditions import Condition
from primeflow_core.model_store.available_conditions import Standing
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.ranking import by_predicted_parts, contains_target
from primeflow_core.screening.screen_file import Screen
from primeflow_core.wording import counted

MEASURED = (Standing.TRAINED, Standing.HELD_OUT)


@dataclass(frozen=True)
class RankingView:
    """The ranking of the first ``done`` of ``total`` ``candidates`` by a model; ``noun``: what they are, in the plural.

    ``plan``: how their cells were made; None where nothing was.
    """

    model: Model
    screen: Screen
    done: int
    total: int
    noun: str
    candidates: tuple[Condition, ...]
    plan: SamplingPlan | None

    @property
    def table(self) -> pd.DataFrame:
        return self.screen.table

    @property
    def goal(self) -> Goal:
        return self.screen.goal

    @property
    def is_whole(self) -> bool:
        return self.done == self.total

    @property
    def simulated(self) -> bool:
        return bool(self.screen.about["simulated"])

    @property
    def truth(self) -> str:
        """``simulated`` or ``measured``, so that simulated cells are never called measured."""
        return "simulated" if self.simulated else "measured"

    @property
    def unit(self) -> str:
        return self.goal.record.unit

    @property
    def axis(self) -> str:
        """The unit of the score with the scale of the expression behind it; shares and cosines have none."""
        return f"{self.unit} (log-normalised)" if self.goal.record.log_scale else self.unit

    def number(self, value: float) -> str:
        """A score as text, with as many decimals for all of them and a true minus."""
        most = np.abs(self.table["score"].to_numpy(np.float64))
        decimals = 2 if most[np.isfinite(most)].max(initial=0.0) >= 1 else 3
        return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")

    def counted(self, count: int) -> str:
        """For instance ``153 pairs`` or ``1 pair``."""
        return counted(count, self.noun.removesuffix("s"))

    @cached_property
    def contexts(self) -> pd.Series:
        """(N,) the context of each row, for instance ``k562``."""
        columns = self.screen.covariates
        rows = self.table[list(columns)].itertuples(index=False, name=None)
        found = [Condition((), tuple(zip(columns, map(str, row), strict=True))).context for row in rows]
        return pd.Series(found, index=self.table.index, dtype=object)

    @property
    def many_contexts(self) -> bool:
        return self.contexts.nunique() > 1

    @property
    def named(self) -> pd.DataFrame:
        """The table; where there are several contexts, with the context in the names of the candidates."""
        if not self.many_contexts:
            return self.table
        names = self.table["perturbation"] + " in " + self.contexts
        return self.table.assign(perturbation=names)

    @property
    def first(self) -> Condition | None:
        """The candidate that stands first; None where the candidates are not known."""
        wanted = str(self.table.iloc[0]["perturbation"]), self.contexts.iloc[0]
        return next((one for one in self.candidates if (one.label, one.context) == wanted), None)

    @property
    def measured(self) -> pd.Series:
        """(N,) whether a candidate was measured, in training or held out."""
        return self.table["standing"].isin([str(one) for one in MEASURED])

    @property
    def truths(self) -> pd.Series:
        """(N,) the measured scores of candidates that were held out and checked, NaN for the others."""
        checked = () if self.screen.trust is None else self.screen.trust.checked
        known = {(one.perturbation, one.context): one.measured for one in checked}
        rows = zip(self.table["perturbation"], self.contexts, strict=True)
        return pd.Series([known.get(row, np.nan) for row in rows], index=self.table.index, dtype=np.float64)

    @property
    def parts(self) -> pd.Series:
        """(N,) whether the parts that a combination's score is a share of were measured alone, or predicted for want of
        one of them; None without a score, and for other goals."""
        predicted = by_predicted_parts(self.table, self.goal)
        told = ["predicted" if each else self.truth for each in predicted]
        known = self.table["score"].notna() & self.goal.record.share_of_sum
        found = [one if scored else None for one, scored in zip(told, known, strict=True)]
        return pd.Series(found, index=self.table.index, dtype=object)

    @property
    def containing(self) -> pd.Series:
        """(N,) whether a candidate has every perturbation of the target, so that a near score is expected."""
        return pd.Series(contains_target(self.table["perturbation"], self.goal), index=self.table.index)

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """The candidates by label; of several contexts, those of one."""
        return {condition.label: condition for condition in self.candidates}
