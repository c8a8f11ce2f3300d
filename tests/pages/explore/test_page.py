"""The Explore page without a browser: first view, predicting, cancelling, links, and everything that can go wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import pages
from pages.parts.shared import answers, cell_map
from pages.parts.shared.explore_sidebar import meant
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, DownloadError
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.models import checkpoint
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.prediction.projection import PCAMap
from primeflow_core.runtime.jobs import JobManager
from tests.app import ROOT, WAIT, drawn, mark_of_the_map, opened, table_with, text_of, until_done
from tests.app_models import NAME, SHIPPED


@pytest.fixture
def first(models: Path) -> Condition:
    view = checkpoint.read_manifest(models / NAME).first_view
    assert view is not None
    return view


def test_the_first_view_needs_no_click(models, first):
    app = opened()
    assert not app.exception
    assert not app.error
    names = [trace["name"] for trace in drawn(app, "overlay")["data"]]
    assert names == ["Simulated control · 300", "Simulated · 72", f"Predicted · {SHIPPED}"]
    said = text_of(app)
    assert f"in {first.context}: the model expects" in said
    assert "SIMULATED" in said
    assert f"PREDICTED {SHIPPED} cells" in said
    assert "MEASURED" not in said
    assert app.number_input(key="cells").value == SHIPPED


def test_the_first_view_shows_how_far_to_trust_it_and_the_genes(models):
    app = opened()
    assert len(drawn(app, "agreement")["layout"]["annotations"]) == 4
    said = text_of(app)
    for measure in ("MMD, genes", "MMD, components", "DEG recall", "Cosine of changes", "Floor", "Ceiling"):
        assert measure in said
    table = table_with(app, "predicted_change")
    assert len(table) == 500
    assert {"gene", "predicted_change", "measured_change", "agrees"} <= set(table.columns)
    saved = {button.label for button in app.get("download_button")}
    assert {"Figure (SVG)", "Figure (PNG)", "Metrics (csv)", "Genes (csv)", "Predicted cells (h5ad)"} <= saved


def test_the_cheap_baselines_stand_beside_the_model(models):
    app = opened()
    measures = next(table.value for table in app.table if "DEG recall" in table.value)
    scores = ["Model", "Floor", "Ceiling", "No change", "Sum of single effects", "Ridge", "Typical cells", "Repeat"]
    assert list(measures.index) == [*scores, "Calibrated", "Can tell"]
    assert (measures.loc[scores] != "none").all(axis=None)
    assert set(measures.loc["Can tell"]) <= {"yes", ":gray[no]"}
    said = text_of(app)
    assert "Wrong condition is not shown: no cells of another condition of this context came with the model." in said
    legend = [trace.get("name") for trace in drawn(app, "agreement")["data"]]
    assert {"Predicted", "No change", "Sum of single effects", "Ridge"} <= set(legend)


class QuickMap(PCAMap):
    """In place of a UMAP, which compiles for half a minute."""

    nbytes = 1000

    def __init__(self, values: np.ndarray) -> None:
        super().__init__(values)
        self.axes = ("UMAP 1 (no unit)", "UMAP 2 (no unit)")


def test_a_umap_is_fitted_by_a_job_when_it_is_asked_for(models, monkeypatch):
    monkeypatch.setattr(cell_map, "UMAPMap", QuickMap)
    assert title_of_the_map(opened()).startswith("PC 1")
    app = opened(map="UMAP")
    limit = time.monotonic() + WAIT
    while not title_of_the_map(app).startswith("UMAP 1"):
        assert time.monotonic() < limit
        time.sleep(0.1)
        app.run()
    assert not app.exception


def title_of_the_map(app: AppTest) -> str:
    return drawn(app, "overlay")["layout"]["xaxis"]["title"]["text"]


FIRST_VIEW = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=240).run()
assert not app.exception and not app.error, app.error
assert len(app.get("plotly_chart")) == 4
print(*[name for name in ("torch", "scanpy", "umap", "numba", "matplotlib") if name in sys.modules])
"""


