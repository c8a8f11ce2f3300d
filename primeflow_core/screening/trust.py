"""Measures how far a ranking can be trusted: the same goal on held-out conditions, ranked by the model, by the
baselines and by the experiment.

Measured scores are relative to controls that training did not use, all others to training controls (comparison.py).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.bootstrap import interval
from primeflow_core.model_store.available_conditions import Covariates
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_agreement import GoalScores, rank_agreement
from primeflow_core.screening.rank_uncertainty import goodness
from primeflow_core.screening.ranking import matrix
from primeflow_core.screening.screen_spec import ScreenOrder
from primeflow_core.screening.trust_row import TrustRow
from primeflow_core.screening.trust_text import label_of, sentences

if TYPE_CHECKING:
    from primeflow_core.models.baselines.baseline import FittedBaseline
    from primeflow_core.models.baselines.condition_scores import FittedBaselines
    from primeflow_core.screening.reference_cells import Reference
    from primeflow_core.screening.scoring import GoalScore, Scorer

FEWEST = 3
REPLICATES = 1000
MODEL = "model"


@dataclass(frozen=True)
class Checked:
    """One held-out condition: its measured score and its predicted score, in the unit of the goal."""

    perturbation: str
    context: str
    measured: float
    predicted: float


@dataclass(frozen=True)
class Trust:
    """``rows``: the model's, then those of the baselines; ``refused``: labels of those that score too few conditions.

    ``what``: what was held out, in the plural. ``simulated``: the experiment is simulated, and sentences say so.
    """

    goal: Goal
    what: str
    simulated: bool
    rows: tuple[TrustRow, ...]
    refused: tuple[str, ...]
    checked: tuple[Checked, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """What to print above a ranking: plain sentences, the model's first."""
        return sentences(self.rows, self.what, self.refused, simulated=self.simulated)

    def table(self) -> pd.DataFrame:
        """One row a ranking, with the fields of TrustRow as columns."""
        return pd.DataFrame([asdict(row) for row in self.rows])

    def scores(self) -> pd.DataFrame:
        """One row a held-out condition, best measured first: perturbation, context, measured, predicted."""
        table = pd.DataFrame([asdict(each) for each in self.checked])
        order = np.lexsort((table["perturbation"], -goodness(table["measured"].to_numpy(), self.goal)))
        return table.iloc[order].reset_index(drop=True)

    def to_json(self) -> dict[str, Any]:
        rows, checked = ([_plain(each) for each in several] for several in (self.rows, self.checked))
        said = {"what": self.what, "simulated": self.simulated, "refused": list(self.refused)}
        return {**said, "goal": self.goal.to_json(), "rows": rows, "checked": checked}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Trust":
        """Raises KeyError, TypeError or ValueError for anything but what ``to_json`` gives."""
        rows = tuple(TrustRow(**_numbers(row)) for row in data["rows"])
        checked = tuple(Checked(**_numbers(each)) for each in data["checked"])
        if not rows:
            raise ValueError("there is no row of the model")
        goal, refused = Goal.from_json(data["goal"]), tuple(data["refused"])
        return Trust(goal, data["what"], data["simulated"], rows, refused, checked)


def trust_of(
    rows: pa.Table,
    order: ScreenOrder,
    reference: "Reference",
    measured: Mapping[Condition, np.ndarray],
    held_out_controls: Mapping[Covariates, np.ndarray],
    baselines: "FittedBaselines | None",
    scorer: "Scorer",
    *,
    simulated: bool = False,
) -> Trust | None:
    """Of the checked conditions among ``rows`` (screening.rows) that ``measured`` has cells (m, G) of.

    ``held_out_controls``: (k, G) of each context, which training did not use. Baselines make as many cells as the
    model, fewer where they would have to repeat one, and are scored like it; a baseline that scores fewer than 3
    conditions is omitted. None for fewer than 3 conditions that the experiment and the model both have a score of.
    """
    at = _places(rows, order, measured)
    judge = _GoalScorer(scorer, order, reference)
    truth = judge.of_cells({condition: measured[condition] for condition in at}, held_out_controls)
    model = judge.of_rows(rows, list(at.values()))
    known = np.isfinite(truth.value) & np.isfinite(model.value)
    if known.sum() < FEWEST:
        return None
    conditions = [condition for condition, kept in zip(at, known, strict=True) if kept]
    truth, model = truth.of(known), model.of(known)
    sides = {name: judge.of_baseline(baseline, conditions) for name, baseline in (baselines or {}).items()}
    told = {name: side for name, side in sides.items() if np.isfinite(side.value).sum() >= FEWEST}
    return Trust(
        order.goal,
        _plural(conditions),
        simulated,
        tuple(_row(name, truth, model, side) for name, side in {MODEL: model, **told}.items()),
        tuple(label_of(name) for name in sides if name not in told),
        tuple(
            Checked(condition.label, condition.context, *scores)
            for condition, *scores in zip(conditions, truth.value.tolist(), model.value.tolist(), strict=True)
        ),
    )


