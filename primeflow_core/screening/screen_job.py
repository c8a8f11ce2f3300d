"""A screen as a job: candidates are ranked while rows arrive, and finished rows stay when the job is cancelled."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.evaluation.interaction import FEWEST_CELLS
from primeflow_core.models.checkpoint import Manifest, read_manifest
from primeflow_core.prediction.control_rows import control_rows, in_training
from primeflow_core.prediction.prediction_job import ModelShelf
from primeflow_core.runtime.jobs import JobContext, Snapshot
from primeflow_core.screening.candidates import Refusal
from primeflow_core.screening.screen_file import UNFINISHED, Screen
from primeflow_core.screening.screen_request import Request, finished, prepared, told_trust
from primeflow_core.screening.screen_spec import ScreenOrder

if TYPE_CHECKING:
    import pyarrow as pa

    from primeflow_core.screening.reference_cells import Reference
    from primeflow_core.screening.trust import Trust
    from primeflow_core.screening.worker_context import WorkerContext

PREPARING, CHECKING, RANKING = "Preparing", "Checking what was held out", "Ranking"
# Ranking unfinished results must not take more than this share of the time.
_SHARE_OF_RANKING, _SHORTEST_WAIT = 0.1, 1.0


@dataclass(frozen=True)
class ScreenSubject:
    """The question and the weights that answer it. Equal subjects have equal rankings."""

    request: Request
    version: int


@dataclass(frozen=True)
class RankedSoFar:
    """The ranking of the first ``done`` of ``total`` candidates."""

    screen: Screen
    done: int
    total: int

    @property
    def is_whole(self) -> bool:
        return self.done == self.total

    @property
    def nbytes(self) -> int:
        changes = self.screen.changes.nbytes + self.screen.change_errors.nbytes
        return int(changes + self.screen.table.memory_usage(deep=True).sum())


def beside(request: Request, manifest: Manifest) -> int:
    """The largest number of held-out conditions that are screened with the candidates, to check the ranking."""
    alike = {(condition.covariates, len(condition.perturbations)) for condition in request.candidates}
    held_out = {c for c in manifest.held_out if (c.covariates, len(c.perturbations)) in alike}
    return len(held_out.difference(request.candidates))


def target_refusal(request: Request, cells: Cells | None) -> str:
    """Why a screen by the target of ``request`` would be refused, before anything is computed; empty where it would
    not. ``cells``: those that the model was trained on. Raises DataError for too few controls."""
    target = request.goal.target
    if target is None:
        return ""
    if cells is None:
        name = read_manifest(request.folder).dataset
        return (
            f"{target.label} was measured in {name}, whose cells are not on this machine, and a target needs its cells."
            " Bring them here, or choose another goal."
        )
    rows = cells.where(target)
    others = control_rows(cells, target, in_training(cells, request.folder))[1]
    if min(len(rows), len(others)) < FEWEST_CELLS:
        return (
            f"{cells.source} has {len(rows)} cells of {target.label} and {len(others)} controls beside them; a target "
            f"needs {FEWEST_CELLS} of each at least. Choose one that was measured."
        )
    return ""


def screen(
    request: Request,
    refused: Sequence[Refusal],
    read: Callable[[], Cells | None],
    shelf: ModelShelf,
    context: JobContext,
) -> RankedSoFar:
    """The work of a job of the screen lane. ``read`` gives the cells the model was trained on, where they are here; it
    is called on the job's own thread.

    Ends before the next candidate once it was cancelled; the ranking kept last remains. On one thread, as the engine
    screens, so that the scores are the same and other lanes keep a core. Raises PrimeflowError.
    """
    from primeflow_core.screening.engine import one_thread
    from primeflow_core.screening.worker_context import WorkerContext

    context.publish(Snapshot(np.zeros((0, 0)), 0, len(request.candidates), note=PREPARING))
    cells, predictor = read(), shelf.model(request.folder)
    context.checkpoint()
    with one_thread():
        order, reference = prepared(request, cells, lambda: predictor)
        return _Run(request, refused, cells, order, reference, context).whole(
            WorkerContext(order, predictor, reference)
        )


class _Run:
    """The rows of a screen so far, and the reports on them."""

    def __init__(
        self,
        request: Request,
        refused: Sequence[Refusal],
        cells: Cells | None,
        order: ScreenOrder,
        reference: "Reference",
        context: JobContext,
    ) -> None:
        self._request, self._refused, self._cells = request, refused, cells
        self._order, self._reference, self._context = order, reference, context
        self._manifest = read_manifest(request.folder)
        self._rows: list[pa.Table] = []
        self._trust: Trust | None = None
        self._began = self._told = time.monotonic()
        self._cost = 0.0
        self._wanted = frozenset(order.candidates)
        self._done = 0

    def whole(self, bench: "WorkerContext") -> RankedSoFar:
        everything, checked = self._order.everything, len(set(self._order.checked))
        for position, condition in enumerate(everything):
            self._rows.append(bench.screened([position], self._context.checkpoint))
            # Checked conditions that nobody asked to rank do not count.
            self._done += condition in self._wanted
            if position + 1 == checked:
                self._trust = told_trust(
                    self._joined(), self._order, self._reference, self._cells, self._request.folder
                )
            self._tell(CHECKING if position + 1 < checked else RANKING)
        return self._ranked()

    def _tell(self, note: str) -> None:
        """Progress after every candidate; the ranking as often as its cost allows."""
        now, total = time.monotonic(), len(self._order.everything)
        left = (now - self._began) / len(self._rows) * (total - len(self._rows))
        if now - self._told > max(_SHORTEST_WAIT, self._cost / _SHARE_OF_RANKING) and self._done:
            self._context.keep(self._ranked())
            self._told = time.monotonic()
            self._cost = self._told - now
        self._context.publish(Snapshot(np.zeros((0, 0)), len(self._rows), total, left, note))

    def _ranked(self) -> RankedSoFar:
        done, total = self._done, len(self._wanted)
        found = finished(
            self._rows, self._order, self._reference, self._manifest,
            trust=self._trust, refused=self._refused, changes=True,
        )  # fmt: skip
        if done < total:
            found = replace(found, about={**found.about, UNFINISHED: [done, total]})
        return RankedSoFar(found, done, total)

    def _joined(self) -> "pa.Table":
        import pyarrow as pa

        return pa.concat_tables(self._rows)
