"""What all pages share: their order and links, the caches, and the cells that belong to a model."""

import os
import re
import secrets
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.parts import address
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.datasets import Dataset, fetch, local_path, open_cells
from primeflow_core.errors import DownloadError
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.model_store.available_conditions import Covariates
from primeflow_core.model_store.fitted_baselines import fitted_to_training
from primeflow_core.model_store.local_models import Library, Model, models_folder, read_library
from primeflow_core.model_store.training_cells import perturbed_training_of
from primeflow_core.models.baselines.fit import FittedBaselines
from primeflow_core.models.checkpoint import CONFIG, read_preview
from primeflow_core.prediction.measured_comparison import Background, background, background_of_own
from primeflow_core.prediction.prediction_job import ModelShelf
from primeflow_core.prediction.projection import Map, PCAMap
from primeflow_core.report.pinned_findings import Notebooks
from primeflow_core.runtime.jobs import JobManager
from primeflow_core.user_data.uploads import file_of_sha
from primeflow_core.user_data.user_cells import Own, OwnShelf, aligned, read_own, read_trained_on

ROOT = Path(__file__).resolve().parents[1]
SIDEBAR_WIDTH = 310
FIGURE = {"displaylogo": False, "modeBarButtonsToRemove": ["toImage"]}
T = TypeVar("T")
# A ring, a circle and a diamond. Drawn here, because Streamlit loads its own icons from another server.
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
# Streamlit writes white on the primary colour, which must be light in the dark theme, and greys the text of figures.
CONTRAST = """<style>
button[kind="primary"]:enabled, button[kind="primary"]:enabled *,
[data-testid="stMultiSelect"] [data-tag], [data-testid="stMultiSelect"] [data-tag] * {
    color: light-dark(#FFFFFF, #0F151C); }
[data-testid="stPlotlyChart"] svg text { fill: currentColor !important; }
</style>"""
_SESSION = "_session"


@dataclass(frozen=True)
class Page:
    """A page. ``name`` is the name of its file."""

    name: str
    title: str
    icon: str

    @property
    def file(self) -> str:
        return f"pages/{self.name}.py"


PAGES = (
    Page("explore", "Explore a response", ":material/bubble_chart:"),
    Page("screen", "Rank combinations", ":material/leaderboard:"),
    Page("compare", "Compare", ":material/compare_arrows:"),
    Page("cells", "Your cells", ":material/upload_file:"),
    Page("benchmark", "Benchmark", ":material/social_leaderboard:"),
    Page("report", "Report", ":material/co_present:"),
    Page("about", "About", ":material/info:"),
)


def begin(title: str) -> None:
    """The first call of every page. A page runs without app.py when a fresh server is opened at its address."""
    st.set_page_config(
        page_title=f"{title} · PRiMeFlow", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH
    )
    address.arrive(title)
    st.logo(LOGO, icon_image=ICON)
    st.html(CONTRAST)
    if _stands_beside_the_others():
        with st.sidebar.container(gap="xxsmall", key="navigation"):
            for page in PAGES:
                link_to(page.name)


def model_of(name: str) -> str:
    """The model that a page showed last; empty before it was opened."""
    page = next(page for page in PAGES if page.name == name)
    return address.said(page.title).get("model", "")


def link_to(
    name: str, label: str | None = None, icon: str | None = None, query: Mapping[str, str] | None = None
) -> None:
    """A link to a page as the user left it, or with the given ``query``."""
    page = next(page for page in PAGES if page.name == name)
    parameters = address.link_to(page.title) if query is None else {**address.everywhere(), **query}
    if _stands_beside_the_others():
        st.page_link(page.file, label=label or page.title, icon=icon or page.icon, query_params=parameters)
    else:
        st.link_button(
            label or page.title, f"./{name}?{urlencode(parameters)}", icon=icon or page.icon, type="tertiary"
        )


def _stands_beside_the_others() -> bool:
    """Whether this page runs under app.py, so that links to other pages are paths. A page started alone has none."""
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and Path(context.main_script_path).resolve() == ROOT / "app.py"