@pytest.mark.slow
def test_the_first_view_loads_nothing_heavy(models):
    done = subprocess.run(
        [sys.executable, "-c", FIRST_VIEW], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == ""


def test_the_page_runs_without_app_py(models):
    app = opened("pages/explore.py")
    assert not app.exception
    assert "the model expects" in text_of(app)


def test_the_view_stands_in_the_address(models, first):
    app = opened()
    a, b = (part.name for part in first.perturbations)
    assert app.query_params["model"] == NAME
    assert (app.query_params["context"], app.query_params["a"], app.query_params["b"]) == (first.context, a, b)
    app.selectbox(key="b").set_value(None).run()
    assert "b" not in app.query_params


def test_a_link_opens_its_view_whatever_the_case(models, first):
    a, b = (part.name for part in first.perturbations)
    app = opened(model=NAME, context=first.context, a=b.lower(), b=a.lower(), w="3", seed="7", cells="110")
    assert (app.selectbox(key="a").value, app.selectbox(key="b").value) == (b, a)
    assert (app.slider(key="w").value, app.number_input(key="seed").value) == (3.0, 7)
    assert app.number_input(key="cells").value == 110
    assert "not predicted yet" in text_of(app)


def test_bad_values_in_a_link_fall_back(models, first):
    app = opened(model="nonsense", context="nowhere", w="77", cells="many", seed="-3", map="globe", job="unknown")
    assert not app.exception
    assert not app.error
    assert (app.selectbox(key="model").value, app.selectbox(key="context").value) == (NAME, first.context)
    assert (app.slider(key="w").value, app.number_input(key="seed").value) == (1.0, 0)
    assert "job" not in app.query_params


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("SIMG344", "SIMG344"),
        ("simg344", "SIMG344"),
        ("344", "SIMG344"),
        ("SIMG344 · measured, held out", "SIMG344"),
        ("SIMG344 · measured, held out · also called X", "SIMG344"),
    ],
)
def test_what_is_typed_may_be_a_part_or_an_old_label(models, typed, name):
    catalogue = Catalogue(pages.library().models[NAME].manifest)
    assert meant(catalogue, typed, catalogue.contexts()[0]) == name


@pytest.mark.parametrize("typed", ["SIMG", "nonsense", "", " · "])
def test_what_several_or_none_could_mean_is_said(models, typed):
    catalogue = Catalogue(pages.library().models[NAME].manifest)
    with pytest.raises(ConditionError, match="not a perturbation this model knows"):
        meant(catalogue, typed, catalogue.contexts()[0])


@pytest.mark.slow
@pytest.mark.parametrize("number", ["1e400", "nan", "-inf", "9" * 400, "0x10", "1_0", "１"])
def test_numbers_of_a_link_that_are_none_fall_back(models, number):
    app = opened(w=number, cells=number, seed=number)
    assert not app.exception
    assert (app.slider(key="w").value, app.number_input(key="seed").value) == (1.0, 0)


def test_an_unknown_perturbation_in_a_link_is_answered_in_words(models, first):
    known = first.perturbations[0].name
    app = opened(a=f"{known}B")
    assert f"{known}B is not a perturbation this model knows. Did you mean {known}?" in text_of(app)
    app.selectbox(key="a").set_value(known).run()
    assert not app.error
    assert "not predicted yet" in text_of(app)


def test_markup_in_a_link_is_shown_and_not_obeyed(models):
    app = opened(a="[x](http://evil.example) :red[hot] <b>")
    assert app.error[0].value.startswith(r"\[x\]\(http")
    assert "http://" not in app.error[0].value


def test_the_same_perturbation_twice_is_answered_in_words(models, first):
    name = first.perturbations[0].name
    app = opened()
    app.selectbox(key="b").set_value(name).run()
    assert f"You chose {name} twice. Leave the second box empty for a single perturbation." in text_of(app)


def test_an_empty_first_box_says_what_to_do(models):
    app = opened()
    app.selectbox(key="a").set_value(None).run()
    assert "Choose a perturbation" in text_of(app)


