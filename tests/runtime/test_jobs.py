"""Jobs: order, fairness, cancelling, progress, failures, and what is kept."""

import errno
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from primeflow_core.errors import ConditionError
from primeflow_core.runtime.job_queue import Limits
from primeflow_core.runtime.jobs import BusyError, JobContext, JobManager, JobState, JobStatus, Lane, Snapshot

PATIENCE = 60.0
"""Seconds that a test waits for what takes a moment on an idle machine."""


@pytest.fixture
def manager() -> Iterator[JobManager]:
    made = JobManager(quick=Limits(4, 2), long=Limits(1, 1, "training"), most_kept=3, most_bytes=1000)
    yield made
    made.close()


def ended(manager: JobManager, job_id: str) -> JobStatus:
    return until(lambda: (status := manager.status(job_id)) and not status.state.is_active and status)


def until(condition: Callable[[], object], seconds: float = PATIENCE):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if value := condition():
            return value
        time.sleep(0.002)
    raise AssertionError("did not happen in time")


class Gate:
    """Work that says when it has started, and stops at checkpoints until it is opened or cancelled."""

    def __init__(self) -> None:
        self.started, self.open = threading.Event(), threading.Event()

    def __call__(self, context: JobContext) -> np.ndarray:
        self.started.set()
        while not self.open.wait(0.002):
            context.checkpoint()
        return np.ones(2)


def held(manager: JobManager, session: str = "someone", lane: Lane = "quick") -> tuple[Gate, str]:
    """A running job that goes on until its gate is opened."""
    gate = Gate()
    job_id = manager.submit(session, gate, expected_seconds=3.0, lane=lane)
    assert gate.started.wait(PATIENCE)
    return gate, job_id


def test_a_job_runs_and_its_result_is_kept(manager):
    job_id = manager.submit("me", lambda context: np.arange(3), subject="question")
    status = ended(manager, job_id)
    assert status.state is JobState.DONE
    assert status.result.tolist() == [0, 1, 2]
    assert (status.subject, status.error) == ("question", "")


def test_ids_differ_and_are_long(manager):
    ids = {manager.submit("me", lambda context: np.zeros(1)) for _ in range(2)}
    assert len(ids) == 2
    assert min(len(job_id) for job_id in ids) >= 20
    assert manager.status("no-such-job") is None


def test_sessions_take_turns(manager):
    order: list[str] = []

    def work(name: str) -> Callable[[JobContext], np.ndarray]:
        return lambda context: (order.append(name), np.zeros(1))[1]

    gate, _ = held(manager)
    jobs = [manager.submit(name[0], work(name)) for name in ("a1", "a2", "b1", "c1")]
    assert [manager.status(job).ahead for job in jobs] == [1, 4, 2, 3]
    gate.open.set()
    for job in (jobs[1],):
        ended(manager, job)
    assert order == ["a1", "b1", "c1", "a2"]


def test_expected_wait_adds_up(manager):
    held(manager)
    first = manager.submit("a", Gate(), expected_seconds=10)
    second = manager.submit("b", Gate(), expected_seconds=1)
    assert 2.0 < manager.status(first).wait_seconds <= 3.0
    assert 12.0 < manager.status(second).wait_seconds <= 13.0


def test_a_full_queue_is_refused_with_the_wait(manager):
    held(manager)
    for session in "abcd":
        manager.submit(session, Gate(), expected_seconds=5)
    with pytest.raises(BusyError, match=r"4 predictions are waiting already\. Try again in about 2[23] s"):
        manager.submit("e", Gate())


def test_one_session_cannot_fill_the_queue(manager):
    held(manager)
    manager.submit("a", Gate())
    manager.submit("a", Gate())
    with pytest.raises(BusyError, match="You have 2 predictions waiting"):
        manager.submit("a", Gate())
    manager.submit("b", Gate())


def test_three_sessions_that_compare_conditions_take_turns():
    manager = JobManager()
    order: list[str] = []

    def work(name: str) -> Callable[[JobContext], np.ndarray]:
        return lambda context: (order.append(name), np.zeros(1))[1]

    gate, _ = held(manager)
    jobs = [manager.submit(session, work(f"{session}{i}")) for session in "abc" for i in range(6)]
    with pytest.raises(BusyError, match="You have 6 predictions waiting"):
        manager.submit("a", Gate())
    late = manager.submit("d", work("d0"))
    assert manager.status(late).ahead == 4
    gate.open.set()
    for job in jobs:
        assert ended(manager, job).state is JobState.DONE
    assert order[:5] == ["a0", "b0", "c0", "d0", "a1"]
    assert [name for name in order if name[0] == "b"] == [f"b{i}" for i in range(6)]
    manager.close()


@pytest.mark.parametrize("lane", ["long", "screen"])
def test_long_work_keeps_no_prediction_waiting(manager, lane):
    _, other = held(manager, lane=lane)
    prediction = manager.submit("me", lambda context: np.zeros(1))
    assert ended(manager, prediction).state is JobState.DONE
    assert (manager.status(other).state, manager.status(other).lane) == (JobState.RUNNING, lane)


