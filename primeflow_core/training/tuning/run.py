"""Continues a search until it has a number of trials, one after the other.

Each trial is proposed from all before it, so trials side by side would be others, whose order is chance.
"""

from collections.abc import Iterator

from primeflow_core.training.tuning.trial import Trial
from primeflow_core.training.tuning.trial_run import TrialContext, run_trial


def run_trials(bench: TrialContext, trials: int) -> Iterator[Trial]:
    """Run and keep what is missing of ``trials``, and tell of each trial as it ends."""
    for _ in range(len(bench.store.trials()), trials):
        trial = run_trial(bench)
        bench.store.keep(trial)
        yield trial
