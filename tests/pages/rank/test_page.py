"""The Rank page without a browser: what it opens on, goals and their needs, filters, jobs, links, what goes wrong."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import pages
from pages import plain
from pages.parts.rank import answer
from primeflow_core.__main__ import parser
from primeflow_core.commands.screen_options import screen_wishes
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.datasets import open_cells
from primeflow_core.errors import PrimeflowError
from primeflow_core.model_store.local_models import Model
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import read_manifest, write_manifest
from primeflow_core.report.methods_text import methods_paragraph
from primeflow_core.report.ranking_link import address_of
from primeflow_core.runtime.jobs import BusyError, JobManager
from primeflow_core.screening import screen_file
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.screen_question import asked_goal, question
from primeflow_core.screening.screen_request import Request
from primeflow_core.screening.trust import Checked
from tests.app import ROOT, drawn, labels, opened, page, table_with, text_of, until_done
from tests.app_models import NAME
from tests.app_screens import made_up, pairs_of, ship, without_truth
from tests.screens import CONTEXT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ranked(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a model that comes with a ranking."""
    place = tmp_path_factory.mktemp("ranked")
    shutil.copytree(models / NAME, place / NAME)
    ship(place / NAME, made_up(place / NAME))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRIMEFLOW_CHECKPOINTS", str(place))
        yield place / NAME


def rows(app: AppTest) -> pd.DataFrame:
    return table_with(app, "How well known")


def test_it_opens_on_the_ranking_that_came_with_the_model(ranked):
    app = page("screen")
    assert not app.exception
    assert not app.error
    assert not app.warning
    told = text_of(app)
    assert "Which pairs change the cells most?" in told
    assert "SIMULATED data" in told
    assert "PREDICTED 780 pairs, 400 cells each" in told
    assert "rank correlation" in told.lower()
    assert list(rows(app)["Score"][:3]) == sorted(rows(app)["Score"], reverse=True)[:3]
    assert "Simulated" in rows(app)
    assert "Measured" not in rows(app)
    assert [trace["name"] for trace in drawn(app, "ranked-scores")["data"]][-1] == "Predicted, 95 % interval"
    assert len(table_with(app, "Promising")) == 4
    assert app.query_params["goal"] == "effect"
    assert "job" not in app.query_params


