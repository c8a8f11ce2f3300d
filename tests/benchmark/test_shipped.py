"""Finished benchmarks as they are read: what is found, what is refused, and what stays usable beside it."""

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from primeflow_core.benchmark.cell_projection import CONTROL, PREDICTED, REFERENCE, TRUTH
from primeflow_core.benchmark.condition_scores import condition_grid, strongest_first
from primeflow_core.benchmark.display_names import family, labels
from primeflow_core.benchmark.leaderboard import CEILING, FLOOR
from primeflow_core.benchmark.output_files import DECIMALS
from primeflow_core.benchmark.read_about import day_of, read_about
from primeflow_core.benchmark.read_cell_projection import pictured
from primeflow_core.benchmark.shipped import own_benchmarks, read_results, read_shelf
from primeflow_core.errors import DataError
from primeflow_core.runtime.atomic_files import write_json
from primeflow_core.training.recipes.registry import RECIPES
from tests.app import ROOT
from tests.shipped_benchmarks import AXES, CONDITIONS, CONTEXT, SCORES, about, picture, rows, ship


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return ship(tmp_path_factory.mktemp("made") / "pairs")


@pytest.fixture
def folder(made, tmp_path):
    """A copy to damage."""
    return shutil.copytree(made, tmp_path / "pairs")


def test_what_the_command_wrote_is_read_again(made):
    found = read_results(made)
    assert (found.key, found.own) == ("pairs", False)
    assert found.about == about()
    assert day_of(found.about) == "22 November 2026"
    assert found.entries == tuple(SCORES)
    assert list(found.bounds["model"]) == [FLOOR, CEILING]
    assert found.metrics == ("cosine_logfc", "mmd_gex")
    assert found.places == tuple((name, CONTEXT) for name in CONDITIONS)
    assert len(found.rows_at(("A+C", CONTEXT))) == len(SCORES) * 3
    assert found.table.set_index(["model", "guidance"]).loc[("ridge", 1.0), "mmd_gex"] == pytest.approx(0.31)


def test_only_the_condition_that_is_looked_at_is_drawn(made):
    found = pictured(read_results(made).picture, ("A+C", CONTEXT))
    drawn = picture().round({"x": DECIMALS, "y": DECIMALS})
    one = drawn[(drawn["kind"] == PREDICTED) & (drawn["condition"] == "A+C") & (drawn["model"] == "unet-tiny")]
    for weight in (1.0, 3.0):
        expected = one[one["guidance"] == weight][["x", "y"]].to_numpy()
        np.testing.assert_array_equal(found.predicted["unet-tiny", weight], expected)
    truth = drawn[(drawn["kind"] == TRUTH) & (drawn["condition"] == "A+C")]
    np.testing.assert_array_equal(found.truth, truth[["x", "y"]].to_numpy())
    assert len(found.control) == (drawn["kind"] == CONTROL).sum()
    assert len(found.others) == (drawn["kind"] == REFERENCE).sum()
    assert found.axes == AXES[CONTEXT]
    assert set(found.predicted) == set(SCORES)


def test_a_condition_that_was_not_drawn_is_refused(made):
    with pytest.raises(DataError, match=r"cells\.parquet has no cells of C\+D k562"):
        pictured(read_results(made).picture, ("C+D", CONTEXT))


def test_a_benchmark_without_a_picture_is_whole(tmp_path):
    assert read_results(ship(tmp_path / "plain", drawn=False)).picture is None


def changed(**said):
    return {**json.loads(json.dumps(vars(about()))), **said}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"seeds": [0, "1"]}, "a whole number"), ({"seeds": []}, "seeds is"), ({"cells": True}, "cells is true"),
        ({"simulated": "no"}, "true or false"), ({"title": 3}, "title is 3"), ({"made": "yesterday"}, "yesterday"),
        ({"recipes": []}, "recipes is"), ({"refused": {"cpa": ["A"]}}, "refused.cpa is .* an object"),
        ({"split_sha256": "abc"}, "split_sha256 is"),
    ],
)  # fmt: skip
def test_what_a_benchmark_says_of_itself_is_checked(tmp_path, said, why):
    path = tmp_path / "about.json"
    write_json(path, changed(**said))
    with pytest.raises(DataError, match=rf"about\.json does not describe a benchmark: .*{why}"):
        read_about(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"title": "x"}', "[" * 5000, "\x00"])
def test_a_description_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "about.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"about\.json does not describe a benchmark"):
        read_about(path)


def without(name):
    return lambda path: pd.read_csv(path).drop(columns=name).to_csv(path, index=False)


def twice(path):
    table = pd.read_csv(path)
    pd.concat([table, table.head(1)]).to_csv(path, index=False)


def word(path):
    table = pd.read_csv(path).astype({"mmd_gex": object})
    table.loc[0, "mmd_gex"] = "much"
    table.to_csv(path, index=False)


def no_axes(path):
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)


def no_place(path):
    pq.write_table(pq.read_table(path).drop_columns(["x"]), path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def other_models(path):
    rows({("linear", 1.0): (0.1, 0.1)}).to_parquet(path, index=False)


def no_rows(path):
    rows().head(0).to_parquet(path, index=False)


def a_gap(path):
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["mmd_gex", "cosine_logfc"]), path)


