"""Training as a job: a model that is checked and listed, or nothing at all; reproducible while others predict."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from primeflow_core.data.holdout import HoldoutKind
from primeflow_core.errors import DataError, SettingError
from primeflow_core.model_store.held_out_metrics import read_validation
from primeflow_core.model_store.local_models import read_library
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import WEIGHTS
from primeflow_core.prediction.prediction_job import ModelShelf, PredictionRequest, predict
from primeflow_core.runtime.jobs import JobContext, JobManager, JobState, JobStatus
from primeflow_core.training.recipes import registry
from primeflow_core.user_data import training_job
from primeflow_core.user_data.training_job import TrainingOrder, folder_name, train_model
from tests.runtime.test_jobs import ended, until
from tests.tiny import CONDITIONS, FIELD, RECIPE, cells

SECONDS = 240.0


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    training = replace(RECIPE.training, patience=1000)
    rows = {"field": replace(FIELD, dropout=0.1), "flow": replace(RECIPE.rows["flow"], factors=4)}
    tiny = replace(RECIPE, rows=rows, training=training)
    monkeypatch.setattr(registry, "RECIPES", (tiny,))
    monkeypatch.setattr(training_job, "MOST_TIMES_THE_RECIPE", 1)


@pytest.fixture
def manager() -> Iterator[JobManager]:
    made = JobManager()
    yield made
    made.close()


def order(name: str = "My screen", **changes: object) -> TrainingOrder:
    asked = TrainingOrder(lambda: cells(per_condition=40), "mine.h5ad", False, name, recipe="tiny", minutes=1)
    return replace(asked, **changes)


def started(manager: JobManager, asked: TrainingOrder, place: Path) -> str:
    return manager.submit("me", lambda context: train_model(asked, place, context), lane="long")


def trained(manager: JobManager, asked: TrainingOrder, place: Path) -> JobStatus:
    job_id = started(manager, asked, place)
    until(lambda: not manager.status(job_id).state.is_active, SECONDS)
    return ended(manager, job_id)


def left_in(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.name != ".training")


def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_job, "MOST_TIMES_THE_RECIPE", 10**6)


def while_training(manager: JobManager, job_id: str) -> None:
    until(lambda: (seen := manager.status(job_id).snapshot) is not None and seen.note == "Training", SECONDS)


@pytest.mark.slow
def test_a_trained_model_is_listed_with_what_it_was_checked_against(manager, tmp_path):
    status = trained(manager, order(), tmp_path)
    assert (status.state, status.error) == (JobState.DONE, "")
    assert status.result.unchecked == ""
    assert status.result.holdout == "Held out: 1 condition that training never sees: A+B (k562)."
    model = read_library(tmp_path / "shipped", tmp_path).models["my-screen"]
    assert (model.folder, model.manifest.name, model.own) == (status.result.folder, "my-screen", True)
    assert model.validation.startswith("on ")
    assert model.manifest.tested_on == (CONDITIONS[3],)
    assert {tensor.dtype.itemsize for tensor in load_file(model.folder / WEIGHTS).values()} == {2}
    assert list(checkpoint.read_preview(model.folder)) == [CONDITIONS[3]]
    assert list((tmp_path / ".training").iterdir()) == []
    assert not (model.folder / "training/state.safetensors").exists()


@pytest.mark.slow
def test_progress_is_a_table_of_steps_and_losses(manager, tmp_path):
    status = trained(manager, order(), tmp_path)
    curve = status.result.curve
    assert curve.shape[1] == 3
    assert curve[-1, 0] == 40
    assert np.isfinite(curve[:, :2]).all()
    assert np.isfinite(curve[-1, 2])
    assert np.isnan(curve[0, 2])
    assert (status.snapshot.done, status.snapshot.total) == (40, 40)
    assert status.snapshot.note == "Checking against held-out cells"
    assert status.snapshot.seconds_left > 0


def test_cancelling_leaves_nothing_behind(manager, tmp_path, monkeypatch):
    endless(monkeypatch)
    job_id = started(manager, order(), tmp_path)
    while_training(manager, job_id)
    manager.cancel(job_id)
    assert ended(manager, job_id).state is JobState.CANCELLED
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_finishing_early_keeps_and_checks_the_model(manager, tmp_path, monkeypatch):
    endless(monkeypatch)
    job_id = started(manager, order(), tmp_path)
    while_training(manager, job_id)
    manager.finish(job_id)
    until(lambda: not manager.status(job_id).state.is_active, SECONDS)
    result = manager.status(job_id).result
    assert read_validation(result.folder) is not None
    assert result.curve[-1, 0] < manager.status(job_id).snapshot.total


def test_cells_that_cannot_be_checked_leave_nothing_behind(manager, tmp_path):
    status = trained(manager, order(read=lambda: cells(per_condition=5)), tmp_path)
    assert status.state is JobState.FAILED
    assert "too few cells to check a model with" in status.error
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_a_model_that_cannot_be_checked_is_kept_and_says_why(manager, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> str:
        raise DataError("There are no controls.")

    monkeypatch.setattr("primeflow_core.model_store.model_card.write_card", refuse)
    status = trained(manager, order(), tmp_path)
    assert (status.state, status.result.unchecked) == (JobState.DONE, "There are no controls.")
    assert read_library(tmp_path).models["my-screen"].validation == "not evaluated"


@pytest.mark.slow
def test_held_out_cells_are_scored_where_no_condition_can_be_held_out(manager, tmp_path):
    status = trained(manager, order(hold_out=HoldoutKind.CELLS), tmp_path)
    found = read_validation(status.result.folder)
    assert (found.seen, found.conditions) == (True, 3)
    assert all(np.isfinite(bounded.value) and bounded.ceiling is not None for bounded in found.figures.values())
    assert "held-out cells of 3 conditions seen in training" in (status.result.folder / "README.md").read_text()
    assert checkpoint.read_manifest(status.result.folder).first_view in CONDITIONS


@pytest.mark.slow
def test_a_second_model_of_the_same_name_gets_another_folder(manager, tmp_path):
    folders = [trained(manager, order(), tmp_path).result.folder.name for _ in range(2)]
    assert folders == ["my-screen", "my-screen-2"]
    assert checkpoint.read_manifest(tmp_path / "my-screen-2").name == "my-screen-2"


@pytest.mark.parametrize(
    ("typed", "folder"),
    [
        ("My screen", "my-screen"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "my-model"),
        ("", "my-model"),
        (".training", "training"),
        ("Ä<b>🧬</b>", "b-b"),
        ("x" * 300, "x" * 40),
    ],
)
def test_a_name_is_never_a_path(typed, folder):
    assert folder_name(typed) == folder


@pytest.mark.slow
def test_what_a_killed_training_left_is_removed(manager, tmp_path, monkeypatch):
    (tmp_path / ".training" / "old" / "model").mkdir(parents=True)
    monkeypatch.setattr(training_job, "_ABANDONED_AFTER", -1.0)
    trained(manager, order(), tmp_path)
    assert list((tmp_path / ".training").iterdir()) == []


@pytest.mark.parametrize("wrong", [{"minutes": 0.5}, {"minutes": 61}, {"minutes": float("nan")}, {"seed": -1}])
def test_impossible_orders_are_refused(wrong):
    with pytest.raises(SettingError):
        order(**wrong)


def test_the_pace_of_the_machine_sets_the_steps():
    pace = training_job._Pace(step=0.1, validation=0.5)
    seconds = 0.95 * 600 - training_job.VALIDATIONS * 0.5
    recipe = replace(RECIPE, training=replace(RECIPE.training, steps=100_000))
    fitted = training_job._fitted(recipe, 600, pace).training
    assert fitted.steps == int(seconds / 0.1)
    assert fitted.validate_every == fitted.steps // training_job.VALIDATIONS
    slow = training_job._fitted(recipe, 600, training_job._Pace(1000.0, 1000.0)).training
    assert slow.steps == training_job.FEWEST_STEPS


def meanwhile(work: Callable[[], object]) -> Callable[[], None]:
    """Do ``work`` again and again on another thread until the returned function is called."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            work()

    thread = threading.Thread(target=go_on)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end


@pytest.mark.slow
def test_training_and_predictions_do_not_disturb_each_other(manager, tmp_path):
    alone = trained(manager, order(), tmp_path).result.folder
    plan = replace(checkpoint.read_manifest(alone).sampling, seed=3)

    def cells_made() -> np.ndarray:
        shelf = ModelShelf()  # which loads the model anew, and so draws from PyTorch's own stream
        return predict(PredictionRequest(alone, 0, CONDITIONS[3], 20, plan), shelf, None, Quiet()).values

    before, made = cells_made(), []
    end = meanwhile(lambda: made.append(cells_made()))
    again = trained(manager, order(), tmp_path).result.folder
    end()
    assert made
    assert all(np.array_equal(values, before) for values in made)
    first, second = (load_file(folder / WEIGHTS) for folder in (alone, again))
    assert all((first[name] == second[name]).all() for name in first)


class Quiet(JobContext):
    """A context of no job, which is never cancelled."""

    def __init__(self) -> None:
        pass

    def checkpoint(self) -> None:
        pass

    def publish(self, snapshot: object) -> None:
        pass

    def keep(self, partial: object) -> None:
        pass