FIRST_VIEW = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("pages/screen.py", default_timeout=240).run()
assert not app.exception and not app.error, app.error
assert len(app.get("plotly_chart")) == 2
print(*[name for name in ("torch", "scanpy", "umap", "numba", "matplotlib", "distributed") if name in sys.modules])
"""


def test_the_first_view_loads_nothing_heavy(ranked):
    done = subprocess.run(
        [sys.executable, "-c", FIRST_VIEW], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == ""


def test_the_trust_stands_above_the_ranking(ranked):
    app = opened("pages/screen.py")
    heads = [element.value for element in app.subheader]
    assert heads == [
        "How far to trust this ranking", "The ranking", "The first of the ranking", "All pairs", "Next experiments",
    ]  # fmt: skip


def test_it_opens_on_the_model_that_explore_showed(ranked):
    shutil.copytree(ranked, ranked.parent / "second")
    try:
        app = page("explore", model="second")
        assert app.query_params.get("model") in ("second", ["second"])
        app.query_params.clear()
        app.switch_page("pages/screen.py").run()
        assert app.query_params.get("model") in ("second", ["second"])
    finally:
        shutil.rmtree(ranked.parent / "second")


def test_a_heat_map_of_too_many_names_says_so(ranked):
    app = page("screen")
    heat = drawn(app, "all-pairs")["data"][0]
    assert len(heat["customdata"]) == 40
    names = len(read_manifest(ranked).vocabulary.perturbations)
    assert names <= 60
    assert "a ring marks pairs that were simulated" in text_of(app)


def test_filters_narrow_the_table_and_stand_in_the_address(ranked):
    app = page("screen")
    name = rows(app)["Perturbation"][0].partition("+")[0]
    app.text_input(key="rank_find").set_value(name.lower()).run()
    assert rows(app)["Perturbation"].str.contains(name, regex=False).all()
    assert 0 < len(rows(app)) < 780
    assert app.query_params["find"] == name.lower()
    app.text_input(key="rank_find").set_value("").run()
    app.toggle(key="rank_top").set_value(True).run()
    assert 0 < len(rows(app)) < 100
    assert app.query_params["top"] == "1"


def test_a_link_brings_its_filters(ranked):
    app = page("screen", known="held out", kinds="additive")
    assert set(rows(app)["How well known"]) == {"◉ held out"}
    assert set(rows(app)["Interaction"]) == {"additive"}
    everything = page("screen", known="simulated,not simulated")
    assert len(rows(everything)) == 780
    never = page("screen", known="not simulated")
    assert not rows(never)["Simulated"].any()


def test_nothing_left_says_what_to_do(ranked):
    app = page("screen", find="no such name")
    assert "No rows match. Relax the filters above." in text_of(app)
    assert not app.exception


def test_a_state_that_was_never_measured_is_not_swapped_in_silence(ranked):
    app = page("screen", goal="target", target="<b>nobody")
    assert "nobody was not simulated in this context." in text_of(app)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ({"goal": "genes"}, "Name at least one gene to raise or to lower"),
        ({"goal": "moves"}, "Choose the gene that should change"),
        ({"goal": "moves", "gene": "no-such-gene"}, "is not among the 500 genes of this model"),
        ({"rank": "list"}, "Write at least one perturbation or combination"),
        ({"rank": "list", "list": "NOBODY+KNOWS"}, "There is nothing to rank"),
        ({"goal": "synergy", "rank": "list", "list": "SIMG185"}, "There is nothing to rank"),
    ],
)
def test_what_is_missing_is_said(ranked, address, told):
    app = page("screen", **address)
    assert not app.exception
    assert told in text_of(app)
    assert app.button(key="rank").disabled


def test_bad_values_in_a_link_fall_back(ranked):
    app = page("screen", model="nowhere", context="moon", goal="fame", rank="all", cells="9e9", seed="-1", w="x")
    assert not app.exception
    assert "Which pairs change the cells most?" in text_of(app)
    assert len(rows(app)) == 780


def test_markup_in_a_link_is_shown_and_not_obeyed(ranked):
    app = page("screen", rank="list", list="[x](http://e.example)\n:red[SIMG185]")
    assert "http://" not in "".join(str(element.value) for element in (*app.markdown, *app.warning, *app.info))
    assert any("http://e.example" in element.value for element in app.text)


def test_what_cannot_be_ranked_is_listed_with_the_reason(ranked):
    first, second, *_ = pairs_of(read_manifest(ranked))
    app = page("screen", rank="list", list=f"{first.label}\n{second.label}\nSIMG99999")
    assert "SIMG99999: SIMG99999 is not a perturbation this model knows." in text_of(app)
    assert "Nothing is ranked for this question yet." in text_of(app)
    assert "2 candidates, 400 cells each" in text_of(app)


def test_unknown_genes_are_listed_back_with_guesses(ranked):
    known = read_manifest(ranked).genes[0]
    app = page("screen", goal="genes", **{"raise": f"{known} {known}x, nonsense"})
    assert f"1 of 3 genes are known to the model; left out: {known}x (did you mean {known}" in text_of(app)
    assert f"Which pairs raise {known}?" in text_of(app)
    app.text_area(key="rank_raise").set_value("nonsense").run()
    assert "0 of 1 gene is known to the model" in text_of(app)


def test_a_list_of_genes_can_be_uploaded(ranked):
    one, other, *_ = read_manifest(ranked).genes
    app = page("screen", goal="genes")
    app.file_uploader[0].set_value(("genes.txt", f"{one}\n{other}\n".encode(), "text/plain")).run()
    assert app.text_area(key="rank_raise").value == f"{one} {other}"
    assert f"Which pairs raise {one}, {other}?" in text_of(app)
    app.file_uploader[0].set_value(("genes.txt", b"\xff\xfe\x00", "text/plain")).run()
    assert "genes.txt is not plain text." in text_of(app)


def test_candidates_can_be_uploaded(ranked):
    first, second, *_ = (one.label for one in pairs_of(read_manifest(ranked)))
    app = page("screen", rank="list")
    for content in (
        f"{first}\n{second}\n",
        f"rank;perturbation\n1;{first}\n2;{second}\n",
        f'"perturbation"\n"{first}"\n{second}',
    ):
        app.file_uploader[0].set_value(("hits.csv", content.encode(), "text/csv")).run()
        assert app.text_area(key="rank_list").value == f"{first}\n{second}"
    assert "2 candidates, 400 cells each" in text_of(app)


def test_a_list_too_long_for_the_page_is_said_and_not_cut(ranked):
    app = page("screen", rank="list", list="\n".join(f"S{i}" for i in range(201)))
    assert "The list has 201 lines, and 200 fit here." in text_of(app)
    assert app.button(key="rank").disabled


def test_one_candidate_is_called_one(ranked):
    app = page("screen", rank="list", list=pairs_of(read_manifest(ranked))[0].label)
    assert "1 candidate, 400 cells each" in text_of(app)
    assert "1 candidates" not in text_of(app)


def test_a_ranking_of_one_speaks_of_one(ranked, tmp_path, monkeypatch):
    one, *_ = pairs_of(read_manifest(ranked))
    made = made_up(ranked, [one], Goal("moves", (read_manifest(ranked).genes[0],)))
    made.table.loc[0, ["rank", "tier", "score"]] = None
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, made, "moves")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen", goal="moves", gene=read_manifest(ranked).genes[0], rank="list", list=one.label)
    assert "1 of 1 candidate has no score" in text_of(app)
    assert "PREDICTED 1 candidate," in text_of(app)
    assert "1 candidates" not in text_of(app)


def test_filters_outlive_a_presentation(ranked):
    app = page("screen", find="simg", top="1", colour="interaction", next="5")
    few = len(rows(app))
    app.button(key="present").click().run()
    app.button(key="end").click().run()
    assert len(rows(app)) == few < 780
    assert {key: app.query_params[key] for key in ("find", "top", "colour", "next")} == {
        "find": "simg", "top": "1", "colour": "interaction", "next": "5",
    }  # fmt: skip
    assert len(table_with(app, "Promising")) == 5
    assert drawn(app, "all-pairs")["data"][0]["zmin"] < 1 < drawn(app, "all-pairs")["data"][0]["zmax"]


def test_measured_scores_stand_beside_the_predicted_ones(ranked, tmp_path, monkeypatch):
    made = made_up(ranked)
    best = made.table["perturbation"][0]
    checked = (Checked(best, "sim-A", 8.5, 9.0), Checked("nobody+asked", "sim-A", 1.0, 1.1))
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, replace(made, trust=replace(made.trust, checked=checked)))
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen")
    assert rows(app)["Simulated score"].dropna().to_dict() == {0: 8.5}
    assert [trace["name"] for trace in drawn(app, "ranked-scores")["data"]][-2:] == [
        "Simulated", "Predicted, 95 % interval",
    ]  # fmt: skip
    assert list(table_with(app, "Held out")["In the ranking below"]) == [True, False]


def test_what_has_no_score_is_counted_with_the_reason(ranked, tmp_path, monkeypatch):
    goal = Goal("synergy")
    made = made_up(ranked, goal=goal)
    made.table.loc[made.table.index[-9:], ["rank", "tier", "score", "low", "high"]] = None
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, replace(made, trust=None, about={**made.about, "checked": 7}), "synergy")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen", goal="synergy")
    assert "9 of 780 pairs have no score, and so no rank: the sum of their parts" in text_of(app)
    assert "fewer than three of them have a score for this goal" in text_of(app)
    assert "log-normalised" not in text_of(app)
    assert "Sum of its parts" not in table_with(app, "Promising")


def test_parts_that_were_predicted_are_marked(ranked, tmp_path, monkeypatch):
    """A synergy is a share of the sum of the parts alone, all as measured or all as predicted."""
    made = made_up(ranked, goal=Goal("synergy"))
    made.table.loc[made.table.index[:2], "magnitude"] = np.nan
    made.table.loc[made.table.index[:2], "interaction"] = ""
    made.table.loc[made.table.index[-1], ["rank", "tier", "score", "magnitude"]] = None
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, made, "synergy")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen", goal="synergy")
    assert rows(app)["Parts"].tolist() == ["predicted"] * 2 + ["simulated"] * 777 + [None]
    assert "all of that combination's are predicted" in text_of(app)
    assert "simulated alone, or all of a pair predicted where one was not" in text_of(app)
    assert "Parts" not in rows(page("screen", goal="effect"))


def test_the_two_measures_beside_the_parts_are_told_apart(ranked):
    told = text_of(page("screen"))
    assert "The ranking uses Score. Sum of its parts is the same score of control cells" in told
    assert "log2 changes of mean expression of parts that were simulated alone" in told
    assert "They can disagree" in told


def test_what_contains_the_target_is_marked_and_is_not_the_news(ranked, tmp_path, monkeypatch):
    target = pairs_of(read_manifest(ranked))[390].parts[0]
    made = made_up(ranked, goal=Goal("direction", target=target))
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, made, "direction")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen", goal="target", by="direction", target=target.label)
    marked = rows(app)[rows(app)["Target"] == "contains the target"]
    assert len(marked) == 39
    assert marked["Perturbation"].str.split("+").map(lambda names: target.label in names).all()
    first, *_ = (row for row in rows(app).itertuples() if row.Target is None)
    assert "It contains the target itself; the first without it is " in text_of(app)
    assert f"the first without it is {first.Perturbation}, rank {first.Rank}." in text_of(app)
    assert "Target" not in rows(page("screen", goal="effect"))


def test_rankings_that_came_with_the_model_are_offered(ranked, tmp_path, monkeypatch):
    made = made_up(ranked, goal=Goal("synergy"))
    order = {**made.about["order"], "cells": 60, "seeds": [4, 5]}
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, replace(made, about={**made.about, "order": order}), "synergy")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen", goal="suppression")
    assert "SIMULATED data. These rankings came with the model:" in text_of(app)
    assert app.button(key="shipped-effect").label == "Which pairs change the cells most?"
    app.button(key="shipped-synergy").click().run()
    assert "Which pairs do more than the sum of their parts?" in text_of(app)
    assert len(rows(app)) == 780
    assert (app.query_params["cells"], app.query_params["seed"]) == ("60", "4")


def test_it_opens_on_what_came_with_the_model_whatever_that_is(ranked, tmp_path, monkeypatch):
    manifest = read_manifest(ranked)
    gene = manifest.genes[3]
    made = made_up(ranked, goal=Goal("genes", (gene,), (manifest.genes[5],)))
    shutil.copytree(ranked, tmp_path / NAME, ignore=shutil.ignore_patterns("screens"))
    ship(tmp_path / NAME, made, "genes")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen")
    assert f"Which pairs raise {gene} and lower {manifest.genes[5]}?" in text_of(app)
    assert len(rows(app)) == 780


@pytest.mark.parametrize(
    "goal",
    [
        Goal("moves", ("g1",)),
        Goal("genes", ("g1", "g2"), ("g3",)),
        Goal("target", target=Condition((Perturbation("drug", 0.5),), CONTEXT)),
        Goal("suppression"),
    ],
)
def test_a_stored_ranking_says_what_a_link_to_it_says(ranked, goal):
    made = made_up(ranked)
    order = {**made.about["order"], "goal": goal.to_json()}
    said = address_of(replace(made, about={**made.about, "order": order}))
    assert (said["rank"], said["cells"], said["context"]) == ("pairs", "200", "sim-A")
    assert said["goal"] == ("target" if goal.target else str(goal.kind))
    assert said.get("raise", said.get("gene", "")).split() == list(goal.raised)
    assert said.get("lower", "").split() == list(goal.lowered)
    assert said.get("target", "") == (goal.target.label if goal.target else "")
    assert address_of(replace(made, table=made.table.head(0))) == {}


def test_signed_scores_are_coloured_around_nought(ranked):
    heat = drawn(page("screen", goal="moves", gene=read_manifest(ranked).genes[3]), "all-pairs")["data"][0]
    assert heat["zmin"] == -heat["zmax"]


def test_a_gene_in_both_lists_is_answered_in_words(ranked):
    gene = read_manifest(ranked).genes[0]
    app = page("screen", goal="genes", lower=gene, **{"raise": gene})
    assert f"{gene} cannot be raised and lowered at once." in text_of(app)


def test_what_moves_a_gene_is_answered_at_once(ranked):
    gene = read_manifest(ranked).genes[400]
    app = page("screen", goal="moves", gene=gene.lower())
    assert f"What moves {gene}?" in text_of(app)
    assert rows(app)["Score"].abs().is_monotonic_decreasing
    assert "Read from the changes of another ranking" in text_of(app)
    assert not app.exception


def test_a_measured_state_is_chosen_among_those_of_the_context(ranked):
    app = page("screen", goal="target")
    picker = app.selectbox(key="rank_target")
    assert len(picker.options) > 50
    assert "Simulated state" in [box.label for box in app.selectbox]
    assert "Which pairs bring the cells nearest to" in text_of(app)
    app.segmented_control(key="rank_by").set_value("direction").run()
    assert "Which pairs move the cells in the direction of" in text_of(app)
    assert app.query_params["by"] == "direction"


def test_another_setting_is_another_question(ranked):
    app = page("screen", cells="50")
    assert "Nothing is ranked for this question yet." in text_of(app)
    assert "780 pairs, 100 cells each" in text_of(app)


def test_a_ranking_too_long_for_a_tab_names_the_command(ranked):
    app = page("screen", cells="2000", seed="3", w="2")
    assert "That is long for a browser tab." in text_of(app)
    assert "--workers 2" in text_of(app)
    assert (app.button(key="rank").proto.type, app.button(key="rank").disabled) == ("secondary", False)
    assert page("screen", cells="10").button(key="rank").proto.type == "primary"
    (said,) = [block.value for block in app.code if block.value.startswith("primeflow screen")]
    assert f"--model {ranked}" in said
    assert "--candidates all-pairs --covariate cell_type=sim-A --goal effect --cells 2000" in said


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"goal": "synergy", "seed": "3", "w": "2.5"},
        {"goal": "moves", "rank": "singles"},
        {"goal": "target", "by": "direction"},
        {"goal": "genes", "rank": "list"},
    ],
)
def test_the_command_asks_for_the_same(ranked, tmp_path, monkeypatch, wanted):
    manifest = read_manifest(ranked)
    first, second, *_ = pairs_of(manifest)
    gene, other = manifest.genes[0], manifest.genes[7]
    listed = "\n".join((first.label, second.label, first.parts[0].label))
    texts = {"gene": gene, "raise": gene, "lower": other, "list": listed}
    asked_for = []
    monkeypatch.setattr(answer, "expected_seconds", lambda *_: 1e6)
    monkeypatch.setattr(answer, "ask", lambda request, *_: asked_for.append(request))
    app = page("screen", **(texts | {"cells": "30"} | wanted))
    (said,) = [block.value for block in app.code if block.value.startswith("primeflow screen")]
    monkeypatch.chdir(tmp_path)
    app.button(key="rank").click().run()
    (request,) = asked_for
    answer.list_of(request).to_csv("LIST.csv", index=False)
    wishes = screen_wishes(parser().parse_args(shlex.split(said)[1:]), manifest)
    said_there = question(wishes, asked_goal(wishes), manifest, lambda _: None).request
    # A screen has noise seeds of its own.
    assert replace(said_there, plan=replace(said_there.plan, seed=request.plan.seed)) == request


def test_ranking_of_other_weights_is_not_shown(ranked, tmp_path, monkeypatch):
    shutil.copytree(ranked, tmp_path / NAME)
    weights = tmp_path / NAME / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes() + b" ")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    assert "Nothing is ranked for this question yet." in text_of(page("screen"))


def test_the_list_for_the_command_can_be_saved(ranked, monkeypatch):
    monkeypatch.setattr(answer, "expected_seconds", lambda *_: 1e6)
    wanted = pairs_of(read_manifest(ranked))[0]
    assert "LIST.csv" in labels(page("screen", rank="list", list=wanted.label), "download_button")
    assert "LIST.csv" not in labels(page("screen", cells="30"), "download_button")


def test_a_damaged_ranking_is_said_and_the_page_works(ranked, tmp_path, monkeypatch):
    shutil.copytree(ranked, tmp_path / NAME)
    (tmp_path / NAME / "screens" / "effect.parquet").write_bytes(b"nonsense")
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen")
    assert not app.exception
    assert "cannot be read as a ranking" in text_of(app)
    assert "Nothing is ranked for this question yet." in text_of(app)


def test_without_measured_cells_it_says_that_trust_is_unknown(ranked, tmp_path, monkeypatch):
    shutil.copytree(ranked, tmp_path / NAME)
    ship(tmp_path / NAME, without_truth(made_up(ranked)))
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    assert "cannot say how far to trust the ranking" in text_of(page("screen"))


def test_a_model_that_never_saw_a_combination_says_so_and_ranks_no_synergy(ranked, tmp_path, monkeypatch):
    manifest = read_manifest(ranked)
    shutil.copytree(ranked, tmp_path / NAME)
    singles = tuple(condition for condition in manifest.trained_on if len(condition.perturbations) < 2)
    write_manifest(tmp_path / NAME, replace(manifest, trained_on=singles))
    made = made_up(tmp_path / NAME)
    assert "never saw a combination in training" in made.caution
    ship(tmp_path / NAME, made)
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen")
    assert plain(made.caution) in [warning.value for warning in app.warning]
    assert not [one for one in app.segmented_control if one.key == "rank_colour"]
    refused = page("screen", goal="synergy")
    assert "it cannot tell what a combination does beyond the sum of its parts" in text_of(refused)
    assert refused.button(key="rank").disabled


def test_without_any_model_it_says_what_to_do(ranked, tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    app = page("screen")
    assert not app.exception
    assert "There is no model yet" in text_of(app)


def test_a_busy_queue_is_answered_in_words(ranked, monkeypatch):
    def full(*_: object, **__: object) -> str:
        raise BusyError("You have 1 ranking waiting already. Cancel one, or wait for it.")

    manager = JobManager()
    monkeypatch.setattr(manager, "submit", full)
    monkeypatch.setattr(pages, "jobs", lambda: manager)
    app = page("screen", cells="50")
    app.button(key="rank").click().run()
    assert "You have 1 ranking waiting already." in text_of(app)


def test_a_failed_ranking_is_said_plainly(ranked, monkeypatch):
    def broken(*_: object) -> None:
        raise PrimeflowError("Its weights are damaged: copy them again.")

    app = page("screen", cells="10")
    monkeypatch.setattr(answer, "screen", broken)
    until_done(app.button(key="rank").click().run())
    assert "Its weights are damaged: copy them again." in text_of(app)
    assert "It ended before anything was ranked." in text_of(app)


def test_cells_that_cannot_be_read_are_said_plainly(ranked, monkeypatch):
    def broken(model: object) -> None:
        raise PrimeflowError("screen.h5ad is damaged: delete it.")

    app = page("screen", cells="10")
    monkeypatch.setattr(pages, "cells_of", broken)
    app.button(key="rank").click().run()
    assert not app.exception
    assert "screen.h5ad is damaged: delete it." in text_of(app)
    assert "job" not in app.query_params


def test_the_thread_of_a_job_asks_no_cache_of_the_page(ranked, monkeypatch):
    """Streamlit's caches belong to a session, which that thread does not have."""
    asked_by, read_by = set(), []
    cells_of = pages.cells_of

    def watched(model: Model) -> Cells | None:
        asked_by.add(threading.current_thread().name)
        return cells_of(model)

    def work(request: Request, refused: object, read: Callable[[], Cells | None], *_: object) -> None:
        read_by.append((threading.current_thread().name, read()))
        raise PrimeflowError("Enough.")

    monkeypatch.setattr(pages, "cells_of", watched)
    monkeypatch.setattr(answer, "screen", work)
    app = page("screen", cells="10", seed="8")
    until_done(app.button(key="rank").click().run())
    ((thread, cells),) = read_by
    assert thread == "primeflow-screen-jobs"
    assert asked_by
    assert thread not in asked_by
    assert cells.genes == read_manifest(ranked).genes


