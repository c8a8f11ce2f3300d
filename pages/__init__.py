"""What pages share: everything that is cached, the address, the answer to a question, and a running job."""

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from primeflow_core.cells import Cells
from primeflow_core.checkpoint import CONFIG, read_preview
from primeflow_core.comparison import Background, Comparison, background, compared
from primeflow_core.conditions import Condition
from primeflow_core.datasets import Dataset, fetch, local_path, open_cells
from primeflow_core.errors import DownloadError
from primeflow_core.generation import Generated, h5ad_bytes
from primeflow_core.jobs import BusyError, JobContext, JobManager, JobStatus
from primeflow_core.library import Library, Model, read_library
from primeflow_core.prediction import ModelShelf, Place, Prediction, Question, predict
from primeflow_core.projection import Map, PCAMap, UMAPMap

ROOT = Path(__file__).resolve().parents[1]
SIDEBAR_WIDTH, CARD_TITLE, USUAL_CELLS = 310, 44, 200
# Drawn here because Streamlit would ask another server for icons of its own set: a ring, a circle, a diamond.
MARK = (
    '<circle cx="7" cy="22" r="4.5" fill="none" stroke="#8A94A3" stroke-width="2.5"/>'
    '<circle cx="17" cy="10" r="6" fill="#0072B2"/><path d="M25 15l6 7-6 7-6-7z" fill="#D55E00"/>'
)
ICON = f'<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32" viewBox="0 0 32 32">{MARK}</svg>'
LOGO = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="176" height="32" viewBox="0 0 176 32">{MARK}'
    '<text x="42" y="23" font-family="Source Sans Pro, Segoe UI, Helvetica, Arial, sans-serif" font-size="22" '
    'font-weight="600" fill="#5F7F9C">PRiMeFlow</text></svg>'
)
_ADDRESS, _SESSION, _REFUSED = "_address", "_session", "_refused"


def begin(title: str) -> None:
    """First call of a page, which runs without app.py when a fresh server is opened at its address."""
    st.set_page_config(
        page_title=f"{title} · PRiMeFlow", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH
    )
    st.logo(LOGO, icon_image=ICON)


def plain(text: str) -> str:
    """Text from a file or an address as Markdown that shows it as it is: no formatting, links or images."""
    one_line = " ".join(str(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$&=^])", r"\\\1", one_line)
    # Links, emoji and icons are looked for after the escapes are gone; a zero-width space breaks them up.
    return re.sub(r"([:@]|www)", "\\1\N{ZERO WIDTH SPACE}", escaped)


# Caches. Keys are folders, versions and checksums; an argument with an underscore is not part of the key.


@st.cache_resource(max_entries=1, show_spinner=False)
def jobs() -> JobManager:
    return JobManager()


@st.cache_resource(max_entries=1, show_spinner=False)
def shelf() -> ModelShelf:
    return ModelShelf()


@st.cache_resource(max_entries=4, show_spinner=False)
def _library(place: Path, state: tuple[tuple[str, int], ...]) -> Library:
    return read_library(place)


@st.cache_resource(max_entries=3, show_spinner="Reading the cells …")
def _cells(name: str, modified: int) -> Cells:
    return open_cells(name)


@st.cache_resource(max_entries=4, show_spinner=False)
def previews(folder: Path, version: int) -> dict[Condition, np.ndarray]:
    """Cells that a model ships with, by condition."""
    return read_preview(folder)


@st.cache_resource(max_entries=8, show_spinner=False)
def _background(key: tuple[str, ...], _cells: Cells, _model: Model, _at: Condition) -> Background:
    return background(_cells, _model.manifest.genes, _at, _model.folder)


@st.cache_resource(max_entries=8, show_spinner=False)
def pca_map(key: tuple[str, ...], _values: np.ndarray) -> PCAMap:
    """The map of the cells (n, G) that ``key`` names."""
    return PCAMap(_values)


@st.cache_resource(max_entries=64, show_spinner=False)
def placed(key: tuple[str, ...], _map: Map, _values: np.ndarray) -> np.ndarray:
    """Cells (n, G) on a map (n, 2); ``key`` names both."""
    return _map.place(_values)


@st.cache_resource(max_entries=16, show_spinner=False)
def comparison(
    key: tuple[str, ...],
    _predicted: np.ndarray,
    _measured: np.ndarray,
    _known: Background,
    _genes: tuple[str, ...],
) -> Comparison:
    """Predicted against measured cells of the condition that ``key`` names."""
    return compared(_predicted, _measured, _known, _genes)


# Models and their cells


def library() -> Library:
    place = Path(os.environ.get("PRIMEFLOW_CHECKPOINTS", "") or ROOT / "checkpoints")
    configs = sorted(place.glob(f"*/{CONFIG}"))
    # Weights change under a description that stays: both belong to the state.
    watched = [file for config in configs for file in sorted(config.parent.glob("*.*"))]
    return _library(place, tuple((str(file), file.stat().st_mtime_ns) for file in watched))


def cells_of(model: Model) -> Cells | None:
    """The cells that a model was trained on; None where they are not on this machine. Raises PrimeflowError."""
    dataset = model.dataset
    if dataset is None:
        return None
    path = local_path(dataset.name)
    if path is None and not dataset.simulated:
        return None
    return _cells(dataset.name, path.stat().st_mtime_ns if path else 0)


def background_of(model: Model, cells: Cells, condition: Condition) -> Background:
    """Controls and cells of the condition's context. Raises DataError."""
    return _background((*_name(model), cells.sha256, condition.context), cells, model, condition.control())


