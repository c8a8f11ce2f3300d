"""Fixtures that several test files share."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Tests run side by side and share the cores, and threads only wait for each other over networks this small. Numba
# gives torch its own number of threads once it is imported. NumPy keeps its own, or sharing products out among threads
# would not be tested.
for _library, _threads in (("OMP", 1), ("NUMBA", 1), ("OPENBLAS", os.cpu_count() or 1)):
    os.environ.setdefault(f"{_library}_NUM_THREADS", str(_threads))

# What takes longest on two processes begins first, or one of them would wait for the other at the end.
BROWSER = "tests/browser"
LONG_FIRST = (
    BROWSER,
    *(
        f"tests/{name}.py"
        for name in (
            "benchmark/test_kill", "pages/rank/test_page", "training/tuning/test_run", "screening/test_engine",
            "commands/test_screen", "pages/explore/test_page", "training/test_kill", "pages/benchmark/test_page",
            "pages/compare/test_page", "prediction/test_projection", "training/test_proofs",
            "user_data/test_training_job", "benchmark/test_run", "training/distillation/test_distillation",
            "commands/test_commands", "screening/test_screen_job", "models/flow/test_primeflow",
            "pages/cells/test_training",
        )
    ),
)  # fmt: skip

# Before any test sets a mirror of its own.
MIRROR = os.environ.get("PRIMEFLOW_MIRROR", "")


class Lanes(LoadScopeScheduling):
    """Shares files out among the processes of pytest-xdist; all browser tests are one file to it.

    So one set of servers and one Chromium serve them, and the fixtures of a file are made once.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _lane(nodeid)


def _lane(nodeid: str) -> str:
    return BROWSER if nodeid.startswith(f"{BROWSER}/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    config.option.loadscopereorder = False
    return Lanes(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {lane: place for place, lane in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: places.get(_lane(item.nodeid), len(places)))
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with the real data files; tests that need it say so when it is absent."""
    folder = MIRROR
    if not folder or not (Path(folder) / "perturbench-devel.h5ad").exists():
        pytest.skip("set PRIMEFLOW_MIRROR to a folder with perturbench-devel.h5ad and kang18-ifnb-pbmc.h5ad")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell without job control starts its background jobs deaf to Ctrl+C; commands under test inherit that."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """Streamlit leaves the page it ran in place of ``__main__``, and every process spawned later would run it again."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(scope="session")
def app_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The app with one tiny model of the simulated screen, a cache of its own, and no mirror."""
    from tests.app_models import make_models

    place = tmp_path_factory.mktemp("app")
    chosen = {
        "PRIMEFLOW_CACHE": str(place / "cache"), "PRIMEFLOW_CHECKPOINTS": str(place / "models"), "PRIMEFLOW_MIRROR": "",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in chosen.items():
            patch.setenv(name, value)
        make_models(place / "models")
    return chosen


@pytest.fixture(scope="module")
def models(app_environment: dict[str, str]) -> Iterator[Path]:
    """The folder of models of ``app_environment``, which holds while the tests of a file run."""
    import pages

    with pytest.MonkeyPatch.context() as patch:
        for name, value in app_environment.items():
            patch.setenv(name, value)
        patch.delenv("PRIMEFLOW_DATA", raising=False)
        yield Path(app_environment["PRIMEFLOW_CHECKPOINTS"])
        pages.jobs().close()
        pages.jobs.clear()
