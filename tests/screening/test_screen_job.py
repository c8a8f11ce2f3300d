"""A screen as a job: rows come in one after the other, stay when it is cancelled, and the same question gives the same
ranking."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from primeflow_core.data.datasets import open_cells
from primeflow_core.errors import DataError
from primeflow_core.models.checkpoint import read_manifest, version_of
from primeflow_core.prediction.prediction_job import ModelShelf
from primeflow_core.runtime.jobs import JobManager, JobState, JobStatus
from primeflow_core.screening import screen_job
from primeflow_core.screening.candidates import Refusal
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.screen_file import UNFINISHED
from primeflow_core.screening.screen_job import RankedSoFar, ScreenSubject, screen
from primeflow_core.screening.screen_request import Request
from primeflow_core.screening.worker_context import WorkerContext
from tests.app_models import NAME
from tests.app_screens import EFFECT, pairs_of
from tests.runtime.test_jobs import until

SECONDS = 240.0


@pytest.fixture
def manager() -> Iterator[JobManager]:
    made = JobManager()
    yield made
    made.close()


def asked(models: Path, count: int = 3, **changes: object) -> Request:
    manifest = read_manifest(models / NAME)
    return replace(Request(models / NAME, EFFECT, pairs_of(manifest)[:count], manifest.sampling, cells=10), **changes)


def started(manager: JobManager, request: Request, cells: object = None) -> str:
    refused = (Refusal("X", "unknown"),)
    return manager.submit(
        "me", lambda context: screen(request, refused, lambda: cells, ModelShelf(), context), lane="screen"
    )


def ended(manager: JobManager, job: str) -> JobStatus:
    return until(lambda: (status := manager.status(job)) and not status.state.is_active and status, SECONDS)


@pytest.mark.slow
def test_every_candidate_is_ranked_without_measured_cells(models, manager):
    status = ended(manager, started(manager, asked(models)))
    assert (status.state, status.error) == (JobState.DONE, "")
    found = status.result
    assert (found.done, found.total, found.is_whole) == (3, 3, True)
    assert set(found.screen.table["perturbation"]) == {c.label for c in asked(models).candidates}
    assert found.screen.trust is None
    assert found.screen.about["controls"] == "predicted"
    assert found.screen.about["refused"] == [["X", "unknown"]]
    assert UNFINISHED not in found.screen.about
    assert found.screen.changes.shape == (3, 500)
    assert found.nbytes > found.screen.changes.nbytes
    assert status.snapshot.done == status.snapshot.total == 3


@pytest.mark.slow
def test_held_out_conditions_are_checked_first(models, manager):
    cells = open_cells(read_manifest(models / NAME).dataset)
    job = started(manager, asked(models), cells)
    notes = set()
    until(
        lambda: notes.add(getattr(manager.status(job).snapshot, "note", "")) or not manager.status(job).state.is_active,
        SECONDS,
    )
    found = ended(manager, job).result
    assert screen_job.CHECKING in notes
    assert found.total == len(found.screen.table) == 3
    assert found.screen.about["controls"] == "measured"
    assert found.screen.trust is not None
    assert found.screen.trust.lines[0].startswith("On ")


@pytest.mark.slow
def test_the_same_question_gives_the_same_ranking(models, manager):
    one, other = (ended(manager, started(manager, asked(models))).result.screen for _ in range(2))
    assert one.table.equals(other.table)
    assert np.array_equal(one.changes, other.changes, equal_nan=True)
    assert one.about == other.about


@pytest.mark.slow
def test_it_screens_on_one_thread(models, manager, monkeypatch):
    """Else many small products of several threads wait for each other on a busy machine."""
    seen, screened = set(), WorkerContext.screened

    def watched(bench: WorkerContext, *given: object) -> object:
        seen.add(torch.get_num_threads())
        return screened(bench, *given)

    monkeypatch.setattr(WorkerContext, "screened", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert ended(manager, started(manager, asked(models))).state is JobState.DONE
    finally:
        torch.set_num_threads(before)
    assert seen == {1}


@pytest.mark.slow
def test_cancelling_keeps_what_is_ranked(models, manager, monkeypatch):
    monkeypatch.setattr(screen_job, "_SHORTEST_WAIT", 0.0)
    monkeypatch.setattr(screen_job, "_SHARE_OF_RANKING", 1e9)
    job = started(manager, asked(models, 780))
    until(lambda: manager.status(job).result is not None, SECONDS)
    manager.cancel(job)
    status = ended(manager, job)
    assert status.state is JobState.CANCELLED
    found = status.result
    assert isinstance(found, RankedSoFar)
    assert 0 < found.done < found.total == 780
    assert len(found.screen.table) == found.done
    assert found.screen.about[UNFINISHED] == [found.done, 780]
    assert found.screen.table["rank"].tolist() == list(range(1, found.done + 1))


def test_a_goal_that_needs_measured_cells_says_so(models, manager):
    target = pairs_of(read_manifest(models / NAME))[5]
    status = ended(manager, started(manager, asked(models, goal=Goal("target", target=target))))
    assert status.state is JobState.FAILED
    assert f"The target {target.label} was measured in" in status.error


def test_cells_that_cannot_be_read_end_it_in_words(models, manager):
    def broken() -> None:
        raise DataError("screen.h5ad is damaged: delete it.")

    request = asked(models)
    job = manager.submit("me", lambda context: screen(request, (), broken, ModelShelf(), context), lane="screen")
    assert ended(manager, job).error == "screen.h5ad is damaged: delete it."


def test_equal_questions_are_equal_subjects(models):
    version = version_of(models / NAME)
    one, same = ScreenSubject(asked(models), version), ScreenSubject(asked(models), version)
    assert (one, hash(one)) == (same, hash(same))
    for other in (asked(models, seed=1), asked(models, 2), asked(models, cells=20)):
        assert ScreenSubject(other, version) != one
    assert ScreenSubject(asked(models), version + 1) != one
