"""The record of a baseline: a made-up one, registered as one row, appears everywhere that baselines stand."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch

import pages
from primeflow_core.__main__ import main
from primeflow_core.benchmark.display_names import labels
from primeflow_core.benchmark.grid import Entry
from primeflow_core.benchmark.leaderboard import leaderboard
from primeflow_core.benchmark.scored_entry import scored_entry
from primeflow_core.benchmark.standings import standings
from primeflow_core.benchmark.summary_text import compared_baselines, verdict
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.split_file import TEST
from primeflow_core.data.splits import held_out_split
from primeflow_core.errors import SettingError
from primeflow_core.model_store.local_models import read_library
from primeflow_core.model_store.model_card import write_card
from primeflow_core.model_store.model_summary import held_out_scores
from primeflow_core.models import checkpoint
from primeflow_core.models.baselines import registry
from primeflow_core.models.baselines.additive import SumOfSingles
from primeflow_core.models.baselines.baseline import Baseline, FittedBaseline, MovedControls
from primeflow_core.models.baselines.closed_form import BaselineConfig
from primeflow_core.models.baselines.closed_form_recipes import rows_of_baselines
from primeflow_core.models.baselines.fit import fit_baselines
from primeflow_core.models.baselines.registry import BASELINES
from primeflow_core.models.sampling_plan import DIRECT, SamplingPlan
from primeflow_core.training.recipes.registry import recipe_named, recipe_of
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests.app import opened, text_of
from tests.screening.test_trust import TRUTH, OfLevels, told
from tests.tiny import RECIPE, cells, condition

PAIR = condition("A", "B")


@dataclass(frozen=True)
class HalfOfTheSum(MovedControls):
    """Half of what the parts do alone."""

    def shift(self, condition):
        return SumOfSingles(self.measured).shift(condition) / 2


HALF = Baseline(
    name="half-of-the-sum",
    label="Half of the sum",
    describe="Control cells, each moved by half of what the parts do alone.",
    fit=HalfOfTheSum,
    recipe="half-sum",
)


@pytest.fixture
def own_caches():
    """What pages computed before the record existed, and with it, is forgotten."""
    kept = (pages.kept, pages._fitted_baselines)
    for cache in kept:
        cache.clear()
    yield
    for cache in kept:
        cache.clear()


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(registry, "BASELINES", (*BASELINES, HALF))


@pytest.fixture(scope="module")
def source():
    data = cells(per_condition=40)
    return Source(data, held_out_split(data, {PAIR: TEST}, seed=0), "tiny", simulated=True)


@pytest.fixture
def recipe():
    return recipe_of(next(row for row in rows_of_baselines() if row.name == HALF.recipe))


def trained(recipe, source, folder):
    train(prepare(source, recipe, folder, seed=0, device="cpu", resume=False, command=[]), folder)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    data = cells(per_condition=40)
    names = [each.label for each in data.condition_list(np.arange(len(data)))]
    write_anndata(
        folder / "data.h5ad",
        as_anndata(data.values, data.genes, names, {"cell_type": ["k562"] * len(data)}, {}, names=data.names),
    )
    parts = ["test" if name == "A+B" or (name == "control" and i % 2) else "train" for i, name in enumerate(names)]
    pd.DataFrame({"cell": data.names, "split": parts}).to_csv(folder / "split.csv", index=False)
    return folder


@pytest.mark.parametrize("option", ["--baselines", "--rivals"])
def test_evaluate_writes_and_prints_it_under_either_name_of_the_option(files, tmp_path, capsys, option):
    data = str(files / "data.h5ad")
    given = ["evaluate", "--prediction", data, "--truth", data, "--covariates", "cell_type", "--resamples", "0"]
    given += ["--split", str(files / "split.csv"), "--out", str(tmp_path / "m.csv")]
    assert main([*given, option, str(tmp_path / "b.csv")]) == 0
    assert set(pd.read_csv(tmp_path / "b.csv")["baseline"]) == {one.name for one in (*BASELINES, HALF)}
    assert "half-of-the-sum" in capsys.readouterr().out


def test_help_names_the_new_option_only(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    said = capsys.readouterr().out
    assert "--baselines" in said
    assert "rival" not in said


def test_the_card_and_the_held_out_scores_show_it(source, tmp_path):
    folder = trained(recipe_named("additive"), source, tmp_path / "additive")
    given = {"cells_per_condition": 16, "seed": 0, "half": False, "command": ["card"], "report": lambda text: None}
    assert "| half-of-the-sum | " in write_card(folder, source.cells, **given)
    found = held_out_scores(read_library(tmp_path).models["additive"])
    assert found.table["Half of the sum"].notna().all()


def test_the_trust_of_a_ranking_names_it(source):
    fitted = fit_baselines(source.cells)
    assert list(fitted)[-1] == HALF.name
    found = told(TRUTH, dict.fromkeys(fitted, OfLevels(-TRUTH)) | {HALF.name: OfLevels(TRUTH)})
    assert found.rows[-1].label == "Half of the sum"
    assert "Half of the sum, the best baseline, reaches 1.00" in found.lines[1]


def test_it_can_be_trained_saved_and_loaded_and_predicts_what_the_baseline_does(source, recipe, tmp_path):
    assert (recipe.name, recipe.summary) == ("half-sum", HALF.describe)
    folder = trained(recipe, source, tmp_path / "half")
    assert checkpoint.read_manifest(folder).settings["baseline"] == {"baseline": "half-of-the-sum"}
    model = checkpoint.load(folder)
    made = model.predict(PAIR, 10, SamplingPlan(DIRECT, 1, precision="float32"))
    own = fit_baselines(source.cells.subset(source.split.indices(source.cells, "train")))[HALF.name]
    np.testing.assert_allclose(model.fitted().shift(PAIR), own.shift(PAIR), atol=1e-6)
    assert made.shape == (10, 11)


def test_the_benchmark_scores_it_and_holds_primeflow_against_it(source, recipe, tmp_path):
    assert compared_baselines() == [
        "additive", "ridge", "half-sum", "mean-perturbed", "typical-cells", "composed-singles", "gaussian"
    ]  # fmt: skip
    flow = replace(RECIPE, name="unet-tiny", training=replace(RECIPE.training, steps=2, validate_every=2))
    tables = []
    for one in (flow, recipe):
        entry = Entry(one, 0, (1.0,), pictured=False)
        found = scored_entry(entry, source, tmp_path / entry.name, cells=16, part=TEST, command=[])
        tables.append(found.rows.assign(seconds=found.seconds, parameters=found.parameters))
    rows = pd.concat(tables, ignore_index=True)
    # With so few cells no metric can tell, and none would take part.
    rows = rows.drop(columns=[name for name in rows if name.endswith("_baseline")])
    assert labels([("half-sum", 1.0)]) == {("half-sum", 1.0): "Half of the sum"}
    said = verdict(standings(leaderboard(rows), rows), ["mmd_gex", "energy_distance"])
    assert any(line.startswith("Against Half of the sum, PRiMeFlow is ") for line in said)


@pytest.mark.slow
def test_the_trust_card_of_explore_shows_it(models, own_caches):
    app = opened()
    assert not app.exception
    shown = next(found.value for found in app.table if "DEG recall" in found.value)
    assert (shown.loc["Half of the sum"] != "none").all()
    assert f"Half of the sum: {HALF.describe}" in text_of(app).replace("*", "")


def test_only_what_moves_control_cells_and_has_a_recipe_can_be_a_model():
    with pytest.raises(SettingError, match="'mix-of-singles' is not a baseline that can be a model"):
        BaselineConfig("mix-of-singles")


@pytest.mark.parametrize("baseline", [*BASELINES, HALF], ids=lambda baseline: baseline.name)
def test_every_record_is_whole(baseline, source):
    assert registry.baseline_named(baseline.name) is baseline
    assert baseline.describe.endswith(".")
    assert baseline.label
    fitted = fit_baselines(source.cells)[baseline.name]
    assert isinstance(fitted, MovedControls if baseline.recipe else FittedBaseline)
    assert fitted.predict(PAIR, 5, 0).shape == (5, 11)