def test_options_say_how_well_each_is_known(models, first):
    app = opened()
    assert any(option.endswith("· measured, in training") for option in app.selectbox(key="a").options)
    assert f"{first.perturbations[1].name} · measured, held out" in app.selectbox(key="b").options
    assert any(option.endswith("· each part seen alone") for option in app.selectbox(key="b").options)


def test_a_drug_has_its_doses(models):
    app = opened(a="simdrug_03", dose_a="1")
    assert "Treating with simdrug_03 at dose 1 in" in text_of(app)
    assert app.get_by_key("dose_a").options == ["0.1", "1", "10"]
    again = opened(a="simdrug_03", dose_a="77")
    assert "at dose 10 in" in text_of(again)


@pytest.mark.slow
def test_predicting_shows_cells_live_and_then_the_result(models, first):
    app = opened(cells="40", seed="5")
    assert "not predicted yet" in text_of(app)
    app.button(key="predict").click().run()
    job = app.query_params["job"]
    assert not app.exception
    until_done(app)
    assert drawn(app, "overlay")["data"][-1]["name"] == "Predicted · 40"
    assert "seed 5" in text_of(app)
    again = opened(model=NAME, context=first.context, cells="40", seed="5", job=job, **boxes(first))
    assert drawn(again, "overlay")["data"][-1]["name"] == "Predicted · 40"
    elsewhere = opened(cells="40", seed="5")
    assert drawn(elsewhere, "overlay")["data"][-1]["name"] == "Predicted · 40"


def boxes(condition: Condition) -> dict[str, str]:
    return {box: part.name for box, part in zip("abc", condition.perturbations, strict=False)}


def test_predicting_what_was_never_measured_shows_it_over_controls(models, first):
    names = [part.name for part in first.perturbations]
    app = opened(cells="30", context=first.context, a=names[0], b=names[1], c="SIMG185")
    assert "never simulated, not predicted yet" in text_of(app)
    app.button(key="predict").click().run()
    until_done(app)
    assert [trace["name"] for trace in drawn(app, "overlay")["data"]] == ["Simulated control · 300", "Predicted · 30"]
    assert "This condition was never simulated. There is nothing to compare with." in text_of(app)
    assert "measured_change" not in table_with(app, "predicted_change")


def test_cancelling_says_how_many_cells_there_are(models):
    app = opened(cells="5000", seed="11")
    app.button(key="predict").click().run()
    app.button(key="cancel").click().run()
    until_done(app)
    assert "Cancelled after" in text_of(app)
    assert "of 5,000 cells" in text_of(app)
    assert app.button(key="predict").label == "Predict"


def test_another_prediction_goes_on_while_the_question_changes(models):
    app = opened(cells="5000", seed="12")
    app.button(key="predict").click().run()
    app.number_input(key="seed").set_value(13).run()
    assert "is still being predicted" in text_of(app)
    assert app.button(key="predict").label == "Predict"
    app.button(key="cancel-other").click().run()
    until_done(app)


@pytest.mark.slow
def test_a_full_queue_is_answered_in_words(models, monkeypatch):
    manager = JobManager()
    monkeypatch.setattr(pages, "jobs", lambda: manager)
    app = opened(cells="5000", seed="20")
    for seed in range(20, 28):
        app.number_input(key="seed").set_value(seed).run()
        app.button(key="predict").click().run()
    manager.close()
    assert "You have 6 predictions waiting already." in text_of(app)


def test_waiting_is_told_in_words_and_seconds(models, monkeypatch):
    manager = JobManager()
    monkeypatch.setattr(pages, "jobs", lambda: manager)
    ahead, mine = opened(cells="5000", seed="30"), opened(cells="20", seed="31")
    ahead.button(key="predict").click().run()
    mine.button(key="predict").click().run()
    told = mine.get("progress")[0].text
    manager.close()
    assert re.fullmatch(r"One job is ahead of you, about \d+ (s|min)\.", told)


def test_cells_that_are_not_here_leave_predictions_working(models, monkeypatch):
    monkeypatch.setattr(pages, "cells_of", lambda model: None)
    app = opened()
    assert not app.exception
    assert "not available on this machine, so there is nothing to compare with" in text_of(app)
    assert [trace["name"] for trace in drawn(app, "overlay")["data"]] == [f"Predicted · {SHIPPED}"]
    assert "Genes (csv)" not in [button.label for button in app.get("download_button")]


