"""The context of a worker: the model, loaded once, and the cells that predicted effects are relative to.

Cells are predicted, summarised in one row and discarded. A row is a function of its condition and the order alone: it
does not depend on the shard or the worker.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import CheckpointError, DataError, PrimeflowError
from primeflow_core.evaluation.bootstrap import interval
from primeflow_core.evaluation.effect_products import log_variance
from primeflow_core.evaluation.response import ComparedCells, up_and_down
from primeflow_core.models import checkpoint as model_folder
from primeflow_core.runtime.json_text import read_text
from primeflow_core.screening.effect_products import AgainstParts, sizes
from primeflow_core.screening.reference_cells import Reference
from primeflow_core.screening.scoring import GoalScore, Scorer
from primeflow_core.screening.screen_spec import ScreenOrder, weights_of
from primeflow_core.screening.shard_schema import schema
from primeflow_core.screening.shards import ORDER, REFERENCE
from primeflow_core.screening.subject import Subject

if TYPE_CHECKING:
    from primeflow_core.models.predictor import Predictor

Row = dict[str, object]
NAN = float("nan")
SUM_SEED = 0
NOT_NEGATIVE = (0.0, np.inf)


class WorkerContext:
    """Screens conditions of ``order`` with a loaded model; caches what they share: parts and controls.

    Memory grows with the number of different parts, not with that of candidates.
    """

    def __init__(self, order: ScreenOrder, predictor: "Predictor", reference: Reference) -> None:
        """Raises SettingError and DataError for a goal that model and reference do not serve."""
        if reference.cells.genes != predictor.genes:
            raise DataError("The cells that scores are relative to have other genes than the model. Screen again.")
        self._order = order
        self._everything = order.everything
        self._predictor = predictor
        self._reference = reference
        self._scorer = Scorer(predictor.genes, order.goal, reference, order.resamples, self._alone)

    @staticmethod
    def opened(folder: Path, model: Path) -> "WorkerContext":
        """The context of the screen in ``folder`` with the model in the folder ``model``.

        Raises CheckpointError where the model is not the one of the order, DataError where the folder is damaged.
        """
        order = _read_order(folder / ORDER)
        reference = Reference.read(folder / REFERENCE)
        if reference.sha256 != order.reference:
            raise DataError(f"{folder / REFERENCE} is not what this screen began with. Delete {folder}, screen again.")
        predictor = model_folder.load(model)
        if weights_of(model) != order.weights:
            raise CheckpointError(
                f"{model} does not hold the weights that this screen began with: the model was trained further or is "
                f"another. Name the model {order.model} as it was, or delete {folder} and screen again."
            )
        return WorkerContext(order, predictor, reference)

    def screened(self, positions: Iterable[int], checkpoint: Callable[[], None] = lambda: None) -> pa.Table:
        """Rows, as ``rows.schema`` says, of the conditions at these positions of ``order.everything``.

        ``checkpoint`` is called before each condition; what it raises ends the work. Raises ConditionError for a
        condition that the model cannot predict, DataError for a context without controls.
        """
        kept = schema([column for column, _ in self._predictor.vocabulary.covariates])
        columns: dict[str, list[object]] = {name: [] for name in kept.names}
        for position in positions:
            checkpoint()
            row = self._row(position)
            for name, values in columns.items():
                values.append(row[name])
        return pa.Table.from_pydict(columns, schema=kept)

    def _row(self, position: int) -> Row:
        condition = self._everything[position]
        controls = self._reference.controls(condition.covariates)
        subject = self._scorer.subject(condition, self._predicted(condition, self._order.seeds), controls)
        scored = self._scorer.scored(subject)
        return {
            "position": position,
            "perturbation": condition.label,
            **dict(condition.covariates),
            "score": scored.score,
            "replicates": scored.replicates,
            "by_seed": np.array(scored.by_seed, dtype=np.float32),
            "sum_score": self._sum_score(condition, controls, scored),
            **self._response(subject),
            **self._interactions(subject),
        }

    def _predicted(self, condition: Condition, seeds: Sequence[int]) -> list[np.ndarray]:
        plans = (replace(self._order.plan, seed=seed) for seed in seeds)
        return [self._predictor.predict(condition, self._order.cells, plan) for plan in plans]

    def _alone(self, condition: Condition) -> list[np.ndarray]:
        """One perturbation, or none, from its own noise; otherwise it would share that of the combination."""
        known = self._predictor.vocabulary.perturbations
        place = 0 if condition.is_control else 1 + known.index(condition.perturbations[0].name)
        return self._predicted(condition, [_own_seed(seed, place) for seed in self._order.seeds])

    def _sum_score(self, condition: Condition, controls: np.ndarray, scored: GoalScore) -> float:
        """The magnitude of a combination is given as a share of the sum, whose own magnitude is 1."""
        if self._order.goal.record.share_of_sum:
            return 1.0 if np.isfinite(scored.score) else NAN
        cells = self._reference.sum_cells(condition, len(controls), SUM_SEED)
        return NAN if cells is None else self._scorer.value(condition, cells, controls)

    def _response(self, subject: Subject) -> Row:
        """Size of the response, how many genes move, and by how much each."""
        one, control = subject.cells, subject.controls
        lengths = sizes(one, control)
        low, high = interval(float(lengths[0]), lengths[1 : len(one.log_means)], NOT_NEGATIVE)
        up, down = up_and_down(
            ComparedCells(np.concatenate(subject.by_seed), self._reference.controls(subject.condition.covariates))
        )
        return {
            "size": float(lengths[0]),
            "size_low": low,
            "size_high": high,
            "genes_up": up,
            "genes_down": down,
            "change": (one.log_means[0] - control.log_means[0]).astype(np.float32),
            "change_error": np.sqrt(log_variance(one.profile) + log_variance(control.profile)).astype(np.float32),
        }

    def _interactions(self, subject: Subject) -> Row:
        measured, predicted = self._scorer.against_measured(subject), self._scorer.against_predicted(subject)
        return {**_measured_facts(measured), **_predicted_facts(predicted)}


def _measured_facts(found: AgainstParts | None) -> Row:
    if found is None:
        names = ("share", "magnitude", "magnitude_low", "magnitude_high", "direction", "dominance", "explained")
        return {"interaction": "", "dominant": "", **dict.fromkeys(names, NAN)}
    told = found.interaction.summary()
    kept = {name: value for name, value in told.items() if name not in ("direction_low", "direction_high")}
    return {**kept, "dominant": found.interaction.dominant}


def _predicted_facts(found: AgainstParts | None) -> Row:
    names = ("predicted_magnitude", "predicted_magnitude_low", "predicted_magnitude_high")
    if found is None:
        return dict.fromkeys(names, NAN)
    magnitude = found.interaction.magnitude
    return dict(zip(names, (magnitude.value, magnitude.low, magnitude.high), strict=True))


def _own_seed(seed: int, place: int) -> int:
    """A noise seed below 2**63."""
    return int(np.random.SeedSequence([seed, place]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _read_order(path: Path) -> ScreenOrder:
    try:
        return ScreenOrder.from_text(read_text(path))
    except PrimeflowError as error:
        reason = str(error).rstrip(".")
        raise DataError(f"{path} cannot be read as a screen: {reason}. Delete its folder and screen again.") from error
