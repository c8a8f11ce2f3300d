"""Each key of config.json and of a recipe: missing, of a wrong type, NaN, nested without end; and keys nobody knows."""

import json

import pytest

from primeflow_core.errors import CheckpointError, DataError, SettingError
from primeflow_core.model_store.local_models import read_library
from primeflow_core.models.checkpoint import read_manifest, write_manifest
from primeflow_core.runtime.json_text import parse_json
from primeflow_core.training.recipes.recipe_file import read_recipe, write_recipe
from primeflow_core.training.recipes.registry import recipe_named
from tests.models.test_checkpoint import manifest

NESTED = "[" * 200_000
KEYS = sorted(manifest().to_json())
RECIPE_KEYS = ("format", "name", "summary", "settings")


def texts(plain, key):
    """The file with one key amiss, in each way."""
    wrong = ([] if isinstance(plain[key], str) else "x"), {"strange": [1]}
    for value in wrong[: 1 if key == "provenance" else 2]:  # which may say more than is read
        yield json.dumps({**plain, key: value})
    yield json.dumps({name: value for name, value in plain.items() if name != key})
    yield json.dumps({**plain, key: float("nan")})
    yield json.dumps({**plain, key: [float("inf")]})
    yield json.dumps({**plain, key: "HERE"}).replace('"HERE"', NESTED)
    yield json.dumps({**plain, "colour": "red"})
    yield json.dumps(plain)[:-1] + f", {json.dumps(key)}: {json.dumps(plain[key])}" + "}"


@pytest.mark.parametrize("key", KEYS)
def test_each_key_of_a_model_description_is_checked(tmp_path, key):
    write_manifest(tmp_path / "broken", manifest())
    write_manifest(tmp_path / "whole", manifest())
    file = tmp_path / "broken" / "config.json"
    for text in texts(json.loads(file.read_text()), key):
        file.write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.json cannot be read as a model description: "):
            read_manifest(file.parent)
        library = read_library(tmp_path)
        assert list(library.models) == ["whole"]
        assert [str(file) in problem for problem in library.problems] == [True]


@pytest.mark.parametrize("key", RECIPE_KEYS)
def test_each_key_of_a_recipe_is_checked(tmp_path, key):
    file = tmp_path / "mine.json"
    write_recipe(file, recipe_named("latent"), {})
    for text in texts(json.loads(file.read_text()), key):
        file.write_text(text)
        with pytest.raises(SettingError, match=r"mine\.json cannot be used as a recipe: "):
            read_recipe(file)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("vocabulary", "highest_dose"), [[], None], r"vocabulary\.highest_dose\[0\] is \[\]; it must be a number"),
        (("vocabulary", "highest_dose"), [None], "as many highest doses"),
        (("created",), "../../etc/passwd", "created is .* it must be a date and time"),
        (("seed",), True, "seed is true; it must be a whole number"),
        (("seed",), "1", 'seed is "1"; it must be a whole number'),
        (("sampling", "guidance"), "1", "sampling.guidance is .* it must be a number"),
        (("sampling", "depth"), 1, "the key sampling.depth, which"),
        (("provenance", "versions"), [], "provenance.versions is"),
    ],
)
def test_what_is_wrong_inside_is_named_by_its_place(tmp_path, place, value, message):
    write_manifest(tmp_path, manifest())
    plain = json.loads((tmp_path / "config.json").read_text())
    inside = plain
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    (tmp_path / "config.json").write_text(json.dumps(plain))
    with pytest.raises(CheckpointError, match=message):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "text", [NESTED, '{"a":' * 200_000, "[1e999]", '{"a": [[NaN]]}', '{"a": 1, "a": 2}', "9" * 9999]
)
def test_text_that_is_not_json_for_us_is_a_data_error(text):
    with pytest.raises(DataError):
        parse_json(text)
