"""Training from a page: the order, the loss while it falls, both ways to end it, and what is shown afterwards."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import pages
from primeflow_core import recipes, training_job
from primeflow_core.jobs import JobState
from tests.app import text_of
from tests.tiny import RECIPE, cells

WAIT = 60


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("PRIMEFLOW_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path / "shipped"))
    training = replace(RECIPE.training, patience=10**6)
    monkeypatch.setattr(recipes, "RECIPES", (replace(RECIPE, name="unet-tiny", training=training),))
    monkeypatch.setattr(training_job, "MOST_TIMES_THE_RECIPE", 1)
    monkeypatch.setattr(pages, "whole_file_of", lambda own: cells(int(own.sha256)))
    pages.jobs.clear()
    yield tmp_path / "own"
    pages.jobs().close()
    pages.jobs.clear()


def script(per_condition: int = 40) -> None:
    import os
    from pathlib import Path

    import pages
    from pages.parts.training import offer_training
    from primeflow_core.own_cells import Fixes, Own, Purpose

    own = Own(Path("mine"), str(per_condition), "mine.h5ad", Fixes(), Purpose.TRUTH, "model", ())
    offer_training(own, pages.jobs(), pages.session(), Path(os.environ["PRIMEFLOW_MODELS"]))


def opened(per_condition: int = 40, **address: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=WAIT, args=(per_condition,))
    for key, value in address.items():
        app.query_params[key] = value
    return app.run()


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
    assert "Nothing of it was kept" in text_of(app)
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
