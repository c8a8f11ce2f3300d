"""What PRiMeFlow-plus adds to the paper's method is named by the settings that a model has."""

from pathlib import Path

import pytest

from primeflow_core.models.flow.additions import ADDITIONS, additions_of, additions_table, in_a_sentence
from primeflow_core.training.recipes.registry import RECIPES, adjusted, recipe_named


@pytest.mark.parametrize(
    "name", ["primeflow-tiny", "unet-a", "unet-b", "primeflow-mlp-tiny", "mlp-1", "fm-tiny", "cpa"]
)
def test_the_papers_method_adds_nothing(name):
    assert additions_of(recipe_named(name).settings()) == ()
    assert in_a_sentence(recipe_named(name).settings()) == ""


def test_the_projects_flow_has_all_of_it():
    assert additions_of(recipe_named("primeflow-plus-tiny").settings()) == ADDITIONS


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.name)
def test_what_is_said_to_remove_it_removes_it(addition):
    settings = [text.replace('"', "") for text in addition.off.split()]
    without = adjusted(recipe_named("primeflow-plus-tiny"), settings)
    assert addition not in additions_of(without.settings())


def test_recipes_are_called_plus_where_they_add_something():
    flows = [recipe for recipe in RECIPES if recipe.name.startswith("primeflow") and "composed" not in recipe.name]
    assert len(flows) == 5
    for recipe in flows:
        assert bool(additions_of(recipe.settings())) == ("-plus-" in recipe.name)


def test_the_table_stands_in_the_docs():
    assert additions_table() in Path("docs/models.md").read_text(encoding="utf-8")
