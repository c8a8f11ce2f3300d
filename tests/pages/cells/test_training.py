"""Training from a page: the order, the loss while it falls, both ways to end it, and what is shown afterwards."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import pages
from primeflow_core.errors import DataError
from primeflow_core.evaluation.mean_row import MEAN
from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.models.checkpoint import METRICS
from primeflow_core.runtime.jobs import JobState
from primeflow_core.training.recipes import registry
from primeflow_core.user_data import training_job
from tests.app import text_of
from tests.tiny import RECIPE, cells

WAIT = 240


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("PRIMEFLOW_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path / "shipped"))
    training = replace(RECIPE.training, patience=10**6)
    monkeypatch.setattr(registry, "RECIPES", (replace(RECIPE, name="unet-tiny", training=training),))
    monkeypatch.setattr(training_job, "MOST_TIMES_THE_RECIPE", 1)
    monkeypatch.setattr(pages, "whole_file_of", lambda own: cells(int(own.sha256)))
    pages.jobs.clear()
    pages.kept.clear()
    yield tmp_path / "own"
    pages.jobs().close()
    pages.jobs.clear()


def script(per_condition: int = 40) -> None:
    import os
    from pathlib import Path

    import pages
    from pages.parts.cells.training import offer_training
    from primeflow_core.user_data.user_cells import Fixes, Own, Purpose

    own = Own(Path("mine"), str(per_condition), "mine.h5ad", Fixes(), Purpose.TRUTH, "model", ())
    offer_training(own, pages.jobs(), pages.session(), Path(os.environ["PRIMEFLOW_MODELS"]))


def opened(per_condition: int = 40, **address: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=WAIT, args=(per_condition,))
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    return app.button(key="training-open").click().run() if "training-open" in keys_of(app) else app


def job_of(app: AppTest) -> str:
    value = app.query_params["training"]
    return value[0] if isinstance(value, list) else value


def keys_of(app: AppTest) -> set[str]:
    return {button.key for button in app.button}


def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_job, "MOST_TIMES_THE_RECIPE", 10**6)


def until_drawn(app: AppTest) -> AppTest:
    limit = time.monotonic() + WAIT
    while not app.get("echarts_chart"):
        assert time.monotonic() < limit
        time.sleep(0.1)
        app.run()
    return app


def until_ended(app: AppTest) -> AppTest:
    limit = time.monotonic() + WAIT
    while "training-again" not in keys_of(app):
        assert time.monotonic() < limit
        time.sleep(0.1)
        app.run()
    return app


def test_the_order_says_what_is_held_out_and_how_long_it_takes():
    app = opened()
    assert not app.exception
    said = text_of(app)
    assert "Held out: 1 condition that training never sees: A+B (k562)." in said
    assert "About 5 min of training" in said
    app.slider(key="training-minutes").set_value(20).run()
    assert "About 20 min of training" in text_of(app)
    app.radio(key="training-check").set_value("a share of the cells").run()
    assert "a share of the cells of 3 conditions" in text_of(app)


def test_what_else_can_be_held_out_is_listed():
    said = text_of(opened(per_condition=100))
    assert "**combo**: not here: at most 1 combination in a context, 3 are needed" in said
    assert "**cells**: holds out 20% of the cells of 3 conditions" in said


@pytest.mark.slow
def test_a_training_is_watched_and_then_shows_how_the_model_did(place):
    app = opened()
    app.text_input(key="training-name").set_value("../Evil *model*").run()
    app.button(key="train").click().run()
    assert pages.jobs().status(job_of(app)).lane == "long"
    until_ended(app)
    assert not app.exception
    assert "../Evil *model* is trained" in app.success[0].value.replace("\\", "")
    assert app.success[0].value.startswith("\\.\\./Evil \\*model\\*")
    table = app.dataframe[0].value
    assert table["measure"].iloc[0] == "Energy distance"
    assert table["model"].notna().all()
    assert [folder.name for folder in place.iterdir() if not folder.name.startswith(".")] == ["evil-model"]
    app.button(key="training-again").click().run()
    assert "train" in keys_of(app)


@pytest.mark.slow
def test_the_running_training_is_found_again_by_its_address_and_can_be_stopped_and_kept(place, monkeypatch):
    endless(monkeypatch)
    first = opened()
    first.button(key="train").click().run()
    again = until_drawn(opened(training=job_of(first)))
    assert {"training-finish", "training-cancel"} <= keys_of(again)
    again.button(key="training-finish").click().run()
    until_ended(again)
    assert pages.jobs().status(job_of(first)).state is JobState.DONE
    assert (place / "my-model").is_dir()


@pytest.mark.slow
def test_a_cancelled_training_keeps_nothing(place, monkeypatch):
    endless(monkeypatch)
    app = opened()
    app.button(key="train").click().run()
    until_drawn(app)
    app.button(key="training-cancel").click().run()
    until_ended(app)
    assert "Nothing was kept" in text_of(app)
    assert [folder.name for folder in place.iterdir()] == [".training"]


@pytest.mark.slow
def test_a_second_order_waits_and_a_third_of_the_same_session_is_refused(monkeypatch):
    endless(monkeypatch)
    app = opened()
    app.button(key="train").click().run()
    until_drawn(app)
    for _ in range(2):
        del app.query_params["training"]
        app.run()
        app.button(key="train").click().run()
    assert "You have 1 training waiting already" in text_of(app)


def test_the_file_is_read_when_the_form_is_opened_and_once_a_choice(monkeypatch):
    read = []
    monkeypatch.setattr(pages, "whole_file_of", lambda own: read.append(own) or cells(int(own.sha256)))
    app = AppTest.from_function(script, default_timeout=WAIT).run()
    assert [button.label for button in app.button] == ["Set up a training …"]
    assert not read
    app.button(key="training-open").click().run()
    assert "Held out: 1 condition" in text_of(app)
    once = len(read)
    app.slider(key="training-minutes").set_value(20).run()
    assert len(read) == once
    app.number_input(key="training-seed").set_value(1).run()
    assert len(read) == once + 1


def test_a_file_that_cannot_be_read_any_more_is_said_at_the_button(monkeypatch):
    app = opened()

    def gone(own):
        raise DataError(f"{own.name} is no longer kept on this machine.")

    monkeypatch.setattr(pages, "whole_file_of", gone)
    app.button(key="train").click().run()
    assert not app.exception
    assert "mine.h5ad is no longer kept on this machine." in app.warning[0].value.replace("\\", "")
    assert "training" not in app.query_params


def validation_script(folder: str) -> None:
    from pathlib import Path

    from pages.parts.cells.training import show_validation

    show_validation(Path(folder))


@pytest.mark.parametrize(("value", "warned"), [(0.9, True), (0.3, False)])
def test_a_model_that_did_no_better_than_control_cells_is_shown_with_a_warning(tmp_path, value, warned):
    mean = {"condition": MEAN}
    shown = metrics_at(Place.CARD)
    for name, larger in ((metric.name, metric.larger_is_better) for metric in shown):
        worst, best = (0.0, 1.0) if larger else (0.8, 0.1)
        mean |= {name: 1 - value if larger else value, f"{name}_floor": worst, f"{name}_ceiling": best}
        if warned and larger:
            mean[name] = -0.1
    (tmp_path / METRICS).write_text(json.dumps({"scored": {"test": [{"condition": "A"}, mean]}}))
    app = AppTest.from_function(validation_script, default_timeout=WAIT, args=(str(tmp_path),)).run()
    assert not app.exception
    assert ["By none of these metrics is it better" in warning.value for warning in app.warning] == [True] * warned
    assert len(app.dataframe[0].value) == len(shown)


def test_cells_that_cannot_be_checked_are_refused_at_once():
    app = opened(per_condition=5)
    assert "too few cells to check a model with" in text_of(app)
    assert not app.button


def test_an_old_address_says_so_and_offers_the_form():
    app = opened(training="long-gone")
    assert "no longer known here" in text_of(app)
    assert "train" in keys_of(app)


def test_a_job_of_another_kind_is_not_shown_as_a_training():
    job = pages.jobs().submit("me", lambda context: None, subject="question")
    assert "train" in keys_of(opened(training=job))
