"""Searches a space with Optuna: which trial is next, which trial to stop early, and which settings mattered.

The sampler is the tree-structured Parzen estimator (Bergstra et al. 2011), in Optuna's multivariate form. Its random
draws for a trial come from (seed, number of the trial) alone and from the trials before it, never from what ran in this
process; so a search that was killed and resumed proposes the same trials as one that was not.

The pruner is the median: with a few checkpoints and some ten trials, hyperband would share the trials out among
brackets each too small to learn from, and the median asks for no budget to be chosen.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from primeflow_core.models.kinds.ranges import OptionRange, Point, Real, SettingRange, Whole
from primeflow_core.training.tuning.trial import DIVERGED, FAILED, PRUNED, SCORED, Trial, standing

STATES = {
    SCORED: TrialState.COMPLETE,
    PRUNED: TrialState.PRUNED,
    # Pruned without a value: the sampler takes it for the worst of all, and keeps away.
    DIVERGED: TrialState.PRUNED,
    FAILED: TrialState.FAIL,
}
ENOUGH_FOR_IMPORTANCE = 20
"""Trials; among fewer, chance decides what seems to matter."""


class Proposal:
    """A trial to run: a ``point`` of the space. It receives its scores during training."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self.point: Point = dict(trial.params)

    def told(self, checkpoint: int, score: float) -> bool:
        """Whether to stop the trial early, given this score at the ``checkpoint`` (from 0)."""
        self._trial.report(score, checkpoint)
        return self._trial.should_prune()


@dataclass(frozen=True)
class Search:
    """The search of ``space``, which starts at the point ``start``."""

    space: Mapping[str, SettingRange]
    start: Point
    larger_is_better: bool
    seed: int

    def proposal(self, trials: Sequence[Trial]) -> Proposal:
        """The trial after ``trials``, which are all before it."""
        study = self._study(trials, len(trials))
        if not trials:
            study.enqueue_trial(self.start)
        return Proposal(study.ask(self._distributions))

    def importance(self, trials: Sequence[Trial]) -> dict[str, float]:
        """How much each setting decides whether a trial is among the best tenth (PED-ANOVA), the most first, 1 in all.

        It asks for the order of trials alone, in which those that were pruned or diverged have a place too. Empty where
        there are too few trials to tell.
        """
        placed = standing(trials, larger_is_better=self.larger_is_better)
        if len(placed) < ENOUGH_FOR_IMPORTANCE:
            return {}
        study = self._empty(len(trials))
        for place, trial in enumerate(placed):
            study.add_trial(
                optuna.trial.create_trial(value=float(place), params=trial.point, distributions=self._distributions)
            )
        with warnings.catch_warnings():
            # It warns where it cannot tell settings apart, and then says rightly that all matter equally.
            warnings.simplefilter("ignore", UserWarning)
            found = optuna.importance.get_param_importances(study)
        return {name: float(share) for name, share in found.items()}

    def _study(self, trials: Sequence[Trial], number: int) -> optuna.Study:
        study = self._empty(number)
        study.add_trials([self._known(trial) for trial in trials])
        return study

    def _empty(self, number: int) -> optuna.Study:
        # It tells of every study it makes.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        return optuna.create_study(
            direction="maximize" if self.larger_is_better else "minimize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(),
        )

    def _known(self, trial: Trial) -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(
            state=STATES[trial.state],
            value=trial.score,
            params=trial.point,
            distributions=self._distributions,
            intermediate_values={} if trial.state == DIVERGED else dict(enumerate(trial.early)),
        )

    @property
    def _distributions(self) -> dict[str, BaseDistribution]:
        return {key: _distribution(one) for key, one in self.space.items()}


def _distribution(one: SettingRange) -> BaseDistribution:
    match one:
        case Real():
            return FloatDistribution(one.low, one.high, log=one.log, step=one.step)
        case Whole():
            return IntDistribution(one.low, one.high, log=one.log, step=one.step)
        case OptionRange():
            return CategoricalDistribution(one.names)
        case _:
            raise TypeError(f"{type(one).__name__} is not a range that can be searched.")
