"""Questions and their answers: queue a prediction, find its result, wait, and save the cells."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import streamlit as st

import pages
from primeflow_core.data.conditions import Condition
from primeflow_core.model_store.local_models import Model
from primeflow_core.prediction import shipped_cells
from primeflow_core.prediction.generation import Generated, h5ad_bytes
from primeflow_core.prediction.prediction_job import Place, Prediction, PredictionRequest, predict
from primeflow_core.prediction.shipped_cells import shipped_answer
from primeflow_core.runtime.jobs import BusyError, JobContext, JobState, JobStatus, Result

LOOKED_AGAIN, LOOKED_AT_LEISURE, LONG = 0.5, 2.0, 20.0
"""Seconds between two looks at a job: a short one, one expected to take long, and the limit between the two. Looking
costs the job time."""
R = TypeVar("R", bound=Result)
_REFUSED = "_refused"


@dataclass(frozen=True)
class Answer:
    """Predicted cells to show. ``key`` names them. ``shipped``: they came with the model."""

    key: str
    prediction: Prediction
    shipped: bool = False


def prediction_of(answer: Answer | None) -> Prediction | None:
    return None if answer is None else answer.prediction


def answer_to(question: PredictionRequest, model: Model) -> Answer | None:
    """The result of the job in the address, else anybody's result for this question, else the model's shipped cells."""
    for status in (job_in_address(), pages.jobs().find(question)):
        if status is None or status.subject != question or status.state.is_active:
            continue
        if isinstance(status.result, Prediction) and len(status.result.values):
            return Answer(f"{status.id}-{len(status.result.values)}", status.result)
    shipped = shipped_answer(question, pages.previews(model), model.manifest.sampling)
    if shipped is None:
        return None
    key = "-".join((*pages.name_of(model), question.condition.label, question.condition.context))
    return Answer(key, shipped, shipped=True)


def usual_cells(model: Model) -> int:
    """The number of cells to start with."""
    return shipped_cells.usual_cells(pages.previews(model))


def job_in_address() -> JobStatus | None:
    """The job that the address names, so that a reloaded page finds it. None if there is none, or it is gone."""
    job_id = st.query_params.get("job")
    return pages.jobs().status(job_id) if job_id else None


def ask(question: PredictionRequest, place: Place | None, expected_seconds: float) -> None:
    """Queue a prediction and put its job into the address."""
    job = queue(question, place, expected_seconds)
    if job is not None:
        st.query_params["job"] = job


def queue(question: PredictionRequest, place: Place | None, expected_seconds: float) -> str | None:
    """Queue a prediction and return its job; None if it was refused, see ``refusal``."""

    def work(context: JobContext) -> Prediction:
        return predict(question, models, place, context)

    models = pages.shelf()
    try:
        return pages.jobs().submit(pages.session(), work, subject=question, expected_seconds=expected_seconds)
    except BusyError as error:
        st.session_state[_REFUSED] = str(error)
        return None


def refusal() -> str:
    """Why the last question was refused. Said once; else empty."""
    return str(st.session_state.pop(_REFUSED, ""))


def waiting_text(status: JobStatus) -> str:
    """For instance ``Two jobs are ahead of you, about 25 s.``"""
    numbers = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    count = numbers[status.ahead] if status.ahead < len(numbers) else str(status.ahead)
    jobs_are = "job is" if status.ahead == 1 else "jobs are"
    return f"{count} {jobs_are} ahead of you, about {pages.duration(status.wait_seconds)}."


def h5ad_of(answer: Answer, model: Model, condition: Condition, known: np.ndarray | None = None) -> bytes:
    """Predicted cells as an .h5ad with their provenance, placed on the components of ``known`` cells (m, G)."""
    cells = answer.prediction.values
    generated = Generated(cells, (condition,) * len(cells), (condition.label,) * len(cells))
    return h5ad_bytes(generated, model.manifest, answer.prediction.plan, known)


def file_name(model: Model, condition: Condition, ending: str) -> str:
    """A file name for a download, valid on any file system."""
    stem = f"{condition.label} {condition.context} {model.folder.name}"
    return re.sub(r"[^A-Za-z0-9.+@-]+", "_", stem).strip("_") + ending


def result_of(subject: Hashable, work: Callable[[], R], kind: type[R], doing: str, seconds: float = 8.0) -> R | None:
    """The result of ``work``, which runs as a job. None until it is finished, or if it failed."""
    mine = f"_job_{hash(subject)}"
    status = pages.jobs().find(subject) or pages.jobs().status(st.session_state.get(mine, ""))
    if status is None:
        try:
            st.session_state[mine] = pages.jobs().submit(
                pages.session(), lambda context: work(), subject=subject, expected_seconds=seconds
            )
        except BusyError as error:
            st.warning(pages.plain(str(error)), icon=":material/hourglass_top:")
            return None
        status = pages.jobs().status(st.session_state[mine])
    if status is None:
        return None
    if isinstance(status.result, kind):
        return status.result
    if status.state.is_active:
        st.fragment(run_every=LOOKED_AGAIN if seconds < LONG else LOOKED_AT_LEISURE)(wait_for)(status.id, doing)
        return None
    st.error(pages.plain(status.error or f"It was cancelled before the {doing}."), icon=":material/error:")
    st.button("Try again", key=f"again-{mine}", on_click=st.session_state.pop, args=(mine, None))
    return None


def wait_for(job_id: str, doing: str) -> None:
    status = pages.jobs().status(job_id)
    if status is None or not status.state.is_active:
        st.rerun()
    st.progress(
        0.0,
        text=f"The {doing}, for {status.seconds:.0f} s …" if status.state is JobState.RUNNING else waiting_text(status),
    )