@dataclass(frozen=True)
class _GoalScorer:
    """Scores conditions by the goal of ``order``."""

    scorer: "Scorer"
    order: ScreenOrder
    reference: "Reference"

    def of_rows(self, rows: pa.Table, at: Sequence[int]) -> GoalScores:
        return GoalScores(self.order.goal, rows["score"].to_numpy()[at], matrix(rows, "replicates")[at])

    def of_cells(self, cells: Mapping[Condition, np.ndarray], controls: Mapping[Covariates, np.ndarray]) -> GoalScores:
        return self._side([self._scored(c, found, controls[c.covariates]) for c, found in cells.items()])

    def of_baseline(self, baseline: "FittedBaseline", conditions: Sequence[Condition]) -> GoalScores:
        return self._side([self._baselines(baseline, condition) for condition in conditions])

    def _baselines(self, baseline: "FittedBaseline", condition: Condition) -> "GoalScore | None":
        cells = self.order.cells * len(self.order.seeds)
        try:
            made = baseline.predict(condition, min(cells, baseline.distinct(condition)), self.order.seeds[0])
        except (ConditionError, DataError):
            return None
        return self._scored(condition, made, self.reference.controls(condition.covariates))

    def _scored(self, condition: Condition, cells: np.ndarray, controls: np.ndarray) -> "GoalScore | None":
        try:
            return self.scorer.score(condition, [cells], controls)
        except DataError:
            return None

    def _side(self, scored: "Sequence[GoalScore | None]") -> GoalScores:
        """NaN for a condition without a score."""
        value = np.array([np.nan if each is None else each.score for each in scored])
        drawn = np.full((len(scored), self.order.resamples), np.nan)
        for row, each in zip(drawn, scored, strict=True):
            if each is not None and len(each.replicates) == len(row):
                row[:] = each.replicates
        return GoalScores(self.order.goal, value, drawn)


def _places(rows: pa.Table, order: ScreenOrder, measured: Mapping[Condition, np.ndarray]) -> dict[Condition, int]:
    """Of each checked condition that is among ``rows`` and was measured, the row; in the order's order."""
    row_of = {position: row for row, position in enumerate(rows["position"].to_pylist())}
    everything = enumerate(order.everything)
    checked = set(order.checked)
    return {c: row_of[i] for i, c in everything if c in checked and i in row_of and c in measured}


def _row(name: str, truth: GoalScores, model: GoalScores, side: GoalScores) -> TrustRow:
    known = np.isfinite(side.value)
    truth, model, side = truth.of(known), model.of(known), side.of(known)
    picks = np.random.default_rng(0).integers(len(truth.value), size=(REPLICATES, len(truth.value)))
    found, models = (rank_agreement(truth, each, picks) for each in (side, model))
    lead = models.spearman - found.spearman
    lead_low, lead_high = interval(lead, models.drawn - found.drawn)
    return TrustRow(
        name=name,
        label=label_of(name),
        conditions=found.conditions,
        spearman=found.spearman,
        low=found.low,
        high=found.high,
        hits=found.hits,
        best=found.best,
        hits_low=found.hits_low,
        hits_high=found.hits_high,
        chance=found.best**2 / found.conditions,
        p=found.p,
        lead=lead,
        lead_low=lead_low,
        lead_high=lead_high,
    )


def _plural(conditions: Sequence[Condition]) -> str:
    sizes = {len(condition.perturbations) > 1 for condition in conditions}
    return "conditions" if len(sizes) > 1 else "combinations" if True in sizes else "perturbations"


def _plain(row: TrustRow | Checked) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(row).items()
    }


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in row.items()}
