"""Long work for many sessions: one worker, a bounded fair queue, progress, cancelling, and results that are kept.

A job is a function of a ``JobContext``. It calls ``context.checkpoint()`` often (at every solver step), which
ends it once its job was cancelled; what it handed to ``context.keep`` before that remains as its result. Front
ends ask for a ``JobStatus`` by the job's id, which nobody can guess, so whoever has the id may look and cancel.
"""

import atexit
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from primeflow_core.errors import PrimeflowError

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
    """What a running job shows of itself: a small ``table`` (n, k) float32, and ``done`` of ``total`` units of work."""

    table: np.ndarray
    done: int
    total: int

    @property
    def fraction(self) -> float:
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment.

    ``ahead`` jobs come first, which takes about ``wait_seconds``; ``seconds`` is the time it has been running.
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


@dataclass(eq=False)
class _Job:
    """What the manager knows of a job; guarded by the manager's lock, ``cancel`` excepted."""

    id: str
    session: str
    work: Callable[["JobContext"], Result]
    subject: Hashable
    expected_seconds: float
    cancel: threading.Event = field(default_factory=threading.Event)
    state: JobState = JobState.QUEUED
    started: float = 0.0
    ended: float = 0.0
    snapshot: Snapshot | None = None
    result: Result | None = None
    error: str = ""

    def seconds(self, now: float) -> float:
        if self.state is JobState.QUEUED or not self.started:
            return 0.0
        return (self.ended or now) - self.started


class JobContext:
    """What the work of a job may do; used on the worker's thread only."""

    def __init__(self, job: _Job, lock: threading.Condition) -> None:
        self._job = job
        self._lock = lock

    @property
    def cancelled(self) -> bool:
        return self._job.cancel.is_set()

    def checkpoint(self) -> None:
        """Raises Cancelled when somebody cancelled the job."""
        if self.cancelled:
            raise Cancelled

    def publish(self, snapshot: Snapshot) -> None:
        """Show progress; the table is copied, so the caller may go on writing to its own."""
        table = np.array(snapshot.table, dtype=np.float32)
        table.setflags(write=False)
        with self._lock:
            self._job.snapshot = Snapshot(table, snapshot.done, snapshot.total)

    def keep(self, partial: Result) -> None:
        """What remains as the result if the job is cancelled or fails later."""
        with self._lock:
            self._job.result = partial


