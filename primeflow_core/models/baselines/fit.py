"""Fits all baselines to the same training cells."""

from collections.abc import Mapping

from primeflow_core.data.cells import Cells
from primeflow_core.models.baselines.baseline import FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.baselines.registry import all_baselines

FittedBaselines = Mapping[str, FittedBaseline]


def fit_baselines(training: Cells) -> dict[str, FittedBaseline]:
    """The baselines by name, in the order of the registry. ``training`` holds training cells only."""
    measured = TrainingMeans.of(training)
    return {baseline.name: baseline.fit(measured) for baseline in all_baselines()}
