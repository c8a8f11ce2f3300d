"""Background jobs for many sessions: three lanes with a fair bounded queue each, progress, cancelling, kept results.

A job is a function of a ``JobContext``. It calls ``context.checkpoint()`` often (at every solver step), which
ends it once its job was cancelled; what it handed to ``context.keep`` before that remains as its result. Front
ends ask for a ``JobStatus`` by the job's id, which nobody can guess, so whoever has the id may look and cancel.
Predictions, screens and trainings have a worker each, so that none keeps the others waiting.
"""

import atexit
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np

from primeflow_core.errors import PrimeflowError
from primeflow_core.runtime.atomic_files import storage_error
from primeflow_core.runtime.job_queue import FairQueue, Limits
from primeflow_core.runtime.memory import lacks_memory

Lane = Literal["quick", "screen", "long"]
QUICK = Limits(most_waiting=24, most_of_one=6, what="prediction")
SCREEN = Limits(most_waiting=4, most_of_one=1, what="ranking")
LONG = Limits(most_waiting=4, most_of_one=1, what="training")

_log = logging.getLogger(__name__)


class BusyError(PrimeflowError):
    """No more jobs are taken for the moment."""


class Cancelled(Exception):  # noqa: N818, it is a request that was granted, not an error
    """Ends a job from inside; raised by ``JobContext.checkpoint``."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        return self in (JobState.QUEUED, JobState.RUNNING)


class Result(Protocol):
    """Anything that knows its size, so that old results can be dropped by bytes."""

    @property
    def nbytes(self) -> int: ...


@dataclass(frozen=True)
class Snapshot:
    """The visible state of a running job: a small ``table`` (n, k) float32, and ``done`` of ``total`` units of work.

    ``seconds_left`` where the job can tell; ``note`` says in words what it is doing.
    """

    table: np.ndarray
    done: int
    total: int
    seconds_left: float | None = None
    note: str = ""

    @property
    def fraction(self) -> float:
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment.

    ``ahead`` jobs of its lane come first, which takes about ``wait_seconds``; ``seconds`` is the time it has been
    running, ``seconds_left`` the expected time, None if it is not known.
    ``result`` is whole when the state is done, and what was kept when it was cancelled; ``error`` is a sentence.
    """

    id: str
    subject: Hashable
    state: JobState
    ahead: int
    wait_seconds: float
    seconds: float
    snapshot: Snapshot | None
    result: Result | None
    error: str
    lane: Lane = "quick"
    seconds_left: float | None = None


@dataclass(eq=False)
class _Job:
    """A job's state in the manager; guarded by the manager's lock, except ``cancel`` and ``finish``."""

    id: str
    session: str
    subject: Hashable
    expected_seconds: float
    lane: Lane
    cancel: threading.Event = field(default_factory=threading.Event)
    finish: threading.Event = field(default_factory=threading.Event)
    state: JobState = JobState.QUEUED
    started: float = 0.0
    ended: float = 0.0
    snapshot: Snapshot | None = None
    published: float = 0.0
    result: Result | None = None
    error: str = ""

    @property
    def nbytes(self) -> int:
        return self.result.nbytes if self.result is not None else 0

    def seconds_left(self, now: float) -> float | None:
        """As the job itself said, less the time since."""
        if self.state is not JobState.RUNNING or self.snapshot is None or self.snapshot.seconds_left is None:
            return None
        return max(0.0, self.snapshot.seconds_left - (now - self.published))

    def rest(self, now: float) -> float:
        """Seconds until a running job ends: as it says itself, else as was expected when it was submitted."""
        foreseen = self.seconds_left(now)
        return max(0.0, self.expected_seconds - self.seconds(now)) if foreseen is None else foreseen

    def seconds(self, now: float) -> float:
        if self.state is JobState.QUEUED or not self.started:
            return 0.0
        return (self.ended or now) - self.started


