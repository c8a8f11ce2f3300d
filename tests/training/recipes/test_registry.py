"""Recipes: the paper's numbers, and settings given as text."""

import json
from dataclasses import asdict

import pytest

from primeflow_core.errors import SettingError
from primeflow_core.models.architectures import rows_of
from primeflow_core.training.recipes.registry import RECIPES, adjusted, recipe_named


@pytest.mark.parametrize(
    ("name", "mult", "batch"), [("unet-a", (1, 2, 2, 4, 4), 216), ("unet-b", (1, 1, 2, 2, 4), 400)]
)
def test_the_paper_rows(name, mult, batch):
    recipe = recipe_named(name)
    assert recipe.rows["field"].channel_mult == mult
    assert (recipe.rows["field"].channels, recipe.rows["field"].num_res_blocks, recipe.rows["field"].heads) == (
        256,
        2,
        8,
    )
    assert (recipe.rows["field"].attention_at, recipe.rows["field"].dropout, recipe.rows["field"].fold) == (
        (16,),
        0.1,
        1,
    )
    assert (recipe.rows["flow"].path, recipe.rows["flow"].sigma, recipe.rows["flow"].prob_unconditional) == (
        "linear",
        0.0,
        0.2,
    )
    training = recipe.training
    assert (training.batch_size, training.accumulation, training.clip) == (batch, 4, 5.0)
    assert (training.learning_rate, training.weight_decay) == (5e-5, 0.0)


def test_names_are_unique_and_settings_survive_json():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    for recipe in RECIPES:
        settings = json.loads(json.dumps(recipe.settings()))
        assert rows_of(settings) == recipe.rows
        assert settings["training"] == asdict(recipe.training)


def test_settings_are_found_in_the_row_they_belong_to():
    recipe = adjusted(
        recipe_named("unet-tiny"),
        ["batch_size=8", "learning_rate=1e-4", "channel_mult=[1, 3]", "path=trigonometric", "sigma=1"],
    )
    assert recipe.training.batch_size == 8
    assert recipe.training.learning_rate == 1e-4
    assert recipe.rows["field"].channel_mult == (1, 3)
    assert (recipe.rows["flow"].path, recipe.rows["flow"].sigma) == ("trigonometric", 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_size", "key=value"),
        ("width=3", "'width' is not a setting"),
        ("batch_size=many", "batch_size=many cannot be used"),
        ("batch_size=1.5", "batch_size=1.5 cannot be used"),
        ("channel_mult=2", "a list like"),
        ("path=bent", "path is 'bent'"),
        ("batch_size=0", "it must be 1 or more"),
    ],
)
def test_wrong_settings_are_named(text, message):
    with pytest.raises(SettingError, match=message):
        adjusted(recipe_named("unet-tiny"), [text])


def test_an_unknown_recipe_lists_those_there_are():
    with pytest.raises(SettingError, match="primeflow-plus-small"):
        recipe_named("unet-huge")