def offer_download(datasets: Sequence[Dataset]) -> None:
    """A button for each data set; what it brings changes what the app opens on."""
    for dataset in datasets:
        size = f" ({dataset.size / 1e6:.1f} MB)" if dataset.size else ""
        st.caption(
            f"The real cells of {plain(dataset.name)} are public ({plain(dataset.licence)}) but not on this machine."
        )
        if st.button(
            f"Download real cells{size}", key=f"fetch-{dataset.name}", icon=":material/download:", width="stretch"
        ):
            _bring(dataset)


def _bring(dataset: Dataset) -> None:
    try:
        with st.spinner("Downloading …"):
            fetch(dataset.name)
    except DownloadError as error:
        st.error(plain(str(error)))
        return
    for key in (*st.session_state.get(_ADDRESS, {}), "job"):
        if key in st.query_params:
            del st.query_params[key]
    st.rerun()


# The address: what a link must carry so that it shows the same view


def read_address(keys: Sequence[str]) -> dict[str, str] | None:
    """What the address says of ``keys`` when a link, or back and forward, changed it; None while it says our own."""
    said = {key: st.query_params[key] for key in keys if st.query_params.get(key)}
    if said == st.session_state.get(_ADDRESS):
        return None
    st.session_state[_ADDRESS] = said
    return said


def write_address(values: dict[str, str]) -> None:
    """Put ``values`` into the address, and leave out what is empty."""
    kept = {key: value for key, value in values.items() if value}
    for key in values:
        if key in kept and st.query_params.get(key) != kept[key]:
            st.query_params[key] = kept[key]
        elif key not in kept and key in st.query_params:
            del st.query_params[key]
    st.session_state[_ADDRESS] = kept


# Questions and answers


@dataclass(frozen=True)
class Answer:
    """Predicted cells to show; ``key`` names them, ``shipped`` says that they came with the model."""

    key: str
    prediction: Prediction
    shipped: bool = False


def answer_to(question: Question, model: Model) -> Answer | None:
    """The job in the address, else anybody's answer to the same question, else the cells that came with the model."""
    for status in (job_in_address(), jobs().find(question)):
        if status is None or status.subject != question or status.state.is_active:
            continue
        if isinstance(status.result, Prediction) and len(status.result.values):
            return Answer(f"{status.id}-{len(status.result.values)}", status.result)
    shipped = previews(model.folder, model.version).get(question.condition)
    if shipped is not None and question.plan == model.manifest.sampling and question.cells == len(shipped):
        key = "-".join((*_name(model), question.condition.label, question.condition.context))
        return Answer(key, Prediction(shipped, len(shipped), question.plan), shipped=True)
    return None


def usual_cells(model: Model) -> int:
    """How many cells to ask for at first: as many as were shipped, so that those are the answer."""
    return max((len(shipped) for shipped in previews(model.folder, model.version).values()), default=USUAL_CELLS)


def job_in_address() -> JobStatus | None:
    """The job that the address names, so that a page loaded again finds it; None for none, or one long gone."""
    job_id = st.query_params.get("job")
    return jobs().status(job_id) if job_id else None


def ask(question: Question, place: Place | None, expected_seconds: float) -> None:
    """Queue a prediction and put its job into the address."""

    def work(context: JobContext) -> Prediction:
        return predict(question, models, place, context)

    models = shelf()
    try:
        st.query_params["job"] = jobs().submit(session(), work, subject=question, expected_seconds=expected_seconds)
    except BusyError as error:
        st.session_state[_REFUSED] = str(error)


def refusal() -> str:
    """Why the last question was not taken, once; else empty."""
    return str(st.session_state.pop(_REFUSED, ""))


def umap_job(key: tuple[str, ...], values: np.ndarray) -> JobStatus | None:
    """The job that fits the UMAP of the cells that ``key`` names, started if need be; None when it was refused."""
    subject = ("umap", *key)
    mine = "-".join(subject)
    status = jobs().find(subject) or jobs().status(st.session_state.get(mine, ""))
    if status is None:
        try:
            st.session_state[mine] = jobs().submit(
                session(), lambda context: UMAPMap(values), subject=subject, expected_seconds=40.0
            )
        except BusyError as error:
            st.session_state[_REFUSED] = str(error)
            return None
        status = jobs().status(st.session_state[mine])
    return status


def saved_as(name: str) -> dict[str, object]:
    """A figure's tools: its camera saves a vector graphic."""
    return {"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": f"primeflow-{name}"}}


def session() -> str:
    """Names this browser tab's session, so that the queue can be fair."""
    return str(st.session_state.setdefault(_SESSION, secrets.token_urlsafe(16)))


def waiting_text(status: JobStatus) -> str:
    """For instance ``Two predictions are ahead of you, about 25 s.``"""
    numbers = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    count = numbers[status.ahead] if status.ahead < len(numbers) else str(status.ahead)
    jobs_are = "prediction is" if status.ahead == 1 else "predictions are"
    return f"{count} {jobs_are} ahead of you, about {duration(status.wait_seconds)}."


def duration(seconds: float) -> str:
    """For instance ``25 s`` or ``12 min``."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def h5ad_of(answer: Answer, model: Model, condition: Condition) -> bytes:
    """Predicted cells as an .h5ad with their provenance."""
    cells = answer.prediction.values
    generated = Generated(cells, (condition,) * len(cells), (condition.label,) * len(cells))
    return h5ad_bytes(generated, model.manifest, answer.prediction.plan)


def file_name(model: Model, condition: Condition, ending: str) -> str:
    """A name for a download that any file system takes."""
    stem = f"{condition.label} {condition.context} {model.folder.name}"
    return re.sub(r"[^A-Za-z0-9.+@-]+", "_", stem).strip("_") + ending


def _name(model: Model) -> tuple[str, ...]:
    return str(model.folder), str(model.version)