def test_cells_that_cannot_be_read_are_said_and_predictions_work(models, monkeypatch):
    def broken(model: object) -> None:
        raise DownloadError("screen.h5ad is damaged: delete it.")

    monkeypatch.setattr(pages, "cells_of", broken)
    app = opened()
    assert "screen.h5ad is damaged: delete it." in text_of(app)
    assert f"Predicted · {SHIPPED}" in [trace["name"] for trace in drawn(app, "overlay")["data"]]


def test_without_any_model_it_says_what_to_do(models, monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = opened()
    assert not app.exception
    assert "There is no model yet" in text_of(app)


def test_a_broken_model_folder_is_said_and_the_others_work(models, monkeypatch, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / checkpoint.CONFIG).write_text("{}")
    os.symlink(models / NAME, tmp_path / NAME)
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = opened()
    assert "cannot be read as a model description" in text_of(app)
    assert "the model expects" in text_of(app)


def test_the_predicted_cells_can_be_saved(models, first, tmp_path):
    model = pages.library().models[NAME]
    question = PredictionRequest(model.folder, model.version, first, SHIPPED, model.manifest.sampling)
    answer = answers.answer_to(question, model)
    assert answer is not None
    assert answer.shipped
    path = tmp_path / "cells.h5ad"
    path.write_bytes(answers.h5ad_of(answer, model, first))
    import anndata

    saved = anndata.read_h5ad(path)
    assert saved.shape == (SHIPPED, 500)
    assert set(saved.obs["condition"]) == {first.label}
    assert set(saved.obs["origin"]) == {"predicted"}
    assert saved.obsm["X_pca"].shape == (SHIPPED, 30)
    assert saved.var_names.is_unique
    assert json.loads(saved.uns["provenance"])["model"] == NAME


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("KLF1 + MAP2K6", r"KLF1 \+ MAP2K6"),
        ("**bold** `code` $x$", r"\*\*bold\*\* \`code\` \$x\$"),
        (":red[x]", ":\N{ZERO WIDTH SPACE}red\\[x\\]"),
        ("a@b.c www.x.y", "a@\N{ZERO WIDTH SPACE}b\\.c www\N{ZERO WIDTH SPACE}\\.x\\.y"),
        ("two\nlines", "two lines"),
        ("<img src=x>", r"\<img src\=x\>"),
    ],
)
def test_text_from_files_is_shown_as_it_is(text, markdown):
    assert pages.plain(text) == markdown


def test_file_names_hold_nothing_that_a_file_system_minds(models, first):
    model = pages.library().models[NAME]
    name = answers.file_name(model, Condition(first.perturbations, (("cell_type", "../a b"),)), ".csv")
    assert "/" not in name
    assert " " not in name
    assert name.endswith(f"{NAME}.csv")


def test_the_shipped_model_opens_without_the_real_cells(models, monkeypatch):
    monkeypatch.delenv("PRIMEFLOW_CHECKPOINTS")
    app = opened()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="model").value == "simulated-screen"
    assert drawn(app, "overlay")["data"][-1]["name"].startswith("Predicted")
    assert any(button.label.startswith("Download real cells (1.1 MB)") for button in app.button)


def test_the_shipped_model_opens_on_the_real_cells(models, monkeypatch, mirror):
    monkeypatch.delenv("PRIMEFLOW_CHECKPOINTS")
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    app = opened()
    assert not app.exception
    assert not app.error
    assert text_of(app).startswith("Switching up KLF1 and MAP2K6 in k562: the model expects ")
    assert [trace["name"].split(" ")[0] for trace in drawn(app, "overlay")["data"]] == [
        "Control",
        "Measured",
        "Predicted",
    ]


