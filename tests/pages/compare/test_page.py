"""The Compare page without a browser: what it opens on, adding and removing, predicting, links, what can go wrong."""

import json
from pathlib import Path

import pytest

from primeflow_core.data.conditions import Condition
from primeflow_core.model_store.local_models import read_library
from primeflow_core.models import checkpoint
from tests.app import drawn, labels, mark_of_the_map, page, table_with, text_of, until_done
from tests.app_models import NAME, SHIPPED

pytestmark = pytest.mark.slow

SHIPPED_MODELS = Path(__file__).resolve().parents[3] / "checkpoints"


@pytest.fixture
def first(models: Path) -> Condition:
    view = checkpoint.read_manifest(models / NAME).first_view
    assert view is not None
    return view


def said(condition: Condition, weight: float = 1.0, cells: int = SHIPPED, seed: int = 0, *outline: str) -> list:
    values = [value for _, value in condition.covariates]
    return [NAME, [part.name for part in condition.perturbations], values, weight, cells, seed, *outline]


def compared(*entries: list) -> str:
    return json.dumps(entries, separators=(",", ":"))


def test_it_opens_on_what_the_first_model_was_never_shown(monkeypatch, tmp_path):
    monkeypatch.delenv("PRIMEFLOW_CHECKPOINTS", raising=False)
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    monkeypatch.setenv("PRIMEFLOW_MIRROR", "")
    app = page("compare")
    assert not app.exception
    assert not app.error
    assert len([key for key in labels(app, "button") if key == "Remove"]) == 4
    model = read_library(SHIPPED_MODELS).models["simulated-screen"]
    assert json.loads(app.query_params["entries"])[0][0] == model.key
    assert json.loads(app.query_params["entries"])[0][2] == [model.manifest.first_view.context]
    assert len(drawn(app, "agreement-of-entries")["data"]) == 4
    titles = [note["text"] for note in drawn(app, "maps-0")["layout"]["annotations"]]
    assert titles[0].startswith("1  ")


def test_one_entry_says_how_to_go_on(models, first):
    app = page("compare")
    assert "A comparison takes 2 to 6 entries" in text_of(app)
    assert "This response at guidance weights 1, 2 and 3" in labels(app, "button")


def test_three_weights_with_one_click_then_predicted(models, first):
    app = page("compare")
    app.button(key="begin-weights").click().run()
    assert [entry[3] for entry in json.loads(app.query_params["entries"])] == [1.0, 2.0, 3.0]
    app.button(key="predict-missing").click().run()
    until_done(app, "cancel-missing")
    assert not app.exception
    assert len(drawn(app, "agreement-of-entries")["data"]) == 3
    columns = set(table_with(app, "Adjusted p"))
    assert {"Entry", "Gene", "log2 change", "p", "Adjusted p", "% expressing", "% in control"} <= columns


def test_a_response_is_added_once_and_can_be_removed(models, first):
    app = page("compare", entries=compared(said(first), said(first, 1.0, 20, 1)))
    assert app.button(key="add-entry").disabled
    assert "This one is already in the comparison." in text_of(app)
    app.button(key="remove-1").click().run()
    assert json.loads(app.query_params["entries"]) == [said(first)]
    app.number_input(key="seed").set_value(4).run()
    app.button(key="add-entry").click().run()
    assert json.loads(app.query_params["entries"])[1][5] == 4


def test_a_bad_entry_leaves_the_others(models, first):
    app = page("compare", entries=compared(said(first), ["nowhere", ["A"], [], 1, 50, 0], said(first, 1.0, 20, 1)))
    assert "The model nowhere of this link is not on this machine." in text_of(app)
    assert labels(app, "button").count("Remove") == 2


def test_numbers_of_a_link_are_held_within_their_limits(models, first):
    app = page("compare", entries=compared(said(first, 99.0, 10**9, -5), said(first)))
    app.button(key="remove-1").click().run()
    assert json.loads(app.query_params["entries"])[0][3:6] == [5.0, 5000, 0]


def test_groups_of_controls_alone_leave_the_page_whole(models, first):
    nothing = f"{mark_of_the_map(first)}:98,98;99,98;99,99"
    app = page(
        "compare", entries=compared(said(first, 1.0, SHIPPED, 0, nothing), said(first, 1.0, SHIPPED, 1, nothing))
    )
    assert not app.exception


