"""Files of a search with each key damaged: the error names the file, the key and what to do."""

import json

import pytest

from primeflow_core.errors import DataError
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.tuning.question import SearchSpec
from primeflow_core.training.tuning.store import TRIALS, TrialStore
from primeflow_core.training.tuning.trial import SCORED, Trial
from tests.damaged_json import check_refused, damages, whole_file_damages

QUESTION = SearchSpec(recipe_named("linear"), "data", "split")
TRIAL = Trial(0, QUESTION.search.start, SCORED, 1.5, (0.5,), 8, 1.0, "")
PLAIN = json.loads(json.dumps(TRIAL.to_json()))


@pytest.fixture
def store(tmp_path):
    made = TrialStore(tmp_path, QUESTION)
    made.open()
    made.keep(TRIAL)
    return made


def check(store, damage):
    file = store.folder / TRIALS / "0000.json"
    file.write_bytes(damage.content)
    check_refused(
        damage, store.trials, DataError, str(file), "Delete it and every later trial, and run the same command"
    )


@pytest.mark.parametrize("key", PLAIN)
def test_each_key_of_a_trial(store, key):
    for damage in damages(PLAIN, key, {"why"}):
        check(store, damage)


def test_a_damaged_trial(store):
    for damage in whole_file_damages(PLAIN):
        check(store, damage)


def test_undamaged(store):
    assert store.trials() == (TRIAL,)
