"""Recipes as files: every recipe round trip, and what is amiss is named with file, setting and value."""

import json

import pytest

from primeflow_core.errors import SettingError
from primeflow_core.training.recipes.recipe_file import read_recipe, write_recipe
from primeflow_core.training.recipes.registry import RECIPES, recipe_given, recipe_named


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_is_read_as_it_was_written(recipe, tmp_path):
    path = tmp_path / "recipe.json"
    write_recipe(path, recipe, {"seed": 3})
    assert read_recipe(path) == recipe
    assert recipe_given(str(path)) == recipe
    assert json.loads(path.read_text())["provenance"] == {"seed": 3}


def written(tmp_path, change, name="latent"):
    """A recipe file with ``change`` made to what it says."""
    path = tmp_path / "best.json"
    write_recipe(path, recipe_named(name), {})
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    return path


def put(*place, value):
    def change(told):
        for key in place[:-1]:
            told = told[key]
        told[place[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("format", value=2), "format is 2"), (put("format", value="1"), 'format is "1"'),
        (put("name", value="../x"), r'name is "\.\./x"'), (put("name", value="a/b"), "letters, digits"),
        (put("name", value=""), "letters, digits"), (put("name", value="x" * 65), "at most 64"),
        (put("summary", value=3), "summary is 3"), (put("settings", value=[]), r"settings is \[\]"),
        (put("settings", "latent", value=[]), r"settings\.latent is \[\]"),
        (put("settings", "latent", "width", value="wide"), 'latent.width is "wide"; it must be a whole number'),
        (put("settings", "latent", "width", value=True), "latent.width is true"),
        (put("settings", "latent", "width", value=2.5), "latent.width is 2.5"),
        (put("settings", "latent", "width", value=None), "latent.width is null; it must be a whole number"),
        (put("settings", "latent", "width", value=10**400), "latent.width is 1000"),
        (put("settings", "latent", "width", value=0), "width is 0"),
        (put("settings", "latent", "dropout", value=float("nan")), "dropout is NaN, and must be a finite number"),
        (put("settings", "latent", "encode_covariates", value=1), "must be true or false"),
        (put("settings", "latent", "depth", value=1), "the key latent.depth, which"),
        (put("settings", "training", "decay", value="slow"),
          'training.decay is "slow"; it must be one of .constant., .cosine. or .plateau.'),
        (put("settings", "training", "decay", value=1), "training.decay is 1; it must be one of"),
        (put("settings", "training", "learning_rate", value=-1.0), "learning_rate is -1"),
        (put("settings", "strange", value={}), 'the row "strange"'), (put("settings", value={}), "describe a model"),
        (put("settings", "flow", value={}), "rows flow, latent do not describe a model"),
    ],
)  # fmt: skip
def test_what_is_amiss_is_named_with_the_file(change, said, tmp_path):
    path = written(tmp_path, change)
    with pytest.raises(SettingError, match=said) as raised:
        read_recipe(path)
    assert str(raised.value).startswith(f"{path} cannot be used as a recipe: ")


@pytest.mark.parametrize("value", [[1, "2"], [1, 2.5], 3, "1,2"], ids=str)
def test_lists_hold_whole_numbers(value, tmp_path):
    path = written(tmp_path, put("settings", "field", "channel_mult", value=value), "unet-tiny")
    with pytest.raises(SettingError, match=r"field\.channel_mult(\[1\])? is"):
        read_recipe(path)


@pytest.mark.parametrize("heads", [0, 7])
def test_rows_that_cannot_be_built_are_refused(heads, tmp_path):
    path = written(tmp_path, put("settings", "field", "heads", value=heads), "unet-tiny")
    with pytest.raises(SettingError, match="heads"):
        read_recipe(path)


def test_a_setting_left_out_has_its_usual_value_and_whole_numbers_are_numbers(tmp_path):
    def change(told):
        told["settings"] = {"latent": {"dropout": 0}, "training": {"steps": 5}}

    recipe = read_recipe(written(tmp_path, change))
    assert recipe.rows["latent"] == type(recipe.rows["latent"])(dropout=0.0)
    assert isinstance(recipe.rows["latent"].dropout, float)
    assert recipe.training.steps == 5


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"7"])
def test_other_files_are_refused(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text)
    with pytest.raises(SettingError, match=r"x\.json cannot be used as a recipe"):
        read_recipe(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    for name in ("none.json", "folder.json"):
        (tmp_path / "folder.json").mkdir(exist_ok=True)
        with pytest.raises(SettingError, match=f"{name} cannot be used as a recipe: .*primeflow tune"):
            recipe_given(str(tmp_path / name))


def test_no_file_passes_for_another_recipe(tmp_path):
    path = written(tmp_path, put("settings", "latent", "width", value=77))
    with pytest.raises(SettingError, match="has the name 'latent' and other settings"):
        recipe_given(str(path))
    assert recipe_given(str(written(tmp_path, put("name", value="mine")))).name == "mine"
    with pytest.raises(SettingError, match="There is no recipe 'mine'"):
        recipe_given("mine")
