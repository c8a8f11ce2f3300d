"""A prediction as a job: cells are made while they are watched on a map, and can be cancelled at any solver step."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest, version_of
from primeflow_core.models.model_kind import is_flow
from primeflow_core.models.sampling_plan import SamplingPlan, SamplingProgress
from primeflow_core.runtime.jobs import JobContext, Snapshot
from primeflow_core.runtime.memory import lacks_memory

if TYPE_CHECKING:
    from primeflow_core.models.predictor import Predictor

MOST_SHOWN = 20_000
SIZE_IN_ONE_PASS = 0.02
"""The cost of a model that is not a flow, whose layers read a cell once. A field reads it gene by gene."""
Place = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PredictionRequest:
    """A request for predicted cells; equal requests have equal answers. ``version`` is that of the weights' file."""

    folder: Path
    version: int
    condition: Condition
    cells: int
    plan: SamplingPlan


@dataclass(frozen=True)
class Prediction:
    """Predicted cells (n, G); fewer than ``asked`` when it was cancelled."""

    values: np.ndarray
    asked: int
    plan: SamplingPlan

    @property
    def is_whole(self) -> bool:
        return len(self.values) == self.asked

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes)


class ModelShelf:
    """The models used last, loaded once, and how fast each has been on this machine."""

    # For the recipe unet-small at 500 genes on two cores; replaced by what is seen here.
    SECONDS_PER_EVALUATION = 0.002
    SECONDS_TO_LOAD = 5.0

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[Path, int], Predictor] = OrderedDict()
        self._pace: dict[Path, float] = {}

    def model(self, folder: Path) -> "Predictor":
        """Load a model, or take it from the shelf while its weights are the same file. Raises CheckpointError."""
        key = (folder, version_of(folder))
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = checkpoint.load(folder)
            self._loaded.move_to_end(key)
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def expected_seconds(self, folder: Path, manifest: Manifest, cells: int, plan: SamplingPlan) -> float:
        """About how long a prediction takes: by what was measured, else by the size of the network."""
        pace = self._pace.get(folder)
        if pace is not None:
            return pace * evaluations(cells, plan)
        return self.SECONDS_TO_LOAD + self.SECONDS_PER_EVALUATION * _relative_size(manifest) * evaluations(cells, plan)

    def learn(self, folder: Path, seconds_per_evaluation: float) -> None:
        self._pace[folder] = seconds_per_evaluation


def evaluations(cells: int, plan: SamplingPlan) -> int:
    """The number of times that the network reads a cell. Guidance other than 0 and 1 needs it with and without the
    condition.

    A student was trained with guidance and needs it once.
    """
    once = plan.solver.teaches_guidance or plan.guidance in (0.0, 1.0)
    return cells * plan.steps * plan.solver.evaluations * (1 if once else 2)


def predict(question: PredictionRequest, shelf: ModelShelf, place: Place | None, context: JobContext) -> Prediction:
    """The work of a job. ``place`` puts cells (n, G) on a map (n, 2) for the live view; None shows progress only."""
    predictor = shelf.model(question.folder)
    question = replace(question, plan=predictor.settled(question.plan))
    context.checkpoint()
    watch = _PredictionWatch(question, place, context)
    try:
        values = predictor.predict(question.condition, question.cells, question.plan, watch)
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        fewer = max(1, question.cells // 4)
        raise SettingError(f"There was not enough memory for {question.cells:,} cells. Try {fewer:,} cells.") from error
    finally:
        if watch.pace is not None:
            shelf.learn(question.folder, watch.pace)
    return Prediction(values, question.cells, question.plan)


class _PredictionWatch:
    """Called at every solver step: shows the cells on the map, keeps finished batches, ends a cancelled job."""

    def __init__(self, question: PredictionRequest, place: Place | None, context: JobContext) -> None:
        self._question = question
        self._place = place
        self._context = context
        self._values: list[np.ndarray] = []
        self._points: list[np.ndarray] = []
        self._since: tuple[float, int] | None = None
        self.pace: float | None = None

    def __call__(self, progress: SamplingProgress) -> None:
        self._measure(progress)
        points = self._placed(progress.state)
        if progress.step == progress.steps:
            self._values.append(progress.state.copy())
            self._points.append(points)
            kept = np.concatenate(self._values)
            self._context.keep(Prediction(kept, self._question.cells, self._question.plan))
            points = points[:0]
        shown = np.concatenate([*self._points, points])[:MOST_SHOWN]
        self._context.publish(Snapshot(shown, _done(progress), progress.cells * progress.steps))
        self._context.checkpoint()

    def _measure(self, progress: SamplingProgress) -> None:
        """Seconds an evaluation takes, from the second step on: the first one also warms PyTorch up."""
        now, done = time.monotonic(), _done(progress)
        if self._since is None:
            self._since = now, done
        elif done > self._since[1]:
            per_cell_step = (now - self._since[0]) / (done - self._since[1])
            plan = self._question.plan
            self.pace = per_cell_step * plan.steps / evaluations(1, plan)

    def _placed(self, state: np.ndarray) -> np.ndarray:
        return np.zeros((0, 2), np.float32) if self._place is None else self._place(state)


def _done(progress: SamplingProgress) -> int:
    """Cell-steps so far."""
    return progress.first * progress.steps + len(progress.state) * progress.step


def _relative_size(manifest: Manifest) -> float:
    """Work for one cell, relative to unet-small at 500 genes."""
    if not is_flow(manifest):
        return SIZE_IN_ONE_PASS * len(manifest.genes) / 500
    field = manifest.settings.get("field", {})
    positions = len(manifest.genes) / float(field.get("fold", 1))
    width = float(field.get("channels", 64)) / 64
    return positions / 62.5 * width**2 * float(field.get("num_res_blocks", 2)) / 2
