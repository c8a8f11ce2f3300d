"""Rankings to show: those that came with the model, those of a job, and how to ask for one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd
import streamlit as st

import pages
from pages.parts.shared import answers
from primeflow_core.errors import CheckpointError, DataError, PrimeflowError
from primeflow_core.model_store.local_models import Model
from primeflow_core.runtime.jobs import JobStatus
from primeflow_core.screening import screen_file
from primeflow_core.screening.candidates import LABEL, Doses, Refusal
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.goals.record import Need
from primeflow_core.screening.screen_file import Screen
from primeflow_core.screening.screen_job import RankedSoFar, ScreenSubject, beside, screen, target_refusal
from primeflow_core.screening.screen_request import Request, foreseen_seconds
from primeflow_core.screening.screen_spec import weights_of

SCREENS = "screens"
_REFUSED = "_rank_refused"


@dataclass(frozen=True)
class Ranking(RankedSoFar):
    """A ranking to show. ``key`` names it; ``shipped``: it came with the model."""

    key: str
    shipped: bool

    @property
    def simulated(self) -> bool:
        return bool(self.screen.about["simulated"])


def shipped(model: Model) -> Mapping[str, Screen]:
    """The rankings in the model's folder by the name of their file; those of other weights are left out."""
    files = sorted((model.folder / SCREENS).glob("*.parquet"))
    state = tuple((file.name, file.stat().st_mtime_ns) for file in files)
    return pages.kept(("screens", *pages.name_of(model), state), partial(_read, model, files))


def _read(model: Model, files: Sequence[Path]) -> dict[str, Screen]:
    if not files:
        return {}
    found: dict[str, Screen] = {}
    try:
        weights = weights_of(model.folder)
    except CheckpointError:
        return found
    for file in files:
        try:
            read = screen_file.read_screen(file)
        except DataError as error:
            st.warning(pages.plain(str(error)), icon=":material/broken_image:")
            continue
        if read.about["order"]["weights"] == weights:
            found[file.stem] = read
    return found


def ranking_of(request: Request, model: Model) -> Ranking | None:
    """What answers ``request``: the job in the address, a job of anybody's, what came with the model; what moves a gene
    is also read from the changes of another ranking of the same candidates."""
    subject = ScreenSubject(request, model.version)
    for status in (answers.job_in_address(), pages.jobs().find(subject)):
        if status is not None and status.subject == subject and not status.state.is_active:
            found = of_job(status)
            if found is not None:
                return found
    for name, found_screen in shipped(model).items():
        if answers_it(found_screen, request):
            return _whole(f"{name}-{model.version}", found_screen, shipped=True)
    return _moving(request, model) if request.goal.record.from_changes else None


def _moving(request: Request, model: Model) -> Ranking | None:
    gene = request.goal.raised[0]
    for name, other in shipped(model).items():
        if len(other.changes) and answers_it(other, replace(request, goal=other.goal)):
            key = ("moves", *pages.name_of(model), name, gene)
            return _whole("-".join(key[3:]), pages.kept(key, partial(screen_file.moves, other, gene)), shipped=True)
    effect = replace(request, goal=Goal("effect"))
    status = pages.jobs().find(ScreenSubject(effect, model.version))
    if status is not None and isinstance(status.result, RankedSoFar) and len(status.result.screen.changes):
        found = pages.kept(("moves", status.id, gene), partial(screen_file.moves, status.result.screen, gene))
        return _whole(f"{status.id}-{gene}", found, shipped=False)
    return None


def _whole(key: str, found: Screen, *, shipped: bool) -> Ranking:
    return Ranking(found, len(found.table), len(found.table), key, shipped)


def of_job(status: JobStatus) -> Ranking | None:
    """What a job has ranked so far; None where that is nothing."""
    result = status.result
    if not isinstance(result, RankedSoFar) or result.screen.table.empty:
        return None
    return Ranking(result.screen, result.done, result.total, f"{status.id}-{result.done}", shipped=False)


def answers_it(found: Screen, request: Request) -> bool:
    """Whether a stored ranking has the goal, the candidates and the settings of the request."""
    order: Mapping[str, Any] = found.about["order"]
    plan = order["plan"]
    alike = ("sampler", "steps", "guidance", "zeros")
    settings = (
        order["cells"] == request.cells
        and list(order["seeds"]) == list(range(request.seed, request.seed + request.seeds))
        and all(plan[name] == getattr(request.plan, name) for name in alike)
    )
    return settings and found.goal == request.goal and labels_of(found) == {
        (c.label, *(value for _, value in c.covariates)) for c in request.candidates
    }  # fmt: skip


def labels_of(found: Screen) -> set[tuple[str, ...]]:
    rows = found.table[["perturbation", *found.covariates]]
    return {tuple(map(str, row)) for row in rows.itertuples(index=False)}


def expected_seconds(request: Request, model: Model) -> float:
    """About how long the candidates take here, with what is checked beside them."""
    conditions = len(request.candidates) + beside(request, model.manifest)
    seconds = foreseen_seconds(request, model.manifest, conditions)
    return seconds if math.isfinite(seconds) else 0.0


def blocked(request: Request, model: Model) -> str:
    """Why a ranking by this target could not be made here; empty where it can, or has no target."""
    if request.goal.target is None:
        return ""
    try:
        cells = pages.cells_of(model)
        found = None if cells is None else (cells.sha256, len(cells))
        key = ("target", *pages.name_of(model), request.goal, found)
        return pages.kept(key, partial(target_refusal, request, cells))
    except PrimeflowError as error:
        return str(error)


def ask(request: Request, refused: tuple[Refusal, ...], model: Model) -> None:
    """Queue a ranking and put its job into the address.

    The cells are read here: the thread of a job has no session, and may not ask a cache of Streamlit.
    """
    subject = ScreenSubject(request, model.version)
    try:
        cells = pages.cells_of(model)
        work = partial(screen, request, refused, lambda: cells, pages.shelf())
        st.query_params["job"] = pages.jobs().submit(
            pages.session(), work, subject=subject, expected_seconds=expected_seconds(request, model), lane="screen"
        )
    except PrimeflowError as error:
        st.session_state[_REFUSED] = str(error)


def command(request: Request, model: Model, ranked: str, doses: Doses) -> str:
    """The same request on the command line; a list must be saved as LIST.csv first."""
    goal = request.goal
    said = ["primeflow", "screen", "--model", str(model.folder)]
    said += ["--candidates", f"all-{ranked}" if ranked in ("pairs", "singles") else "LIST.csv"]
    for column, value in request.candidates[0].covariates:
        said += ["--covariate", f"{column}={value}"]
    said += ["--goal", goal.kind]
    said += ["--target", goal.target.label] if goal.target is not None else []
    if goal.record.need is Need.ONE_GENE:
        said += ["--gene", goal.raised[0]]
    else:
        said += ["--raise", ",".join(goal.raised)] if goal.raised else []
        said += ["--lower", ",".join(goal.lowered)] if goal.lowered else []
    said += ["--doses", str(doses)] if ranked != "list" and doses != "highest" else []
    said += ["--cells", str(request.cells), "--noise-seeds", str(request.seeds), "--seed", str(request.seed)]
    said += ["--guidance", f"{request.plan.guidance:g}"]
    return " ".join(map(quote, [*said, "--out", "HITS.parquet"]))


def list_of(request: Request) -> pd.DataFrame:
    """The candidates as the command reads them."""
    return pd.DataFrame({LABEL: [condition.label for condition in request.candidates]})


def refusal() -> str:
    """Why the last ranking was not started, told once; else empty."""
    return str(st.session_state.pop(_REFUSED, ""))
