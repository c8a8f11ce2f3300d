"""The About page without a browser."""

from pathlib import Path

import pytest

from primeflow_core.model_store.local_models import read_library
from tests.app import page, text_of

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    monkeypatch.setenv("PRIMEFLOW_MIRROR", "")


def test_it_says_what_the_models_must_not_be_used_for():
    app = page("about")
    assert not app.exception
    said = text_of(app)
    assert "Predictions are hypotheses for the next experiment." in said
    for question in ("Which perturbations can I ask for?", "Does anything leave this machine?"):
        assert question in [box.label for box in app.expander]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(read_library(SHIPPED).models))
def test_every_model_has_its_card(name):
    app = page("about", model=name)
    assert not app.exception
    assert app.selectbox(key="about_model").value == name
    facts = app.table[0].value
    assert any("trained" in str(value).lower() for value in facts.iloc[:, 0])
    assert "Energy distance" in str(app.table[1].value)


def test_an_unknown_model_in_a_link_falls_back():
    app = page("about", model="[x](http://evil.example)")
    assert not app.exception
    assert app.selectbox(key="about_model").value in read_library(SHIPPED).models


def test_without_a_model_the_rest_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("about")
    assert not app.exception
    assert "The data" in text_of(app)


def test_a_presentation_of_it_can_be_left():
    app = page("about", present="1")
    assert "Predictions are hypotheses" in text_of(app)
    app.button(key="end").click().run()
    assert "Questions and answers" in text_of(app)
