"""The origin of a finding: model, data, sampling and versions."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from primeflow_core.data.conditions import Condition, Novelty, novelty
from primeflow_core.data.datasets import DATASETS, Dataset
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.prediction.generation import provenance
from primeflow_core.wording import day_in_words


@dataclass(frozen=True)
class Origin:
    """One condition as one model predicted it, together with the measured cells.

    ``plan`` is None where nothing was predicted. ``split_sha256`` names the split cell by cell. ``measured_in`` is
    the user's own file where the measured cells, ``measured`` of them, are not those of the model's data set.
    """

    manifest: Manifest = field(repr=False, hash=False)
    condition: Condition
    plan: SamplingPlan | None
    predicted: int
    measured: int
    split_sha256: str = ""
    measured_in: str = ""

    @property
    def novelty(self) -> Novelty:
        return novelty(self.condition, self.manifest.trained_on)

    @property
    def held_out(self) -> bool:
        return self.condition in self.manifest.held_out

    @property
    def dataset(self) -> Dataset | None:
        """The named data set of the training cells; None for a user's own file."""
        return next((dataset for dataset in DATASETS if dataset.name == self.manifest.dataset), None)

    @property
    def place(self) -> str:
        """The condition and its context, for instance ``KLF1+MAP2K6 in k562``."""
        context = self.condition.context
        return f"{self.condition.label} in {context}" if context else self.condition.label

    @property
    def day(self) -> str:
        """The day on which the model was made, for instance ``21 November 2026``."""
        return day_in_words(datetime.fromisoformat(self.manifest.created))

    def record(self) -> dict[str, Any]:
        """Everything that is needed to make the same cells again, as JSON takes it."""
        plan = self.plan or self.manifest.sampling
        made = provenance(self.manifest, plan, (self.condition,))
        return {
            **made,
            "sampling": made["sampling"] if self.plan else None,
            "condition": self.condition.to_json(),
            "held_out": self.held_out,
            "split_sha256": self.split_sha256,
            "cells_predicted": self.predicted,
            "cells_measured": self.measured,
            "measured_in": self.measured_in or self.manifest.dataset,
        }
