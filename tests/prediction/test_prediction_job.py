"""A prediction as a job: the same cells as without one, progress, cancelling, pace."""

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primeflow_core.data.splits import Split
from primeflow_core.errors import CheckpointError
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import Manifest, version_of
from primeflow_core.models.sampling_plan import OnProgress, SamplingPlan, SamplingProgress
from primeflow_core.prediction import prediction_job
from primeflow_core.prediction.prediction_job import ModelShelf, Prediction, PredictionRequest, evaluations, predict
from primeflow_core.runtime.jobs import JobManager, JobState, JobStatus
from primeflow_core.training.run import Source, prepare
from tests import tiny

PLAN = SamplingPlan(steps=4, batch_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with fresh weights."""
    place = tmp_path_factory.mktemp("models") / "tiny"
    cells = tiny.cells()
    split = Split(cells.names, np.full(len(cells), "train"))
    trainer = prepare(
        Source(cells, split, "tiny", False), tiny.RECIPE, place, seed=0, device="cpu", resume=False, command=[]
    )
    trainer.predictor.fit_statistics(trainer.train_cells.chunks)
    checkpoint.write_weights(place, trainer.predictor.state_dict(), {})
    return place


class Settling:
    def settled(self, plan: SamplingPlan) -> SamplingPlan:
        return plan


def question(folder: Path, cells: int = 20, plan: SamplingPlan = PLAN) -> PredictionRequest:
    return PredictionRequest(folder, version_of(folder), tiny.condition("A", "B"), cells, plan)


def run(
    asked: PredictionRequest, shelf: ModelShelf, place: prediction_job.Place | None = None
) -> tuple[JobManager, str]:
    manager = JobManager()
    return manager, manager.submit("me", lambda context: predict(asked, shelf, place, context))


def ended(manager: JobManager, job_id: str) -> JobStatus:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        status = manager.status(job_id)
        if status is not None and not status.state.is_active:
            return status
        time.sleep(0.005)
    raise AssertionError("the job did not end")


def test_a_job_makes_the_same_cells_as_the_predictor(folder):
    asked = question(folder)
    manager, job_id = run(asked, ModelShelf(), place=lambda values: values[:, :2])
    status = ended(manager, job_id)
    manager.close()
    expected = checkpoint.load(folder).predict(asked.condition, 20, PLAN)
    assert isinstance(status.result, Prediction)
    assert np.array_equal(status.result.values, expected)
    assert status.result.is_whole
    assert status.snapshot.fraction == 1
    assert status.snapshot.table == pytest.approx(expected[:, :2])


def test_without_a_map_only_progress_is_shown(folder):
    manager, job_id = run(question(folder), ModelShelf())
    status = ended(manager, job_id)
    manager.close()
    assert status.snapshot.table.shape == (0, 2)
    assert (status.snapshot.done, status.snapshot.total) == (80, 80)


def test_cancelling_keeps_the_finished_batches(folder):
    asked = question(folder, cells=24)
    manager = JobManager()
    seen = []

    def place(values: np.ndarray) -> np.ndarray:
        seen.append(len(values))
        if len(seen) == PLAN.steps + 2:  # in the second step of the second batch
            manager.cancel(job_id_of[0])
        return values[:, :2]

    job_id_of: list[str] = []
    job_id_of.append(manager.submit("me", lambda context: predict(asked, _slow(job_id_of), place, context)))
    status = ended(manager, job_id_of[0])
    manager.close()
    assert status.state is JobState.CANCELLED
    assert len(seen) == PLAN.steps + 2
    assert isinstance(status.result, Prediction)
    assert (len(status.result.values), status.result.asked, status.result.is_whole) == (8, 24, False)
    expected = checkpoint.load(folder).predict(asked.condition, 24, PLAN)[:8]
    assert status.result.values == pytest.approx(expected, abs=1e-5)


def _slow(job_ids: list[str]) -> ModelShelf:
    """A shelf; waits until the job's id is known to the test."""
    while not job_ids:
        time.sleep(0.001)
    return ModelShelf()


def test_a_missing_model_is_said(tmp_path):
    manager, job_id = run(question(tmp_path / "none"), ModelShelf())
    status = ended(manager, job_id)
    manager.close()
    assert status.state is JobState.FAILED
    assert "is no model" in status.error


def test_the_shelf_loads_once_and_again_when_the_weights_change(folder, monkeypatch):
    loads = []
    original = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda place: (loads.append(place), original(place))[1])
    shelf = ModelShelf()
    assert shelf.model(folder) is shelf.model(folder)
    weights = folder / checkpoint.WEIGHTS
    os.utime(weights, ns=(1, weights.stat().st_mtime_ns + 1_000_000))
    shelf.model(folder)
    assert len(loads) == 2


def test_the_shelf_keeps_only_so_many(folder, tmp_path):
    shelf = ModelShelf(most=1)
    first = shelf.model(folder)
    with pytest.raises(CheckpointError):
        shelf.model(tmp_path)
    assert shelf.model(folder) is first


@pytest.mark.parametrize(
    ("plan", "count"),
    [
        (PLAN, 40), (replace(PLAN, guidance=2.0), 80), (replace(PLAN, guidance=0.0), 40),
        (replace(PLAN, sampler="midpoint"), 80),
    ],
)  # fmt: skip
def test_evaluations_of_the_network(plan, count):
    assert evaluations(10, plan) == count


def test_the_expected_time_is_learnt(folder):
    manifest: Manifest = checkpoint.read_manifest(folder)
    shelf = ModelShelf()
    guessed = shelf.expected_seconds(folder, manifest, 100, PLAN)
    assert guessed > shelf.SECONDS_TO_LOAD
    shelf.learn(folder, 0.02)
    assert shelf.expected_seconds(folder, manifest, 50, PLAN) == pytest.approx(4.0)
    assert shelf.expected_seconds(folder, manifest, 50, replace(PLAN, guidance=3.0)) == pytest.approx(8.0)


def test_the_pace_is_that_of_the_steps_after_the_first(folder, monkeypatch):
    class Warming(Settling):
        def predict(self, condition: object, cells: int, plan: SamplingPlan, on_progress: OnProgress) -> np.ndarray:
            state = np.zeros((cells, 11), np.float32)
            time.sleep(1.0)
            for step in range(1, plan.steps + 1):
                on_progress(SamplingProgress(0, cells, step, plan.steps, state))
                time.sleep(0.02)
            return state

    shelf = ModelShelf()
    monkeypatch.setattr(shelf, "model", lambda _: Warming())
    asked = question(folder, cells=8, plan=replace(PLAN, guidance=2.0))
    manager, job_id = run(asked, shelf)
    assert ended(manager, job_id).state is JobState.DONE
    manager.close()
    expected = shelf.expected_seconds(folder, checkpoint.read_manifest(folder), 8, asked.plan)
    assert 4 * 0.02 <= expected < 1.0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            r"not enough memory for 2,000 cells\. Try 500 cells",
        ),
        (RuntimeError("shape mismatch"), "Something went wrong inside PRiMeFlow"),
    ],
)
def test_lack_of_memory_names_a_number_that_may_work(folder, error, message, monkeypatch):
    class Failing(Settling):
        def predict(self, *_: object) -> np.ndarray:
            raise error

    shelf = ModelShelf()
    monkeypatch.setattr(shelf, "model", lambda _: Failing())
    manager, job_id = run(question(folder, cells=2000), shelf)
    status = ended(manager, job_id)
    manager.close()
    assert status.state is JobState.FAILED
    assert re.search(message, status.error)