def test_six_are_the_most(models, first):
    app = page("compare", entries=compared(*(said(first, 1.0, 20, seed) for seed in range(1, 8))))
    assert len([label for label in labels(app, "button") if label == "Remove"]) == 6
    assert app.button(key="add-entry").disabled
    assert "You can compare 6 at most" in text_of(app)


def test_cancelling_leaves_what_was_predicted(models, first):
    app = page("compare", entries=compared(said(first), said(first, 1.0, 5000, 3)))
    app.button(key="predict-missing").click().run()
    app.button(key="cancel-missing").click().run()
    until_done(app, "cancel-missing")
    assert not app.exception
    assert "predict-missing" in [button.key for button in app.button] or len(drawn(app, "maps-0")["data"]) >= 6


def test_a_group_of_cells_is_an_entry(models, first):
    everything = f"{mark_of_the_map(first)}:-99,-99;99,-99;99,99;-99,99"
    app = page("compare", entries=compared(said(first), said(first, 1.0, SHIPPED, 0, everything)))
    assert not app.exception
    assert not app.warning
    traces = drawn(app, "maps-0")["data"]
    predicted = [trace for trace in traces if trace["name"] == "Predicted"]
    assert len(predicted) == 2
    assert "· group" in text_of(app)
    assert len(drawn(app, "agreement-of-entries")["data"]) == 1


@pytest.mark.parametrize(
    ("entries", "answer"),
    [
        ("nonsense", "This link to a comparison cannot be read: it is not JSON"),
        ('{"a":1}', "This link to a comparison cannot be read: it is {"),
        ("[" * 100_000, "This link to a comparison cannot be read: it is not JSON"),
        (f'[["{NAME}",[{{}}],["sim-A"],1,50,0]]', "cannot be read: perturbations"),
        (f'[["{NAME}",["SIMG185"],["sim-A"],1,1e400,0]]', "cannot be read: it is Infinity"),
        (f'[["{NAME}",["SIMG185","SIMG185"],["sim-A"],1,50,0]]', "You chose SIMG185 twice."),
        (f'[["{NAME}",["SIMG185"],["sim-A","x"],1,50,0]]', "does not fit the model"),
        (f'[["{NAME}",[["simdrug_03",NaN]],["sim-A"],1,50,0]]', "cannot be read: it is NaN"),
        (f'[["{NAME}",["SIMG185"],["sim-A"],1,50,0,"globe:1,1;2,2;3,1"]]', "names no map"),
        ('[["nowhere",["A"],[],1,50,0],["nowhere",["A"],[],1,50,0]]', "The model nowhere of this link is not on"),
        (
            f'[["{NAME}",["[x](http://e.example)"],["sim-A"],1,50,0]]',
            "was never measured. The model cannot predict it.",
        ),
        (f'[["{NAME}"]]', "An entry of this link to a comparison cannot be read: it is "),
    ],
)
def test_a_broken_link_is_answered_in_words(models, entries, answer):
    app = page("compare", entries=entries)
    assert not app.exception
    assert answer in text_of(app)
    assert "http://" not in "".join(error.value for error in app.error)


def test_simulated_and_real_cells_are_not_mixed(monkeypatch, mirror, tmp_path):
    monkeypatch.delenv("PRIMEFLOW_CHECKPOINTS", raising=False)
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    library = read_library(SHIPPED_MODELS)
    entries = []
    for name in ("simulated-screen", "perturbench-devel"):
        view = library.models[name].manifest.first_view
        parts = [part.name if part.dose is None else [part.name, part.dose] for part in view.perturbations]
        entries.append([name, parts, [value for _, value in view.covariates], 1, 200, 0])
    app = page("compare", entries=compared(*entries))
    assert "Simulated and real cells are not compared on the same axes." in text_of(app)
    assert not app.get("plotly_chart")


def test_it_can_be_presented_and_pinned(models, first):
    everything = f"{mark_of_the_map(first)}:-99,-99;99,-99;99,99;-99,99"
    entries = compared(said(first), said(first, 1.0, SHIPPED, 0, everything))
    app = page("compare", entries=entries)
    assert "Add to report" in labels(app, "button")
    app.button(key="present").click().run()
    assert "1 of" in text_of(app)
    assert not app.exception
    app.button(key="end").click().run()
    assert "present" not in app.query_params
    assert json.loads(app.query_params["entries"])[0][:2] == said(first)[:2]
