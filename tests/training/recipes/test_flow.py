"""The ablations of the flow: the paper's numbers, and the contract of every predictor for a tiny one of each."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from primeflow_core.data.splits import Split
from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.architectures import built, rows_of
from primeflow_core.models.flow.mlp import MLPConfig
from primeflow_core.models.flow.objective import FlowConfig
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.predictor import Batch
from primeflow_core.models.sampling_plan import EXPONENTIAL, SamplingPlan
from primeflow_core.training.batches import CellSource, Partners
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.flow import FLOW_RECIPES
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.run import Source, prepare, usual_sampling
from primeflow_core.training.trainer import Trainer, train
from tests.tiny import VOCABULARY, cells, condition

TRAINING = TrainingConfig(
    batch_size=16, learning_rate=3e-3, warmup=5, steps=6, ema=0.9, validate_every=3, validation_draws=2
)
FIELD = MLPConfig(32, 0.1, 1, 1, 1, 1)
FLOWS = {
    "mlp": FlowConfig("trigonometric", 0.1),
    "fm": FlowConfig(space="components", components=4),
    "fm-ot": FlowConfig(space="components", components=4, source="control", coupling="optimal-transport", entropy=0.5),
    "genes-ot": FlowConfig(source="control", coupling="optimal-transport", tau=0.9, entropy=0.5),
    "noise-ot": FlowConfig(coupling="optimal-transport", entropy=0.5),
}
PLAN = SamplingPlan(steps=3, precision="float32")


def recipe(name: str, **training: object) -> Recipe:
    groups = 8 if FLOWS[name].coupling == "optimal-transport" else 0
    changed = replace(TRAINING, cells_per_condition=groups, **training)
    return Recipe(name, "", {"mlp": FIELD, "flow": FLOWS[name]}, changed)


def source() -> Source:
    data = cells()
    parts = np.array(["val" if i % 5 == 0 else "train" for i in range(len(data))])
    return Source(data, Split(data.names, parts), "tiny", simulated=True)


def trained(name: str, folder: Path, **training: object) -> Trainer:
    made = prepare(
        source(), recipe(name, **training), folder, seed=0, device="cpu", resume=False, command=()
    )  # fmt: skip
    train(made, folder)
    return made


@pytest.fixture(scope="module", params=sorted(FLOWS))
def folder(request, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp(request.param) / "model"
    trained(request.param, place)
    return place


def numbers(name: str) -> tuple[object, ...]:
    named = recipe_named(name)
    field, flow, training = named.rows["mlp"], named.rows["flow"], named.training
    assert (training.accumulation, training.clip) == (4, 5.0)
    assert training.steps >= 100_000
    return (
        field.hidden, field.dropout,
        field.expression_layers, field.condition_layers, field.time_layers, field.decode_layers,
        flow.prob_unconditional, flow.path, flow.sigma,
        training.learning_rate, training.weight_decay, training.batch_size,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mlp-1", (3072, 0.0, 1, 1, 3, 2, 0.0, "linear", 0.01, 3.71e-5, 4.05e-7, 512)),
        ("mlp-2", (2048, 0.1, 2, 3, 5, 1, 0.1, "trigonometric", 0.1, 8.56e-6, 9.58e-7, 1024)),
        ("fm-1", (3072, 0.2, 2, 3, 4, 4, 0.4, "trigonometric", 0.1, 8.18e-5, 1.28e-10, 1024)),
        ("fm-2", (1792, 0.2, 4, 2, 2, 4, 0.4, "trigonometric", 0.01, 1.73e-4, 6.75e-6, 2048)),
    ],
)
def test_the_paper_rows(name, expected):
    assert numbers(name) == expected
    assert recipe_named(name).rows["flow"].space == ("genes" if name.startswith("mlp") else "components")
    assert recipe_named(name).rows["flow"].source == "gaussian"


@pytest.mark.parametrize(("name", "plain", "group"), [("fm-ot-1", "fm-1", 128), ("fm-ot-2", "fm-2", 256)])
def test_the_transported_rows_differ_in_source_and_coupling_alone(name, plain, group):
    assert numbers(name) == numbers(plain)
    flow = recipe_named(name).rows["flow"]
    assert (flow.source, flow.coupling, flow.tau) == ("control", "optimal-transport", 1.0)
    assert recipe_named(name).training.cells_per_condition == group
    assert replace(flow, source="gaussian", coupling="independent") == recipe_named(plain).rows["flow"]


@pytest.mark.parametrize("row", FLOW_RECIPES, ids=lambda row: row.name)
def test_every_row_makes_a_model_and_survives_json(row):
    rows = rows_of(json.loads(json.dumps(row.settings())))
    assert rows == dict(row.rows)
    with torch.device("meta"):
        made = built([f"G{i}" for i in range(500)], VOCABULARY, rows)
    assert isinstance(made, PRiMeFlow)
    assert usual_sampling(row).sampler == (EXPONENTIAL if row.rows["flow"].factors else "adams-bashforth")


def test_a_loaded_model_makes_the_same_cells(folder):
    first, again = checkpoint.load(folder), checkpoint.load(folder)
    made = first.predict(condition("A", "B"), 7, PLAN)
    assert made.shape == (7, 11)
    assert np.isfinite(made).all()
    assert (made >= 0).all()
    assert np.array_equal(made, again.predict(condition("A", "B"), 7, PLAN))
    assert not np.array_equal(made, again.predict(condition("A", "B"), 7, replace(PLAN, seed=1)))
    assert not np.array_equal(made, again.predict(condition("A"), 7, PLAN))


@pytest.mark.parametrize("sampler", ["euler", "midpoint", "adams-bashforth"])
def test_guidance_works_with_every_sampler_and_one_cell(folder, sampler):
    model = checkpoint.load(folder)
    plans = [replace(PLAN, sampler=sampler, guidance=weight) for weight in (0.0, 1.0, 3.0)]
    made = [model.predict(condition("A"), 1, plan) for plan in plans]
    assert all(cell.shape == (1, 11) and np.isfinite(cell).all() for cell in made)
    assert not np.array_equal(made[1], made[2])


def test_the_size_of_batches_changes_no_cell(folder):
    model = checkpoint.load(folder)
    whole, parts = (model.predict(condition("B"), 5, replace(PLAN, batch_size=size)) for size in (64, 2))
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_unfinished_cells_are_shown_as_genes(folder):
    seen = []
    made = checkpoint.load(folder).predict(condition("A"), 3, PLAN, seen.append)
    assert [progress.state.shape for progress in seen] == [(3, 11)] * 3
    assert np.array_equal(seen[-1].state, made)


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_a_last_batch_of_one_cell_and_a_resumed_training_work(tmp_path, name):
    made = trained(name, tmp_path / "model", batch_size=9, steps=4)
    again = prepare(
        source(), recipe(name, batch_size=9, steps=9), tmp_path / "model", seed=0, device="cpu", resume=True, command=()
    )  # fmt: skip
    assert len(made.train_cells) % 9 in (1, 3)
    assert train(again, tmp_path / "model").step == 9
    one = again.train_cells.batch(np.arange(1), np.random.default_rng(0))
    assert again.predictor.loss(one, torch.Generator().manual_seed(0)).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FLOWS))
def test_the_validation_loss_falls(tmp_path, name):
    strong = source()
    strong = replace(strong, cells=replace(strong.cells, values=4 * strong.cells.values))
    row = recipe(name, steps=80, validate_every=8, log_every=8)
    lines = []
    made = prepare(strong, row, tmp_path / "model", seed=0, device="cpu", resume=False, command=())
    train(made, tmp_path / "model", on_log=lambda line: lines.append(line.validation_loss))
    assert lines[-1] < 0.95 * lines[0]


def test_control_cells_are_learnt_beside_perturbed_ones_alone(tmp_path):
    made = trained("fm-ot", tmp_path / "model")
    assert made.predictor.pairs_with_controls
    assert all(not c.is_control for c in (made.train_cells.cells.conditions[i] for i in made.train_cells.condition_of))
    assert not PRiMeFlow(("G",), VOCABULARY, FIELD, FlowConfig()).pairs_with_controls


def test_a_flow_from_controls_starts_from_control_cells_of_the_context():
    model = control_model(FlowConfig(source="control"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    # Where the velocity is 0 the cells stay what they start as.
    made = model.predict(condition("A"), 10, PLAN)
    measured = cells().dense(cells().where(condition()))
    assert all((np.abs(measured - cell).max(axis=1) < 1e-6).any() for cell in made)


def control_model(flow: FlowConfig) -> PRiMeFlow:
    data, index = cells(), np.arange(80)
    model = PRiMeFlow(data.genes, VOCABULARY, FIELD, flow)
    partners = Partners(data, index)
    paired = CellSource(data, partners.among(index), VOCABULARY, torch.device("cpu"), partners)
    model.fit_statistics(paired.chunks)
    return model


def test_a_batch_without_controls_is_refused_by_a_flow_from_controls():
    model = control_model(FlowConfig(source="control"))
    with pytest.raises(SettingError, match="composed=0"):
        model.loss(Batch(torch.zeros(2, 11), torch.zeros(2, VOCABULARY.size)), torch.Generator())


def test_training_without_controls_is_told_when_cells_are_asked_for():
    data = cells().subset(np.arange(20, 80))
    model = PRiMeFlow(data.genes, VOCABULARY, FIELD, FlowConfig(source="control"))
    model.fit_statistics(CellSource(data, np.arange(60), VOCABULARY, torch.device("cpu")).chunks)
    with pytest.raises(ConditionError, match="control cells"):
        model.predict(condition("A"), 2, PLAN)


def test_guidance_needs_a_condition_that_was_dropped_in_training():
    model = PRiMeFlow(cells().genes, VOCABULARY, FIELD, FlowConfig(prob_unconditional=0.0))
    for weight in (0.0, 3.0):
        with pytest.raises(SettingError, match="prob_unconditional=0"):
            model.predict(condition("A"), 2, replace(PLAN, guidance=weight))
        with pytest.raises(SettingError, match="prob_unconditional=0"):
            model.settled(replace(PLAN, guidance=weight))
    assert model.predict(condition("A"), 2, PLAN).shape == (2, 11)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"space": "proteins"}, "space is 'proteins'"),
        ({"source": "cells"}, "source is 'cells'"),
        ({"coupling": "sorted"}, "coupling is 'sorted'"),
        ({"components": 0}, "components"),
        ({"tau": 0.0}, "tau"),
        ({"tau": 1.1}, "tau"),
        ({"entropy": 0.0}, "entropy"),
        ({"factors": 4, "space": "components"}, "factors=0"),
        ({"factors": 4, "source": "control"}, "factors=0"),
        ({"factors": 4, "coupling": "optimal-transport"}, "factors=0"),
    ],
)
def test_impossible_flows_are_refused(wrong, named):
    with pytest.raises(SettingError, match=named):
        FlowConfig(**{**asdict(FlowConfig()), **wrong})


def test_the_exponential_sampler_is_refused():
    with pytest.raises(SettingError, match="factors=0"):
        control_model(FlowConfig(space="components", components=3)).predict(
            condition("A"), 2, replace(PLAN, sampler=EXPONENTIAL)
        )