def test_downloading_the_real_cells_opens_on_them(models, monkeypatch, mirror, tmp_path):
    monkeypatch.delenv("PRIMEFLOW_CHECKPOINTS")
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    monkeypatch.setattr(pages, "fetch", lambda name: shutil.copy(mirror / f"{name}.h5ad", tmp_path))
    app = opened(w="2")
    app.button(key="fetch-perturbench-devel").click().run()
    assert not app.exception
    assert app.selectbox(key="model").value == "perturbench-devel"


def test_a_failed_download_is_said_plainly(models, monkeypatch):
    def unreachable(name: str) -> None:
        raise DownloadError(f"{name} could not be downloaded. Check the network.")

    monkeypatch.delenv("PRIMEFLOW_CHECKPOINTS")
    monkeypatch.setattr(pages, "fetch", unreachable)
    app = opened()
    app.button(key="fetch-perturbench-devel").click().run()
    assert "perturbench-devel could not be downloaded. Check the network." in text_of(app)
    assert "the model expects" in text_of(app)


def test_a_presentation_begins_on_the_map_whether_or_not_there_is_an_answer(models):
    app = opened(present="1")
    assert "1 of 4" in text_of(app)
    assert drawn(app, "overlay")
    unanswered = opened(present="1", seed="77")
    assert "1 of 1" in text_of(unanswered)
    assert "not predicted yet" in text_of(unanswered)
    unanswered.button(key="end").click().run()
    assert "Predict" in [button.label for button in unanswered.button]


def test_the_names_that_may_be_meant_are_buttons(models, first):
    name = first.perturbations[0].name
    app = opened(a=f"{name}x")
    assert f"Did you mean {name}?" in text_of(app)
    app.button(key=f"meant-a-{name}").click().run()
    assert not app.error
    assert app.selectbox(key="a").value == name


def test_a_group_of_another_map_is_not_looked_for(models, first):
    app = opened(group_a="pca-000000:-99,-99;99,-99;99,99;-99,99")
    assert "Selected cells" not in text_of(app)


@pytest.mark.slow
def test_two_groups_of_cells_are_compared(models, first):
    mark = mark_of_the_map(first)
    left, right = f"{mark}:-99,-99;0,-99;0,99;-99,99", f"{mark}:0,-99;99,-99;99,99;0,99"
    app = opened(group_a=left, group_b=right)
    assert "Selected cells: group A against group B" in text_of(app)
    until_done(app)
    table = table_with(app, "% in other cells")
    assert len(table) == 500
    app.button(key="forget-groups").click().run()
    assert "group_a" not in app.query_params


@pytest.mark.slow
@pytest.mark.parametrize("said", ["nonsense", "1,1;2,2", "", "1,1;1,1;1,1", "nan,1;2,2;3,3", "1e999,1;2,2;3,3"])
def test_a_broken_group_in_a_link_is_no_accident(models, first, said):
    app = opened(group_a=f"{mark_of_the_map(first)}:{said}")
    assert not app.exception
    assert "Where the cells lie" in text_of(app)


@pytest.mark.parametrize("kind", ["Volcano", "Dot plot", "My genes"])
def test_the_genes_are_drawn_in_every_way(models, kind):
    app = opened(genes_as=kind)
    assert not app.exception
    key = {"Volcano": "volcano", "Dot plot": "dots", "My genes": "violins"}[kind]
    assert drawn(app, key)["data"]


def test_searched_genes_that_are_unknown_are_listed_back(models):
    app = opened(genes_as="My genes", gene_search="simg344, NOT_A_GENE; <b>")
    assert not app.exception
    assert "NOT_A_GENE" in text_of(app)


def test_the_interaction_card_says_a_class_with_its_interval(models):
    app = opened()
    assert "More or less than the sum of its parts?" in text_of(app)
    assert "What would falsify this" in text_of(app)
    assert "Each part alone:" in text_of(app)
    single = opened(b="")
    single.selectbox(key="b").set_value(None).run()
    assert "More or less than the sum of its parts?" not in text_of(single)


def test_a_run_of_a_page_leaves_the_heap_alone():
    """Searching all of torch for garbage twice a second, while a page waits for a job, starves the job."""
    asked = "from streamlit import config; print(config.get_option('runner.postScriptGC'))"
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split()[-1] == "False"
