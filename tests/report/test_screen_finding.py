"""A table of `screen` as a finding: what its candidates are called, one context or several, whose it is."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from primeflow_core.errors import DataError
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.checkpoint import WEIGHTS, read_manifest
from primeflow_core.report.screen_finding import screen_finding, screen_view
from primeflow_core.screening import candidates
from tests.app_models import NAME
from tests.app_screens import made_up


@pytest.fixture
def model(models: Path) -> Model:
    return Model(models / NAME, read_manifest(models / NAME), 0, key=NAME)


def test_pairs_of_one_context(model):
    found = screen_finding(made_up(model.folder), model)
    assert found.methods.startswith("780 pairs in sim-A were ranked by")
    assert found.link.startswith(f"screen?model={NAME}&context=sim-A&goal=effect")
    assert [figure.title for figure in found.figures] == ["The first of the ranking", "All pairs"]
    assert found.origins[0].condition.label == found.tables[0].frame.iloc[0]["perturbation"]


@pytest.mark.parametrize(("every", "noun"), [(candidates.all_singles, "perturbations"), (None, "candidates")])
def test_what_candidates_are_called(model, every, noun):
    contexts = Catalogue(model.manifest).contexts()[:1]
    singles = candidates.all_singles(model.manifest, contexts).conditions[:4]
    pairs = candidates.all_pairs(model.manifest, contexts).conditions[:4]
    shown = screen_view(made_up(model.folder, singles if every else (*singles, *pairs)), model)
    assert shown.noun == noun
    assert set(shown.conditions) == set(shown.table["perturbation"])


def test_several_contexts_are_named_row_by_row_and_not_drawn_as_one_grid(model):
    contexts = Catalogue(model.manifest).contexts()[:2]
    wanted = candidates.all_pairs(model.manifest, contexts).conditions
    screen = made_up(model.folder, (*wanted[:6], *wanted[-6:]))
    found, first = screen_finding(screen, model), screen.table.iloc[0]
    assert f"{first['perturbation']} in {first['cell_type']} comes first" in found.title
    assert list(found.tables[0].frame)[list(found.tables[0].frame).index("perturbation") + 1] == "cell_type"
    assert [figure.title for figure in found.figures] == ["The first of the ranking"]
    assert f"{first['perturbation']} in {first['cell_type']} " in found.figures[0].alt
    assert found.origins[0].condition.context == first["cell_type"]
    assert "12 pairs in sim-" in found.methods


def test_a_ranking_that_was_cancelled_says_how_far_it_came(model):
    screen = made_up(model.folder)
    half = replace(screen, table=screen.table.head(390), trust=None)
    assert "The ranking ended before the held-out conditions were checked." in screen_finding(half, model).methods


def test_an_empty_table_and_one_of_other_weights_are_refused(model, tmp_path):
    screen = made_up(model.folder)
    with pytest.raises(DataError, match="ranks nothing"):
        screen_finding(replace(screen, table=screen.table.head(0)), model)
    shutil.copytree(model.folder, tmp_path / "other")
    (tmp_path / "other" / WEIGHTS).write_bytes(b"other weights")
    with pytest.raises(DataError, match="other weights"):
        screen_finding(screen, replace(model, folder=tmp_path / "other"))