class JobContext:
    """The interface that a job's work uses to report and to notice a cancel; only for the worker's thread."""

    def __init__(self, job: _Job, lock: threading.Condition, make_room: Callable[[], None]) -> None:
        self._job = job
        self._lock = lock
        self._make_room = make_room

    @property
    def cancelled(self) -> bool:
        return self._job.cancel.is_set()

    @property
    def asked_to_finish(self) -> bool:
        """Whether the user wants the job to end early, with the result so far."""
        return self._job.finish.is_set()

    def checkpoint(self) -> None:
        """Raises Cancelled if the user cancelled the job."""
        if self.cancelled:
            raise Cancelled

    def publish(self, snapshot: Snapshot) -> None:
        """Show progress; the table is copied, so the caller may go on writing to its own."""
        table = np.array(snapshot.table, dtype=np.float32)
        table.setflags(write=False)
        with self._lock:
            self._job.snapshot = replace(snapshot, table=table)
            self._job.published = time.monotonic()

    def keep(self, partial: Result) -> None:
        """Stores a result that is kept if the job is cancelled or fails later."""
        with self._lock:
            self._job.result = partial
            self._make_room()


class JobManager:
    """Runs jobs on one daemon thread a lane, one at a time, sessions in turn.

    Of the ended jobs the ``most_kept`` last looked at stay, while all results, those that running jobs have kept so far
    among them, have ``most_bytes`` together; the newest always stays.
    """

    def __init__(
        self,
        *,
        quick: Limits = QUICK,
        screen: Limits = SCREEN,
        long: Limits = LONG,
        most_kept: int = 48,
        most_bytes: int = 256 << 20,
    ) -> None:
        self._most_kept = most_kept
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._work: dict[str, Callable[[JobContext], Result]] = {}
        limits: dict[Lane, Limits] = {"quick": quick, "screen": screen, "long": long}
        self._waiting: dict[Lane, FairQueue[_Job]] = {lane: FairQueue(limit) for lane, limit in limits.items()}
        self._running: dict[Lane, _Job] = {}
        self._workers: dict[Lane, threading.Thread] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._closed = False

    def submit(
        self,
        session: str,
        work: Callable[[JobContext], Result],
        *,
        subject: Hashable = None,
        expected_seconds: float = 0.0,
        lane: Lane = "quick",
    ) -> str:
        """Queue ``work`` and return the job's id. ``subject`` says what it is about. Raises BusyError."""
        with self._changed:
            self._check_room(session, lane)
            job = _Job(secrets.token_urlsafe(16), session, subject, expected_seconds, lane)
            self._jobs[job.id], self._work[job.id] = job, work
            self._waiting[lane].add(session, job)
            self._start_worker(lane)
            self._changed.notify_all()
            return job.id

    def status(self, job_id: str) -> JobStatus | None:
        """None for an id that never was, or whose result was dropped to make room."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None:
                return None
            if job_id in self._ended:
                self._ended.move_to_end(job_id)
            return self._described(job)

    def find(self, subject: Hashable) -> JobStatus | None:
        """The newest finished job about ``subject``, of any session."""
        with self._changed:
            for job_id in reversed(self._ended):
                job = self._jobs[job_id]
                if job.subject == subject and job.state is JobState.DONE:
                    self._ended.move_to_end(job_id)
                    return self._described(job)
            return None

    def active(self, subject: Hashable) -> JobStatus | None:
        """A waiting or running job about ``subject``, of any session."""
        with self._changed:
            found = (job for job in self._jobs.values() if job.state.is_active and job.subject == subject)
            job = next(found, None)
            return None if job is None else self._described(job)

    def belongs(self, job_id: str, session: str) -> bool:
        """Whether ``session`` submitted the job."""
        with self._changed:
            job = self._jobs.get(job_id)
            return job is not None and job.session == session

    def cancel(self, job_id: str) -> None:
        """A waiting job ends at once, a running one at its next checkpoint; others stay as they are."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or not job.state.is_active:
                return
            job.cancel.set()
            if job.state is JobState.QUEUED:
                self._waiting[job.lane].remove(job.session, job)
                self._end(job, JobState.CANCELLED)

    def finish(self, job_id: str) -> None:
        """Ask a running job to end early and keep what it has; others stay as they are."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is not None and job.state is JobState.RUNNING:
                job.finish.set()

    def close(self, timeout: float = 30.0) -> None:
        """Cancel everything and wait for the workers, which the end of the interpreter would break off inside torch.

        A solver step ends within a second or two; importing torch, which nothing can cancel, may take longer.
        """
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancel.set()
            self._changed.notify_all()
        atexit.unregister(self.close)
        limit = time.monotonic() + timeout
        for worker in self._workers.values():
            worker.join(max(0.0, limit - time.monotonic()))

    def _check_room(self, session: str, lane: Lane) -> None:
        if self._closed:
            raise BusyError("The app is shutting down. Start it again and ask once more.")
        waiting = self._waiting[lane]
        if refusal := waiting.refusal(session, self._wait_before(waiting.order(), lane)):
            raise BusyError(refusal)

    def _start_worker(self, lane: Lane) -> None:
        if not self._workers:
            atexit.register(self.close)
        if lane not in self._workers:
            worker = threading.Thread(target=self._serve, args=(lane,), name=f"primeflow-{lane}-jobs", daemon=True)
            self._workers[lane] = worker
            worker.start()

    def _wait_before(self, ahead: list[_Job], lane: Lane) -> float:
        """Seconds until the lane's running job and those ``ahead`` have ended, as far as their time was expected."""
        running = self._running.get(lane)
        rest = running.rest(time.monotonic()) if running else 0.0
        return rest + sum(job.expected_seconds for job in ahead)

    def _described(self, job: _Job) -> JobStatus:
        ahead, wait = 0, 0.0
        if job.state is JobState.QUEUED:
            order = self._waiting[job.lane].order()
            before = order[: order.index(job)]
            ahead = len(before) + (job.lane in self._running)
            wait = self._wait_before(before, job.lane)
        now = time.monotonic()
        return JobStatus(
            job.id, job.subject, job.state, ahead, wait, job.seconds(now), job.snapshot, job.result, job.error,
            job.lane, job.seconds_left(now),
        )  # fmt: skip

    def _next(self, lane: Lane) -> _Job | None:
        """The job whose turn it is, waiting for one; None once the manager is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting[lane]))
            if self._closed:
                return None
            job = self._waiting[lane].take()
            job.state, job.started = JobState.RUNNING, time.monotonic()
            self._running[lane] = job
            return job

    def _serve(self, lane: Lane) -> None:
        while (job := self._next(lane)) is not None:
            self._perform(job)

    def _perform(self, job: _Job) -> None:
        result, state, error = None, JobState.DONE, ""
        try:
            result = self._work[job.id](JobContext(job, self._changed, self._make_room))
        except Cancelled:
            state = JobState.CANCELLED
        except PrimeflowError as known:
            state, error = JobState.FAILED, str(known)
        except Exception as unknown:  # noqa: BLE001, at the edge of the thread: or the worker dies and all wait forever
            state, error = JobState.FAILED, "There was not enough memory for this. Ask for fewer cells."
            full = storage_error(unknown) if isinstance(unknown, OSError) else None
            if full is not None:
                error = str(full)
            elif not lacks_memory(unknown):
                _log.exception("job %s failed", job.id[:6])
                error = f"Something went wrong inside PRiMeFlow ({type(unknown).__name__}). The server's log says more."
        with self._changed:
            job.result = result if state is JobState.DONE else job.result
            job.error = error
            del self._running[job.lane]
            self._end(job, state)

    def _end(self, job: _Job, state: JobState) -> None:
        job.state, job.ended = state, time.monotonic()
        del self._work[job.id]  # which may hold somebody's cells
        self._ended[job.id] = job.nbytes
        self._make_room()

    def _make_room(self) -> None:
        """Drop the results looked at longest ago; called with the lock held."""
        kept_so_far = sum(job.nbytes for job in self._running.values())
        while len(self._ended) > 1 and (
            len(self._ended) > self._most_kept or kept_so_far + sum(self._ended.values()) > self._most_bytes
        ):
            oldest, _ = self._ended.popitem(last=False)
            del self._jobs[oldest]