def plain(text: str) -> str:
    """Text from a file or an address, escaped: Markdown shows it without formatting, links or images."""
    one_line = " ".join(str(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$&=^])", r"\\\1", one_line)
    # Streamlit looks for links, emoji and icons after it removes the escapes. A zero-width space breaks them up.
    return re.sub(r"(:(?=\S)|@|www)", "\\1\N{ZERO WIDTH SPACE}", escaped)


# Caches. Keys are folders, versions and checksums; an argument with an underscore is not part of the key.


@st.cache_resource(max_entries=1, show_spinner=False)
def jobs() -> JobManager:
    return JobManager()


@st.cache_resource(max_entries=1, show_spinner=False)
def shelf() -> ModelShelf:
    return ModelShelf()


@st.cache_resource(max_entries=1, show_spinner=False)
def own_shelf() -> OwnShelf:
    return OwnShelf()


@st.cache_resource(max_entries=1, show_spinner=False)
def notebooks() -> Notebooks:
    return Notebooks()


@st.cache_resource(max_entries=4, show_spinner=False)
def _library(places: tuple[Path, ...], state: tuple[tuple[str, int], ...]) -> Library:
    return read_library(*places)


@st.cache_resource(max_entries=3, show_spinner="Reading the cells …")
def _cells(name: str, modified: int) -> Cells:
    return open_cells(name)


@st.cache_resource(max_entries=4, show_spinner=False)
def _previews(folder: Path, version: int) -> dict[Condition, np.ndarray]:
    return read_preview(folder)


def previews(model: Model) -> dict[Condition, np.ndarray]:
    """Cells that a model ships with, by condition; none where they cannot be read, as the library says."""
    return _previews(model.folder, model.version) if model.previewed else {}


@st.cache_resource(max_entries=8, show_spinner=False)
def _background(key: tuple[str, ...], _cells: Cells, _model: Model, _at: Condition) -> Background:
    return background(_cells, _model.manifest.genes, _at, _model.folder)


@st.cache_resource(max_entries=3, show_spinner="Reading your cells …")
def _own_cells(key: tuple[str, ...], _own: Own, _model: Model) -> Cells:
    return aligned(_own, _model.manifest)


@st.cache_resource(max_entries=2, show_spinner="Reading your cells …")
def _whole_file(key: tuple[str, ...], _own: Own) -> Cells:
    return read_own(_own)


@st.cache_resource(max_entries=16, show_spinner=False)
def _file_of(sha256: str, name: str, minute: int) -> Path | None:
    """Searched once a minute, because a file of the data folder must be hashed to be recognised."""
    return file_of_sha(sha256, name)


@st.cache_resource(max_entries=3, show_spinner="Reading the cells …")
def _own_file(key: tuple[str, ...], _file: Path, _model: Model) -> Cells:
    return read_trained_on(_file, _model.manifest)


@st.cache_resource(max_entries=2, show_spinner=False)
def _fitted_baselines(key: tuple[str, ...], _cells: Cells, _folder: Path) -> FittedBaselines:
    return fitted_to_training(_cells, _folder)


@st.cache_resource(max_entries=2, show_spinner=False)
def _perturbed_training(key: tuple[str, ...], _cells: Cells, _folder: Path) -> PerturbedTraining:
    return perturbed_training_of(_cells, _folder)


@st.cache_resource(max_entries=48, show_spinner=False)
def kept(key: tuple[Hashable, ...], _make: Callable[[], T]) -> T:
    """The cached result of ``_make`` for this key. Only for small results that nobody changes."""
    return _make()


@st.cache_resource(max_entries=8, show_spinner=False)
def pca_map(key: tuple[str, ...], _values: np.ndarray) -> PCAMap:
    """The map of the cells (n, G) that ``key`` names."""
    return PCAMap(_values)


@st.cache_resource(max_entries=64, show_spinner=False)
def placed(key: tuple[str, ...], _map: Map, _values: np.ndarray) -> np.ndarray:
    """Cells (n, G) on a map (n, 2); ``key`` names both."""
    return _map.place(_values)


# Models and their cells