def test_one_ranking_of_a_visitor_waits_at_most(manager):
    held(manager, lane="screen")
    manager.submit("me", Gate(), lane="screen")
    with pytest.raises(BusyError, match="You have 1 ranking waiting already"):
        manager.submit("me", Gate(), lane="screen")


def test_lanes_count_and_wait_on_their_own(manager):
    held(manager)
    held(manager, lane="long")
    quick = manager.submit("me", Gate(), expected_seconds=1.0)
    long = manager.submit("me", Gate(), expected_seconds=600.0, lane="long")
    assert [manager.status(job).ahead for job in (quick, long)] == [1, 1]
    assert max(manager.status(job).wait_seconds for job in (quick, long)) <= 3.0
    with pytest.raises(BusyError, match="You have 1 training waiting already"):
        manager.submit("me", Gate(), lane="long")
    with pytest.raises(BusyError, match=r"1 training is waiting already\. Try again in about 10 min\."):
        manager.submit("you", Gate(), lane="long")


def test_the_wait_follows_what_the_running_job_foresees(manager):
    shown, go_on = threading.Event(), threading.Event()

    def work(context: JobContext) -> np.ndarray:
        context.publish(Snapshot(np.zeros((1, 3)), 1, 10, seconds_left=500.0, note="Training"))
        shown.set()
        go_on.wait(PATIENCE)
        return np.zeros(1)

    running = manager.submit("me", work, expected_seconds=1.0)
    assert shown.wait(PATIENCE)
    waiting = manager.submit("you", Gate())
    status = manager.status(running)
    assert 495 < manager.status(waiting).wait_seconds <= 500
    assert 495 < status.seconds_left <= 500
    assert status.snapshot.note == "Training"
    go_on.set()
    assert ended(manager, running).seconds_left is None


def test_a_job_asked_to_finish_ends_early_with_a_whole_result(manager):
    started = threading.Event()

    def work(context: JobContext) -> np.ndarray:
        started.set()
        while not context.asked_to_finish:
            context.checkpoint()
            time.sleep(0.001)
        return np.array([5.0])

    running = manager.submit("me", work)
    waiting = manager.submit("you", Gate())
    assert started.wait(PATIENCE)
    manager.finish(waiting)
    manager.finish("no-such-job")
    manager.finish(running)
    status = ended(manager, running)
    assert (status.state, status.result.tolist()) == (JobState.DONE, [5.0])
    assert until(lambda: manager.status(waiting).state is JobState.RUNNING)


def test_cancelling_a_running_job_keeps_its_part_and_leaves_others(manager):
    kept = threading.Event()

    def work(context: JobContext) -> np.ndarray:
        context.keep(np.array([7.0]))
        kept.set()
        while True:
            context.checkpoint()
            time.sleep(0.001)

    mine = manager.submit("me", work)
    other = manager.submit("you", lambda context: np.zeros(1))
    assert kept.wait(PATIENCE)
    manager.cancel(mine)
    assert ended(manager, mine).state is JobState.CANCELLED
    assert manager.status(mine).result.tolist() == [7.0]
    assert ended(manager, other).state is JobState.DONE


def test_cancelling_a_waiting_job_ends_it_at_once(manager):
    held(manager)
    waiting = manager.submit("a", Gate())
    behind = manager.submit("b", Gate())
    manager.cancel(waiting)
    assert manager.status(waiting).state is JobState.CANCELLED
    assert manager.status(waiting).seconds == 0
    assert manager.status(behind).ahead == 1


def test_cancelling_what_has_ended_changes_nothing(manager):
    job_id = manager.submit("me", lambda context: np.zeros(1))
    ended(manager, job_id)
    manager.cancel(job_id)
    manager.cancel("no-such-job")
    assert manager.status(job_id).state is JobState.DONE


def test_snapshots_are_small_float32_copies(manager):
    table = np.zeros((2, 2))
    shown, go_on = threading.Event(), threading.Event()

    def work(context: JobContext) -> np.ndarray:
        context.publish(Snapshot(table, 1, 4))
        table[:] = 9
        shown.set()
        go_on.wait(PATIENCE)
        return np.zeros(1)

    job_id = manager.submit("me", work)
    assert shown.wait(PATIENCE)
    snapshot = manager.status(job_id).snapshot
    go_on.set()
    assert (snapshot.table.dtype, snapshot.table.max(), snapshot.fraction) == (np.float32, 0.0, 0.25)
    assert not snapshot.table.flags.writeable


def test_a_named_error_keeps_its_message(manager):
    def work(context: JobContext) -> np.ndarray:
        raise ConditionError("KLF9 is not known.")

    status = ended(manager, manager.submit("me", work))
    assert (status.state, status.error) == (JobState.FAILED, "KLF9 is not known.")