@pytest.mark.parametrize("by", ["target", "direction"])
def test_a_target_without_cells_is_refused_before_it_is_asked_for(ranked, monkeypatch, by):
    monkeypatch.setattr(pages, "cells_of", lambda model: None)
    app = page("screen", goal="target", by=by, cells="10")
    for key in ("rank", "rank-here"):
        assert app.button(key=key).disabled
        assert "whose cells are not on this machine" in app.button(key=key).help.replace("\\", "")
    assert "Bring them here, or choose another goal." in text_of(app)
    assert not page("screen", goal="effect", cells="10").button(key="rank").disabled


def test_a_target_with_too_few_cells_is_refused_before_it_is_asked_for(ranked, monkeypatch):
    everything = open_cells(read_manifest(ranked).dataset)
    target, other = pairs_of(read_manifest(ranked))[5].parts
    few = np.setdiff1d(np.arange(len(everything)), everything.where(target)[3:])
    monkeypatch.setattr(pages, "cells_of", lambda model: everything.subset(few))
    app = page("screen", goal="target", target=target.label, cells="10")
    assert app.button(key="rank").disabled
    assert f"has 3 cells of {target.label}" in text_of(app)
    assert not page("screen", goal="target", target=other.label, cells="10").button(key="rank").disabled


def test_a_list_is_ranked_and_found_again(ranked):
    wanted = pairs_of(read_manifest(ranked))[:3]
    address = {"rank": "list", "list": "\n".join(one.label for one in wanted), "cells": "10"}
    app = page("screen", **address)
    app.button(key="rank").click().run()
    job = app.query_params["job"]
    until_done(app)
    assert not app.exception
    assert set(rows(app)["Perturbation"]) == {one.label for one in wanted}
    assert "ranked on this machine" in text_of(app)
    again = page("screen", **address)
    assert len(rows(again)) == 3
    assert page("screen", job=job, **address)


