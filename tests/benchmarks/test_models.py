"""The script that makes the shipped tables: what it holds out, one table of several splits, and its page."""

import argparse
from pathlib import Path

import pytest

from benchmarks import models, models_page
from primeflow_core.benchmark.leaderboard import UNRANKED
from primeflow_core.data import datasets
from primeflow_core.data.split_file import TEST, TRAIN
from primeflow_core.data.splits import held_out_split
from primeflow_core.training.recipes.registry import SMALL_RECIPES, recipe_named
from tests.tiny import cells, condition

NAME = "k562-pairs"


def two_splits(data):
    return {one.label: held_out_split(data, {one: TEST}) for one in (condition("A"), condition("A", "B"))}


@pytest.fixture
def on_tiny_cells(monkeypatch):
    data = cells(per_condition=40)
    chosen = models.Benchmark("tiny", "Tiny cells", "A and A+B in turn", two_splits)
    monkeypatch.setattr(models, "BENCHMARKS", {NAME: chosen, "other": chosen})
    monkeypatch.setattr(models_page, "BENCHMARKS", {NAME: chosen, "other": chosen})
    monkeypatch.setattr(models, "SMALL_RECIPES", (recipe_named("no-change"), recipe_named("additive")))
    monkeypatch.setattr(models, "data_file", lambda name: argparse.Namespace(simulated=True))
    monkeypatch.setattr(datasets, "open_cells", lambda name: data)


@pytest.mark.slow
def test_two_splits_make_one_table_with_a_page(on_tiny_cells, monkeypatch, tmp_path, capsys):
    given = argparse.Namespace(work=tmp_path / "work", out=tmp_path / "out", seeds=2, workers=None)
    models.run(NAME, given)
    assert f"{NAME}, A: 4 of 4 trainings to do" in capsys.readouterr().out
    models.run(NAME, given)
    assert f"{NAME}, A: 0 of 4 trainings to do" in capsys.readouterr().out
    page = tmp_path / "benchmark.md"
    monkeypatch.setattr("sys.argv", ["models_page", str(tmp_path / "out"), "--out", str(page)])
    models_page.main()
    text = page.read_text()
    assert (
        "## Tiny cells\n\nSIMULATED cells. tiny: A and A+B in turn. Up to 1,000 cells a condition, 2 trainings." in text
    )
    assert "Compared on 1 of 2 conditions: those that every model predicts." in text
    assert "| no-change | 1 | 2 | 1 |" in text
    assert "| additive | 1 | 2 | 1 |" in text
    assert UNRANKED in text
    assert "Rank of the right condition" not in text
    assert "- Sum of single effects cannot predict A k562: " in text
    assert f"python -m benchmarks.models {NAME} --work" in text
    assert text.endswith("Not run yet: other.\n")


def test_a_failed_training_makes_no_table(on_tiny_cells, monkeypatch, tmp_path):
    def fails(*given, **options):
        raise models.SettingError("no such cells")

    monkeypatch.setattr("primeflow_core.benchmark.run.scored_entry", fails)
    given = argparse.Namespace(work=tmp_path / "work", out=tmp_path / "out", seeds=1, workers=None)
    with pytest.raises(models.SettingError, match="no-change-seed-0: no such cells"):
        models.run(NAME, given)
    assert not (tmp_path / "out").exists()


def test_blood_cells_have_fewer_steps_and_say_so():
    changed = [one for one in models.BENCHMARKS["kang18"].recipes if one not in SMALL_RECIPES]
    assert {one.name: one.training.steps for one in changed} == {
        "primeflow-plus-tiny": 1500,
        "primeflow-mlp-plus-tiny": 1500,
    }
    assert all(one.summary.endswith("; steps=1500") for one in changed)


@pytest.mark.parametrize(
    ("name", "tested"),
    [
        ("k562-pairs", [5]),
        ("perturbench-combo", [5]),
        ("perturbench-transfer", [5]),
        ("kang18", [1] * 5),
        ("gbm", [1] * 5),
    ],
)
def test_real_cells_are_held_out_as_told(name, tested, mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    data = datasets.open_cells(models.BENCHMARKS[name].data)
    found = models.BENCHMARKS[name].splits(data)
    for split in found.values():
        trained = split.conditions(data, TRAIN)
        assert not [one for one in split.conditions(data, TEST) if one in trained and not one.is_control]
    held = [[one for one in split.conditions(data, TEST) if not one.is_control] for split in found.values()]
    assert list(map(len, held)) == tested


def test_the_split_of_k562_is_the_one_of_the_shipped_model():
    assert (Path(models.__file__).parent.parent / models.SHIPPED).is_file()