def test_any_other_error_is_logged_and_told_in_one_sentence(manager, caplog):
    def work(context: JobContext) -> np.ndarray:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.ERROR, "primeflow_core.runtime.jobs"):
        status = ended(manager, manager.submit("me", work))
    assert status.state is JobState.FAILED
    assert "secret detail" not in status.error
    assert status.error.startswith("Something went wrong inside PRiMeFlow (ZeroDivisionError).")
    assert "secret detail" in caplog.text
    assert ended(manager, manager.submit("me", lambda context: np.zeros(1))).state is JobState.DONE


def test_lack_of_memory_says_what_to_do(manager):
    def work(context: JobContext) -> np.ndarray:
        raise MemoryError

    assert "Ask for fewer cells" in ended(manager, manager.submit("me", work)).error


def test_old_results_go_by_number(manager):
    jobs = []
    for _ in range(4):
        jobs.append(manager.submit("me", lambda context: np.zeros(1)))
        ended(manager, jobs[-1])
    assert [manager.status(job) is None for job in jobs] == [True, False, False, False]


def test_old_results_go_by_bytes_but_the_newest_stays(manager):
    small = manager.submit("me", lambda context: np.zeros(10))
    ended(manager, small)
    large = manager.submit("me", lambda context: np.zeros(1000))
    assert ended(manager, large).result.nbytes == 8000
    assert manager.status(small) is None


def test_what_a_running_job_keeps_counts_too(manager):
    small = [manager.submit("me", lambda context: np.zeros(10)) for _ in range(2)]
    for job in small:
        ended(manager, job)
    kept = threading.Event()

    def work(context: JobContext) -> np.ndarray:
        context.keep(np.zeros(120))
        kept.set()
        while True:
            context.checkpoint()
            time.sleep(0.001)

    running = manager.submit("me", work)
    assert kept.wait(PATIENCE)
    assert [manager.status(job) is None for job in small] == [True, False]
    assert manager.status(running).result.nbytes == 960


@pytest.mark.parametrize("state", [JobState.DONE, JobState.CANCELLED])
def test_work_that_has_ended_is_let_go_with_all_it_holds(manager, state):
    held_by_work = Gate()
    gone = weakref.ref(held_by_work)
    held_by_work.open.set()
    running, _ = held(manager)
    job_id = manager.submit("me", held_by_work)
    del held_by_work
    if state is JobState.CANCELLED:
        manager.cancel(job_id)
    running.open.set()
    assert ended(manager, job_id).state is state
    assert until(lambda: gone() is None)


def test_looking_at_a_result_keeps_it_longer(manager):
    jobs = []
    for _ in range(3):
        jobs.append(manager.submit("me", lambda context: np.zeros(1)))
        ended(manager, jobs[-1])
    assert manager.status(jobs[0]) is not None
    ended(manager, manager.submit("me", lambda context: np.zeros(1)))
    assert manager.status(jobs[0]) is not None
    assert manager.status(jobs[1]) is None


def test_a_done_job_is_found_by_its_subject(manager):
    _, running = held(manager)
    manager.cancel(running)
    ended(manager, running)
    done = manager.submit("me", lambda context: np.zeros(1), subject=("A", 1))
    ended(manager, done)
    assert manager.find(("A", 1)).id == done
    assert manager.find(("A", 2)) is None
    assert manager.find(None) is None


def test_closing_cancels_and_takes_no_more(manager):
    _, job_id = held(manager)
    manager.close()
    assert manager.status(job_id).state is JobState.CANCELLED
    with pytest.raises(BusyError, match="shutting down"):
        manager.submit("me", Gate())


def test_a_process_with_a_running_job_exits_cleanly_and_soon():
    program = (
        "import time\n"
        "from primeflow_core.runtime.jobs import JobManager\n"
        "def work(context):\n"
        "    while True:\n"
        "        context.checkpoint(); time.sleep(0.01)\n"
        "manager = JobManager(); manager.submit('me', work); time.sleep(0.1)\n"
    )
    # The job by itself never ends.
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_active_job_is_found_by_its_subject_and_belongs_to_who_asked(manager):
    gate = Gate()
    mine = manager.submit("me", gate, subject="question")
    manager.submit("you", lambda context: np.ones(1), subject="other")
    found = manager.active("question")
    assert found is not None
    assert found.id == mine
    assert manager.belongs(mine, "me")
    assert not manager.belongs(mine, "you")
    gate.open.set()
    ended(manager, mine)
    assert manager.active("question") is None


def test_a_full_disk_is_told_in_plain_words_and_the_next_job_runs(manager):
    def work(context: JobContext) -> np.ndarray:
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/trained")

    status = ended(manager, manager.submit("me", work))
    assert status.state is JobState.FAILED
    assert status.error.startswith("/cache/trained could not be written: the disk is full. Free space there")
    assert ended(manager, manager.submit("me", lambda context: np.zeros(1))).state is JobState.DONE
