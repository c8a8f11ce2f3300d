"""Fits all baselines to the same training cells, each at its first use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from primeflow_core.data.cells import Cells
from primeflow_core.models.baselines.baseline import FittedBaseline
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.baselines.registry import all_baselines

FittedBaselines = Mapping[str, FittedBaseline]


@dataclass(frozen=True)
class _AtFirstUse(Mapping[str, FittedBaseline]):
    measured: TrainingMeans
    fitted: dict[str, FittedBaseline] = field(default_factory=dict)

    def __getitem__(self, name: str) -> FittedBaseline:
        if name not in self.fitted:
            baseline = {one.name: one for one in all_baselines()}[name]
            self.fitted[name] = baseline.fit(self.measured)
        return self.fitted[name]

    def __iter__(self) -> Iterator[str]:
        return (baseline.name for baseline in all_baselines())

    def __len__(self) -> int:
        return len(all_baselines())


def fit_baselines(training: Cells) -> FittedBaselines:
    """The baselines by name, in the order of the registry. ``training`` holds training cells only."""
    return _AtFirstUse(TrainingMeans.of(training))