class JobManager:
    """Runs jobs one at a time on one daemon thread, sessions in turn.

    At most ``most_waiting`` jobs wait, ``most_of_one`` of one session. Of the ended ones the ``most_kept`` last
    looked at stay, while their results have ``most_bytes`` together; the newest always stays.
    """

    def __init__(
        self, *, most_waiting: int = 8, most_of_one: int = 2, most_kept: int = 32, most_bytes: int = 256 << 20
    ) -> None:
        self._most_waiting = most_waiting
        self._most_of_one = most_of_one
        self._most_kept = most_kept
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._jobs: dict[str, _Job] = {}
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._running: _Job | None = None
        self._worker: threading.Thread | None = None
        self._closed = False

    def submit(
        self,
        session: str,
        work: Callable[[JobContext], Result],
        *,
        subject: Hashable = None,
        expected_seconds: float = 0.0,
    ) -> str:
        """Queue ``work`` and return the job's id. ``subject`` says what it is about. Raises BusyError."""
        with self._changed:
            self._check_room(session)
            job = _Job(secrets.token_urlsafe(16), session, work, subject, expected_seconds)
            self._jobs[job.id] = job
            self._waiting.setdefault(session, deque()).append(job)
            self._start_worker()
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
        """The newest job about ``subject`` that is done, whoever asked for it."""
        with self._changed:
            for job_id in reversed(self._ended):
                job = self._jobs[job_id]
                if job.subject == subject and job.state is JobState.DONE:
                    return self._described(job)
            return None

    def cancel(self, job_id: str) -> None:
        """A waiting job ends at once, a running one at its next checkpoint; others stay as they are."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or not job.state.is_active:
                return
            job.cancel.set()
            if job.state is JobState.QUEUED:
                self._take_out(job)
                self._end(job, JobState.CANCELLED)

    def close(self, timeout: float = 30.0) -> None:
        """Cancel everything and wait for the worker, which the end of the interpreter would break off inside torch.

        A solver step ends within a second or two; importing torch, which nothing can cancel, may take longer.
        """
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancel.set()
            self._changed.notify_all()
        atexit.unregister(self.close)
        if self._worker is not None:
            self._worker.join(timeout)

    def _check_room(self, session: str) -> None:
        if self._closed:
            raise BusyError("The app is shutting down. Start it again and ask once more.")
        mine = len(self._waiting.get(session, ()))
        if mine >= self._most_of_one:
            raise BusyError(f"You have {mine} predictions waiting already. Cancel one, or wait for it.")
        order = self._order()
        if len(order) >= self._most_waiting:
            wait = self._wait_before(order)
            raise BusyError(f"{len(order)} predictions are waiting already. Try again in about {wait:.0f} s.")

    def _start_worker(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._serve, name="primeflow-jobs", daemon=True)
            self._worker.start()
            atexit.register(self.close)

    def _order(self) -> list[_Job]:
        """Waiting jobs in the order they will run: one of each session in turn."""
        queues = [list(queue) for queue in self._waiting.values()]
        longest = max((len(queue) for queue in queues), default=0)
        return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]

    def _wait_before(self, ahead: list[_Job]) -> float:
        """Seconds until the running job and those ``ahead`` have ended, as far as they were foreseen."""
        running = self._running
        rest = max(0.0, running.expected_seconds - running.seconds(time.monotonic())) if running else 0.0
        return rest + sum(job.expected_seconds for job in ahead)

    def _described(self, job: _Job) -> JobStatus:
        ahead, wait = 0, 0.0
        if job.state is JobState.QUEUED:
            order = self._order()
            before = order[: order.index(job)]
            ahead = len(before) + (self._running is not None)
            wait = self._wait_before(before)
        seconds = job.seconds(time.monotonic())
        return JobStatus(
            job.id, job.subject, job.state, ahead, wait, seconds, job.snapshot, job.result, job.error
        )  # fmt: skip

    def _take_out(self, job: _Job) -> None:
        queue = self._waiting[job.session]
        queue.remove(job)
        if not queue:
            del self._waiting[job.session]

    def _next(self) -> _Job | None:
        """The job whose turn it is, waiting for one; None once the manager is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            session, queue = next(iter(self._waiting.items()))
            job = queue.popleft()
            self._waiting.move_to_end(session)
            if not queue:
                del self._waiting[session]
            job.state, job.started = JobState.RUNNING, time.monotonic()
            self._running = job
            return job

    def _serve(self) -> None:
        while (job := self._next()) is not None:
            self._perform(job)

    def _perform(self, job: _Job) -> None:
        result, state, error = None, JobState.DONE, ""
        try:
            result = job.work(JobContext(job, self._changed))
        except Cancelled:
            state = JobState.CANCELLED
        except PrimeflowError as known:
            state, error = JobState.FAILED, str(known)
        except MemoryError:
            state, error = JobState.FAILED, "There was not enough memory for this. Ask for fewer cells."
        except Exception as unknown:  # noqa: BLE001, at the edge of the thread: or the worker dies and all wait forever
            _log.exception("job %s failed", job.id[:6])
            state = JobState.FAILED
            error = f"Something went wrong inside PRiMeFlow ({type(unknown).__name__}). The server's log says more."
        with self._changed:
            job.result = result if state is JobState.DONE else job.result
            job.error = error
            self._running = None
            self._end(job, state)

    def _end(self, job: _Job, state: JobState) -> None:
        job.state, job.ended = state, time.monotonic()
        self._ended[job.id] = job.result.nbytes if job.result is not None else 0
        while len(self._ended) > 1 and (
            len(self._ended) > self._most_kept or sum(self._ended.values()) > self._most_bytes
        ):
            oldest, _ = self._ended.popitem(last=False)
            del self._jobs[oldest]