def library() -> Library:
    """The shipped models and the models trained on this machine."""
    shipped = Path(os.environ.get("PRIMEFLOW_CHECKPOINTS", "") or ROOT / "checkpoints")
    places = (shipped, models_folder())
    configs = [config for place in places for config in sorted(place.glob(f"*/{CONFIG}"))]
    # Weights can change while their description stays the same, so both belong to the state.
    watched = [file for config in configs for file in sorted(config.parent.glob("*.*"))]
    return _library(places, tuple((str(file), age) for file in watched if (age := _age(file)) is not None))


def show_unreadable(library: Library) -> None:
    """A sentence for each model or file that cannot be read; pages go on with the others."""
    for problem in library.problems:
        st.warning(plain(problem))


def _age(file: Path) -> int | None:
    """None for a file that has just been removed, for instance while a model is being written."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def cells_of(model: Model) -> Cells | None:
    """The cells that a model was trained on; None if they are not on this machine. Raises PrimeflowError."""
    dataset = model.dataset
    if dataset is None:
        file = _file_of(model.own_file_sha, model.manifest.dataset, _minute())
        return None if file is None else _own_file((*name_of(model), str(file)), file, model)
    path = local_path(dataset.name)
    if path is None and not dataset.simulated:
        return None
    return _cells(dataset.name, path.stat().st_mtime_ns if path else 0)


def let_go_of_cells() -> None:
    """Forget everything that was read from users' files. What is still needed is read again."""
    for cache in (_own_cells, _whole_file, _own_file, _file_of):
        cache.clear()


def _minute() -> int:
    return int(time.time() // 60)


def fitted_baselines(model: Model, cells: Cells) -> FittedBaselines:
    """The baselines, fitted to the training cells of a model. Raises DataError."""
    return _fitted_baselines((*name_of(model), cells.sha256), cells, model.folder)


def perturbed_training(model: Model, cells: Cells) -> PerturbedTraining:
    """The perturbed training cells of a model, of which some are typical of a condition. Raises DataError."""
    return _perturbed_training((*name_of(model), cells.sha256), cells, model.folder)


def own_in_use(model: Model, covariates: Covariates) -> Own | None:
    """The user's own cells, if they are used in place of this context of this model."""
    own = own_shelf().get(address.carried("own"))
    return own if own and own.model == model.key and covariates in own.covariates else None


def whole_file_of(own: Own) -> Cells:
    """All cells of the user's file, with the genes, names and contexts of the file. Raises DataError."""
    return _whole_file((own.sha256, str(hash(own))), own)


def own_cells_of(own: Own, model: Model) -> Cells:
    """The user's own cells, with the genes and names of the model. Raises DataError."""
    return _own_cells((own.sha256, str(hash(own)), *name_of(model)), own, model)


def background_of(model: Model, cells: Cells, condition: Condition) -> Background:
    """Controls and cells of the condition's context. Raises DataError."""
    return _background((*name_of(model), cells.sha256, condition.context), cells, model, condition.control())


def beside_training(own: Background, model: Model, trained_on: Cells, condition: Condition) -> Background:
    """The user's own cells; predicted effects are measured from the training controls. Raises DataError."""
    return background_of_own(own, background_of(model, trained_on, condition))


def offer_download(datasets: Sequence[Dataset]) -> None:
    """A download button for each data set. Once its cells are here, the app opens on them."""
    for dataset in datasets:
        size = f" ({dataset.size / 1e6:.1f} MB)" if dataset.size else ""
        st.caption(
            f"The real cells of {plain(dataset.name)} are public ({plain(dataset.licence)}), but not on this machine."
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
    address.reset()
    st.rerun()


def session() -> str:
    """The name of this browser tab's session, so that the queue can be fair."""
    return str(st.session_state.setdefault(_SESSION, secrets.token_urlsafe(16)))


def duration(seconds: float) -> str:
    """For instance ``25 s`` or ``12 min``."""
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def name_of(model: Model) -> tuple[str, ...]:
    """A model and the version of its weights, for keys of caches."""
    return str(model.folder), str(model.version)
