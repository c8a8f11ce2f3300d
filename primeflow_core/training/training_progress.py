"""The progress of a training, and its text in the state that a training resumes from."""

import json
import math
from dataclasses import asdict, dataclass


@dataclass
class TrainingProgress:
    """The progress of a training; saved with its state."""

    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    best_step: int = 0
    validations_since_best: int = 0
    plateaus: int = 0


def progress_text(progress: TrainingProgress) -> str:
    best = progress.best if math.isfinite(progress.best) else None
    return json.dumps({**asdict(progress), "best": best})


def progress_of(text: str) -> TrainingProgress:
    """Raises DataError that names the key."""
    from primeflow_core.runtime.file_schema import values
    from primeflow_core.training.progress_schema import ProgressEntry

    # Earlier versions wrote this in place of null.
    found = values(ProgressEntry.read(text.replace('"best": Infinity', '"best": null'), "progress"))
    return TrainingProgress(**{**found, "best": math.inf if found["best"] is None else found["best"]})