@pytest.mark.long
def test_cancelling_keeps_the_rows(ranked):
    app = page("screen", cells="60", seed="5")
    app.button(key="rank").click().run()
    manager = pages.jobs()
    job = app.query_params["job"]
    while (status := manager.status(job)).result is None:
        assert status.state.is_active, status.error
    app.run()
    assert "ranked among themselves so far" in text_of(app)
    app.button(key="cancel").click().run()
    until_done(app)
    assert "Cancelled after" in text_of(app)
    assert 0 < len(rows(app)) < 780


def test_a_ranking_can_be_presented(ranked):
    app = page("screen")
    app.button(key="present").click().run()
    assert "1 of 4" in text_of(app)
    for _ in range(3):
        app.button(key="next").click().run()
        assert not app.exception
    assert "Next experiments:" in text_of(app)


def test_a_ranking_is_pinned_with_its_trust_and_origin(ranked):
    app = page("screen")
    next(button for button in app.button if button.label == "Add to report").click().run()
    assert not app.exception
    assert "In the report (1)" in [link.label for link in app.get("page_link")]
    (finding,) = pages.notebooks().findings(app.query_params["pins"])
    assert finding.title.startswith("Which pairs change the cells most?")
    assert [figure.title for figure in finding.figures] == ["The first of the ranking", "All pairs"]
    assert [table.name for table in finding.tables][:2] == ["Ranking", "How far to trust the ranking"]
    assert finding.methods.startswith("780 pairs in sim-A were ranked by overall size of the response.")
    assert finding.tables[0].heading("score") == "Predicted score: overall size of the response (log-normalised)"
    assert "ever measured" not in methods_paragraph([finding])
    assert finding.link.startswith("screen?")
    assert finding.simulated


def test_the_saved_ranking_is_read_again(ranked, tmp_path):
    from pages.parts.rank.answer import Ranking
    from pages.parts.rank.finding import parquet_of

    screen = made_up(ranked)

    class Kept:
        ranking = Ranking(screen, 1, 1, "k", shipped=True)

    (tmp_path / "r.parquet").write_bytes(parquet_of(Kept()))
    assert screen_file.read_screen(tmp_path / "r.parquet").table.equals(screen.table)
    assert {"Ranking (csv)", "Ranking (parquet)"} <= set(labels(page("screen"), "download_button"))
