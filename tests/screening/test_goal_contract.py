"""A goal is one record: a made-up one serves the screen, its file, the command line and the Rank page by itself."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main
from primeflow_core.errors import SettingError
from primeflow_core.models.checkpoint import read_manifest
from primeflow_core.report.ranking_link import address_of
from primeflow_core.screening.bootstrap_draws import change
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.goals import registry
from primeflow_core.screening.goals.record import GoalRecord, Need
from primeflow_core.screening.rank_uncertainty import placed
from primeflow_core.screening.ranking import without_score
from primeflow_core.screening.screen_file import read_screen
from tests.app import drawn, page, text_of
from tests.app_models import NAME
from tests.app_screens import made_up, pairs_of, ship

STILL = GoalRecord(
    name="still",
    choice="Leave the cells as they are",
    summary="mean squared change of a gene, small first",
    question="Which candidates leave the cells as they are?",
    unit="mean squared log2 change",
    score=lambda context, subject: (change(subject.cells, subject.controls).astype(np.float64) ** 2).mean(axis=1),
    larger_is_better=False,
    least=0.0,
    log_scale=False,
    unscored="made up",
    aliases=("calm",),
)
FEW = ["--cells", "10", "--sampler", "euler", "--steps", "1", "--precision", "float32"]


@pytest.fixture(autouse=True)
def with_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "GOALS", (*registry.GOALS, STILL))


@pytest.fixture
def shipped(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that comes with a ranking by the made-up goal."""
    shutil.copytree(models / NAME, tmp_path / NAME)
    ship(tmp_path / NAME, made_up(tmp_path / NAME, goal=Goal("still")))
    monkeypatch.setenv("PRIMEFLOW_CHECKPOINTS", str(tmp_path))
    return tmp_path / NAME


def test_help_names_it_with_its_words_and_its_other_name(capsys):
    with pytest.raises(SystemExit):
        main(["screen", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "still or calm: mean squared change of a gene, small first" in told
    assert all(record.summary in told for record in registry.goal_records())


def test_options_of_another_goal_are_refused(models, tmp_path, capsys):
    asked = ["screen", "--model", str(models / NAME), "--candidates", "all-pairs", "--out", str(tmp_path / "a.parquet")]
    assert main([*asked, "--goal", "still", "--gene", "A"]) == 2
    assert "--gene GENE does not belong to --goal still" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["still", "calm"])
def test_a_screen_by_it_has_ranks_trust_next_experiments_and_its_words(models, tmp_path, capsys, name):
    folder, out = models / NAME, tmp_path / "hits.parquet"
    manifest = read_manifest(folder)
    pairs = [pair for pair in manifest.held_out if len(pair.perturbations) == 2]
    parts = sorted({part.name for pair in pairs for part in pair.perturbations})[:4]
    asked = ["screen", "--model", str(folder), "--candidates", "all-pairs", "--parts", ",".join(parts)]
    assert main([*asked, "--goal", name, "--out", str(out), *FEW]) == 0
    told = capsys.readouterr().out
    assert "Which candidates leave the cells as they are? Score: mean squared log2 change." in told
    found = read_screen(out)
    assert found.goal == Goal("still")
    assert found.trust is not None
    assert found.trust.goal == found.goal
    scores, low = (found.table[column].to_numpy(np.float64) for column in ("score", "low"))
    assert list(scores) == sorted(scores)
    assert (low >= 0).all()
    assert found.table["sum_score"].gt(0).any()
    assert len(found.next)
    assert (found.about["unit"], found.about["order"]["goal"]["kind"]) == (STILL.unit, "still")


def test_its_direction_bounds_and_reason_reach_the_ranking():
    scores, replicates = np.array([2.0, 0.1]), np.array([[1.0, 2.0, 3.0], [-5.0, 0.1, 5.0]])
    found = placed(scores, replicates, ["a", "b"], Goal("still"))
    assert list(found.best_first) == [1, 0]
    assert found.low.min() == 0
    table = pd.DataFrame({"score": [1.0, np.nan]})
    assert without_score(table, Goal("still")) == "1 of 2 candidates has no score, and so no rank: made up."


@pytest.mark.slow
def test_the_rank_page_offers_it_draws_it_and_links_to_it(shipped):
    app = page("screen", goal="still")
    assert not app.exception
    assert not app.error
    told = text_of(app)
    assert "Which pairs leave the cells as they are?" in told
    assert "mean squared log2 change; smaller is better" in told
    assert STILL.choice in app.selectbox(key="rank_goal").options
    assert app.query_params["goal"] == "still"
    for figure in ("ranked-scores", "all-pairs"):
        assert STILL.unit in str(drawn(app, figure)).lower(), figure


def test_the_address_and_the_command_of_a_ranking_name_it(shipped):
    made = made_up(shipped, pairs_of(read_manifest(shipped))[:3], Goal("still"))
    said = address_of(made)
    assert said["goal"] == "still"
    assert not {"by", "target", "gene", "raise", "lower"} & set(said)


def test_names_are_told_apart_and_an_unknown_one_is_refused():
    names = [name for record in registry.goal_records() for name in (record.name, *record.aliases)]
    assert len(names) == len(set(names))
    with pytest.raises(SettingError, match="'nothing' is not a goal"):
        Goal("nothing")


@pytest.mark.parametrize("record", registry.GOALS, ids=lambda record: record.name)
def test_what_a_goal_needs_is_asked_for_and_nothing_else_taken(record):
    if record.need in (Need.NOTHING, Need.TARGET):
        with pytest.raises(SettingError, match=r"takes no genes"):
            Goal(record.name, raised=("A",))
    if record.need is not Need.NOTHING:
        with pytest.raises(SettingError, match=r"needs|asks for one gene"):
            Goal(record.name)
