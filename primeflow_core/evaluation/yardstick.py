"""What a score of one condition is read against: floor and ceiling, and the two ends of the calibrated score.

In the calibrated score, typical perturbed cells are 0 and a repeat of the experiment is 1 (calibration.py). Effects of
the two sides are then measured from disjoint controls: those of predictions and of typical cells from controls of
training, those of measured cells from controls of the reference, and each half of a repeat from its own half of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from primeflow_core.evaluation.calibration import BASELINE, DISJOINT, REPLICATE, REPLICATE_SD
from primeflow_core.evaluation.condition_scorer import ConditionScorer, mean_scores
from primeflow_core.evaluation.defaults import FEWEST
from primeflow_core.evaluation.distances import InMemory
from primeflow_core.evaluation.halves import halvings
from primeflow_core.evaluation.metrics.registry import all_metrics
from primeflow_core.evaluation.profiles import Profile
from primeflow_core.evaluation.score_input import ConditionSet, condition_set
from primeflow_core.evaluation.typical_cells import TypicalPopulation

Scores = Mapping[str, float]
NAN = float("nan")


@dataclass(frozen=True)
class MeasuredCells:
    """Measured cells (m, G) of one condition and all controls (k, G) of their experiment.

    ``floor_controls`` (n, G): controls that the reference does not hold. ``training_control``: of controls of training;
    None for too few, and metrics of effects are then not calibrated. ``typical``: None where there are none.
    """

    cells: np.ndarray
    controls: np.ndarray
    floor_controls: np.ndarray
    training_control: Profile | None = None
    typical: TypicalPopulation | None = None


@dataclass(frozen=True)
class Yardstick:
    """Scores by metric in one condition, each omitted where it has no number.

    ``baseline``: typical perturbed cells, as many as measured; metrics of profiles see their exact mean and variance.
    ``replicate``: half of the measured cells against the other half, each with its own controls, mean over halvings.
    ``ceiling``: the same with the controls of the reference for both, as floor and value have them. ``spread``: how
    much the difference of replicate and baseline varies over halvings, both scored against the same half. It is the
    standard error in one condition; it is not divided by the root of the number of halvings, which share their cells.
    """

    floor: Scores
    ceiling: Scores
    replicate: Scores
    baseline: Scores = field(default_factory=dict)
    spread: Scores = field(default_factory=dict)

    def columns(self, name: str, value: float, wrong: float) -> dict[str, float]:
        """The columns of one metric in a table: its value, floor, ceiling and the value of a wrong condition."""
        floor, ceiling = self.floor.get(name, NAN), self.ceiling.get(name, NAN)
        return {name: value, f"{name}_floor": floor, f"{name}_ceiling": ceiling, f"{name}_wrong": wrong}

    def calibrating_columns(self, name: str, disjoint: float | None) -> dict[str, float]:
        """What its calibrated score needs; ``disjoint``: the value with disjoint controls, None if it is the same."""
        own = {} if disjoint is None else {f"{name}{DISJOINT}": disjoint}
        ends = ((BASELINE, self.baseline), (REPLICATE, self.replicate), (REPLICATE_SD, self.spread))
        return own | {f"{name}{end}": scores.get(name, NAN) for end, scores in ends}


def yardstick(measured: MeasuredCells, scorer: ConditionScorer, seed: int) -> Yardstick:
    """The floor needs 4 floor controls, ceiling and replicate 8 measured cells: 4 in each half."""
    reference = condition_set([InMemory(measured.cells)], scorer.components)
    halved = halvings(measured.cells, measured.controls, scorer, seed)
    ceilings = [halving.ceiling(scorer) for halving in halved]
    repeats = [halving.replicate(scorer, ceiling) for halving, ceiling in zip(halved, ceilings, strict=True)]
    found = Yardstick(_floor(measured, reference, scorer), mean_scores(ceilings), mean_scores(repeats))
    if measured.typical is None:
        return found
    offered = _as_prediction(measured.typical, len(measured.cells), scorer, seed)
    from_training = replace(scorer, predicted_control=measured.training_control)
    baseline = mean_scores([_known(from_training.of_sets(offered, reference), measured.training_control)])
    beside = [halving.of_prediction(offered, measured.training_control, scorer) for halving in halved]
    return replace(found, baseline=baseline, spread=_spread(repeats, beside, baseline))


def _floor(measured: MeasuredCells, reference: ConditionSet, scorer: ConditionScorer) -> dict[str, float]:
    if len(measured.floor_controls) < FEWEST:
        return {}
    offered = condition_set([InMemory(measured.floor_controls)], scorer.components)
    return mean_scores([scorer.of_sets(offered, reference)])


def _as_prediction(typical: TypicalPopulation, count: int, scorer: ConditionScorer, seed: int) -> ConditionSet:
    drawn = condition_set([InMemory(typical.draw(count, seed))], scorer.components)
    number = np.array([typical.number])
    return replace(drawn, means=typical.mean[None], variances=typical.variance[None], counts=number)


def _known(scores: dict[str, float], training_control: Profile | None) -> dict[str, float]:
    """Without metrics of effects where there is nothing to measure the effect of typical cells from."""
    if training_control is not None:
        return scores
    return scores | {metric.name: NAN for metric in all_metrics() if metric.needs_controls}


def _spread(repeats: Sequence[Scores], beside: Sequence[Scores], known: Scores) -> dict[str, float]:
    found = {}
    for name in known:
        differences = np.array([one[name] - other[name] for one, other in zip(repeats, beside, strict=True)])
        if len(differences) > 1 and np.isfinite(differences).all():
            found[name] = float(differences.std(ddof=1))
    return found
