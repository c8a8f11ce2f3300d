"""A link to Compare with each value damaged: the error names the value, what it must be and what to do."""

import json

import pytest

from pages.parts.shared.entries import Entry, entry_of, listed_in
from primeflow_core.errors import SettingError
from primeflow_core.model_store.local_models import Library, read_library
from primeflow_core.models.checkpoint import write_manifest
from primeflow_core.prediction.prediction_job import PredictionRequest
from tests.damaged_json import STRANGE, Damage, check_refused, whole_file_damages
from tests.models.test_checkpoint import manifest

KINDS = {
    "model": str,
    "perturbations": list,
    "covariates": list,
    "weight": int,
    "cells": int,
    "seed": int,
    "outline": str,
}
OUTLINE = "pca:0,0;1,0;1,1"


@pytest.fixture
def library(tmp_path) -> Library:
    write_manifest(tmp_path / "mine", manifest())
    return read_library(tmp_path)


def link_of(library: Library) -> list:
    model = library.models["mine"]
    condition = model.manifest.trained_on[-1]
    request = PredictionRequest(model.folder, model.version, condition, 50, model.manifest.sampling)
    return Entry("mine", request, OUTLINE).to_json()


@pytest.mark.parametrize("name", KINDS)
def test_each_value(library, name):
    for value in (STRANGE, None, True, [[1]], [], "x", 7):
        if type(value) is KINDS[name] and value != [[1]]:
            continue
        link = link_of(library)
        link[list(KINDS).index(name)] = value
        damage = Damage(f"{name} {value}", name, b"")
        check_refused(
            damage, lambda said=link: entry_of(library, said), SettingError, "must be", "Add the response again"
        )


@pytest.mark.parametrize("said", [None, {}, "x", 1, [], ["mine"], ["mine"] * 8])
def test_an_entry_that_is_no_list_of_its_values(library, said):
    check_refused(Damage("entry", "it must be a list of model, perturbations", b""), lambda: entry_of(library, said),
                  SettingError, "Add the response again")  # fmt: skip


def test_the_text_of_a_link():
    for damage in whole_file_damages({"a": 1}):
        if damage.how not in ("not UTF-8", "a list"):  # the address of a page is text, and a list what it must be
            said = ("This link to a comparison cannot be read", "Add the responses again")
            check_refused(damage, lambda damage=damage: listed_in(damage.content.decode()), SettingError, *said)


def test_undamaged(library):
    (link,) = listed_in(json.dumps([link_of(library)]))
    assert entry_of(library, link).to_json() == link_of(library)