@pytest.mark.parametrize(
    ("name", "damage", "why"),
    [
        ("benchmark.csv", without("seeds"), "no column seeds"), ("benchmark.csv", twice, "the same model twice"),
        ("benchmark.csv", word, "much"), ("benchmark.csv", lambda path: path.write_text(""), "No columns"),
        ("benchmark.csv", lambda path: path.unlink(), "No such file"), ("conditions.parquet", cut, "read"),
        ("conditions.parquet", other_models, "not those of benchmark.csv"), ("conditions.parquet", no_rows, "no row"),
        ("conditions.parquet", a_gap, "none of the metrics"),
        ("conditions.parquet", lambda path: path.unlink(), "read"),
        ("cells.parquet", no_axes, "titles of axes"), ("cells.parquet", no_place, "no column x"),
        ("cells.parquet", cut, "read"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_and_the_others_stay(folder, name, damage, why):
    ship(folder.parent / "whole")
    damage(folder / name)
    found = read_shelf(folder.parent)
    assert list(found.results) == ["whole"]
    (problem,) = found.problems
    assert name in problem
    assert why in problem
    assert "\n" not in problem


def test_cells_that_are_damaged_after_they_were_listed_are_named(folder):
    found = read_results(folder).picture
    cut(found.path)
    with pytest.raises(DataError, match=r"cells\.parquet cannot be read"):
        pictured(found, ("A+B", CONTEXT))


def test_shipped_ones_come_first_and_measured_ones_are_opened(tmp_path):
    ship(tmp_path / "shipped" / "a", simulated=True)
    ship(tmp_path / "shipped" / "b")
    ship(tmp_path / "own" / "a")
    (tmp_path / "own" / "unfinished" / "models").mkdir(parents=True)
    found = read_shelf(tmp_path / "shipped", tmp_path / "own")
    assert list(found.results) == ["a", "b", "a-yours"]
    assert [one.own for one in found.results.values()] == [False, False, True]
    assert found.first == "b"
    assert found.problems == ()
    assert list(read_shelf(tmp_path / "none", tmp_path / "own" / "a").results) == ["a"]
    assert read_shelf(tmp_path / "none").first is None


def test_where_ones_own_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    monkeypatch.delenv("PRIMEFLOW_BENCHMARKS", raising=False)
    assert own_benchmarks() == tmp_path / "benchmarks"
    monkeypatch.setenv("PRIMEFLOW_BENCHMARKS", str(tmp_path / "mine"))
    assert own_benchmarks() == tmp_path / "mine"


def test_every_recipe_has_a_name_for_people_that_no_other_has():
    assert all(family(recipe.name) != recipe.name for recipe in RECIPES)
    entries = [(recipe.name, weight) for recipe in RECIPES for weight in (1.0, 3.0)]
    found = labels(entries)
    assert len(set(found.values())) == len(entries)
    assert found["sams-vae-s", 1.0].startswith("SAMS-VAE (S)")
    assert found["unet-a", 3.0] == "PRiMeFlow (unet-a), w = 3"
    assert labels([("unet-tiny", 1.0), ("somebody-elses", 1.0)]) == {
        ("unet-tiny", 1.0): "PRiMeFlow", ("somebody-elses", 1.0): "somebody-elses",
    }  # fmt: skip


def test_every_condition_stands_between_its_own_floor_and_ceiling(made):
    found = read_results(made)
    grid = condition_grid(found, "mmd_gex")
    assert grid.models == (
        "PRiMeFlow", "PRiMeFlow, w = 3", "Sum of single effects", "Ridge", "CPA", "No change",
    )  # fmt: skip
    assert grid.conditions == ("B+C", "A+C", "A+B")
    np.testing.assert_allclose(grid.values[0], [0.12, 0.11, 0.10])
    np.testing.assert_allclose(grid.floor, [0.52, 0.51, 0.50])
    np.testing.assert_allclose(grid.ceiling, 0.05)
    assert grid.smaller_is_better
    cosine = condition_grid(found, "cosine_logfc")
    assert strongest_first(found, "cosine_logfc")[0] == ("A+B", CONTEXT)
    assert cosine.models[0] == "CPA"


def test_a_condition_that_a_model_could_not_predict_is_a_gap(tmp_path):
    some = rows()
    some = some[(some["model"] != "cpa") | (some["condition"] != "A+C")]
    grid = condition_grid(read_results(ship(tmp_path / "gap", some)), "mmd_gex")
    values = pd.DataFrame(grid.values, grid.models, grid.conditions)
    assert np.isnan(values.loc["CPA", "A+C"])
    assert values.isna().sum().sum() == 1


def test_contexts_are_told_apart(tmp_path):
    both = pd.concat([rows(), rows().assign(cell_type="a549", mmd_gex=0.9)], ignore_index=True)
    found = read_results(ship(tmp_path / "two", both))
    assert len(found.places) == 6
    assert condition_grid(found, "mmd_gex").conditions[0].endswith((" · k562", " · a549"))
    assert (found.rows_at(("A+B", "a549"))["mmd_gex"] == 0.9).all()


def test_data_without_covariates_have_one_nameless_context(tmp_path):
    found = read_results(ship(tmp_path / "bare", rows().drop(columns="cell_type"), drawn=False))
    assert found.places == tuple((name, "") for name in CONDITIONS)
    assert condition_grid(found, "mmd_gex").conditions == ("B+C", "A+C", "A+B")


def test_the_metadata_of_the_picture_are_no_place_for_surprises(folder):
    path = folder / "cells.parquet"
    table = pq.read_table(path)
    for said in (b"{}", b"[]", b"{", b'{"k562": ["one"]}'):
        pq.write_table(table.replace_schema_metadata({b"primeflow_picture": said}), path)
        with pytest.raises(DataError, match=r"cells\.parquet cannot be read as the picture"):
            read_results(folder)


def test_every_benchmark_that_ships_can_be_read():
    shelf = read_shelf(ROOT / "benchmarks" / "results" / "models")
    assert not shelf.problems
    assert "k562-pairs" in shelf.results
    for results in shelf.results.values():
        assert len(set(results.table["model"])) >= 14
        assert set(results.table["seeds"]) == {5}
        assert results.picture is not None
