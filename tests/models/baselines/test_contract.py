"""The baselines of PerturBench, and what is known in closed form: one contract, and each one's own promise."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch

from primeflow_core.commands.model import train_command
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.data.splits import Split
from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.model_store.model_card import _store_half
from primeflow_core.models import checkpoint
from primeflow_core.models.baselines.closed_form import AdditiveConfig, MeanConfig, NoChangeConfig, RidgeConfig
from primeflow_core.models.baselines.decoder_only import DecoderOnlyConfig
from primeflow_core.models.baselines.fit import fit_baselines
from primeflow_core.models.baselines.latent import LatentConfig
from primeflow_core.models.baselines.layers import MLP
from primeflow_core.models.baselines.linear import LinearConfig
from primeflow_core.models.predictor import Batch
from primeflow_core.models.sampling_plan import DIRECT, SamplingPlan
from primeflow_core.training.batches import CellSource, Partners
from primeflow_core.training.config import TrainingConfig, in_steps
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.registry import GROUPS, SMALL_BASELINES, recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import Trainer, train

SMALL_THAT_LEARN = [recipe for recipe in SMALL_BASELINES if recipe.training.steps]
CPU = torch.device("cpu")
PLAN = SamplingPlan(DIRECT, 1, precision="float32")
GENES = 7
STEPS = TrainingConfig(
    batch_size=16, optimizer="adam", learning_rate=1e-2, clip=0.0, ema=0.0, warmup=0, decay="plateau", steps=30,
    validate_every=0, validation_draws=1,
)  # fmt: skip
LEARNT = {
    "linear": LinearConfig(),
    "linear without covariates": LinearConfig(use_covariates=False),
    "latent": LatentConfig(width=16, latent=4, dropout=0.1),
    "latent with covariates": LatentConfig(16, 4, 2, 0.0, encode_covariates=True, decode_covariates=True),
    "decoder-only": DecoderOnlyConfig(width=16),
    "decoder-only as it is": DecoderOnlyConfig(width=16, softplus=False, use_covariates=False),
}
CLOSED = {"no-change": NoChangeConfig(), "mean": MeanConfig(), "additive": AdditiveConfig(), "ridge": RidgeConfig()}
ROWS = {**LEARNT, **CLOSED}
NAMES = {
    LinearConfig: "linear", LatentConfig: "latent", DecoderOnlyConfig: "decoder_only", NoChangeConfig: "no_change",
    MeanConfig: "mean", AdditiveConfig: "additive", RidgeConfig: "ridge",
}  # fmt: skip
EFFECT = {name: np.random.default_rng(i).normal(0, 0.5, GENES) for i, name in enumerate("ABC")}
BASE = {"k562": np.full(GENES, 5.0), "hap1": np.linspace(6.0, 8.0, GENES)}


def asked(label, context="k562", dose=None):
    """Perturbation C is a drug, and has a dose."""
    parts = [Perturbation(name, dose if name == "C" else None) for name in label.split("+") if name != "control"]
    return Condition(tuple(parts), (("cell_type", context),))


TRAINED = (
    *(asked(label, context) for context in BASE for label in ("control", "A")),
    asked("B"),
    asked("A+B", "hap1"),
    asked("C", "k562", 0.1),
    asked("C", "k562", 10.0),
)


def mean_of(condition):
    effects = [EFFECT[p.name] * (1 + np.log1p(p.dose or 0)) for p in condition.perturbations]
    return sum(effects, BASE[condition.context])


def world(conditions=TRAINED, per_condition=12, seed=0):
    """Noisy cells far from 0 about means that add up."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(conditions)), per_condition)
    values = np.stack([mean_of(conditions[i]) for i in of]) + rng.normal(0, 0.3, (len(of), GENES))
    names = np.array([f"cell{i}" for i in range(len(of))])
    return Cells(values.astype(np.float32), tuple(f"G{i}" for i in range(GENES)), names, tuple(conditions), of)


CELLS = world()


def split_of(cells, every=5):
    parts = np.where(np.arange(len(cells)) % every == 0, "val", "train")
    return Split(cells.names, parts)


def recipe_of(row, training=None):
    closed = type(row) in {type(other) for other in CLOSED.values()}
    return Recipe("tried", "", {NAMES[type(row)]: row}, training or (replace(STEPS, steps=0) if closed else STEPS))


def trained(row, folder, cells=CELLS, training=None):
    source = Source(cells, split_of(cells), "made-up", True)
    trainer = prepare(source, recipe_of(row, training), folder, seed=0, device="cpu", resume=False, command=[])
    train(trainer, folder)
    return checkpoint.load(folder)


def fitted(row, cells=CELLS):
    """Statistics of all ``cells``, and fresh weights."""
    vocabulary = Vocabulary.from_conditions(cells.conditions)
    torch.manual_seed(0)
    model = row.build(cells.genes, vocabulary)
    source = CellSource(cells, np.arange(len(cells)), vocabulary, CPU)
    model.fit_statistics(lambda: source.chunks(17))
    return model.eval()


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_it_trains_saves_loads_and_predicts(row, tmp_path):
    model = trained(row, tmp_path / "model")
    first, again = (model.predict(asked("A+B"), 30, replace(PLAN, seed=3)) for _ in range(2))
    assert (first.shape, first.dtype) == ((30, GENES), np.float32)
    assert np.isfinite(first).all()
    assert (first >= 0).all()
    assert np.array_equal(first, again)
    assert np.array_equal(first, checkpoint.load(tmp_path / "model").predict(asked("A+B"), 30, replace(PLAN, seed=3)))
    np.testing.assert_allclose(first, model.predict(asked("A+B"), 30, replace(PLAN, seed=3, batch_size=7)), rtol=1e-5)
    assert model.predict(asked("control", "hap1"), 1, PLAN).shape == (1, GENES)
    with pytest.raises(ConditionError, match="D is not a perturbation"):
        model.predict(asked("D"), 5, PLAN)


@pytest.mark.parametrize("row", [LinearConfig(), LatentConfig(16, 4, dropout=0.0), DecoderOnlyConfig(16)])
def test_its_loss_falls(row, tmp_path):
    vocabulary = Vocabulary.from_conditions(CELLS.conditions)
    rows = np.arange(len(CELLS))
    partners = Partners(CELLS, rows)
    torch.manual_seed(0)
    model = row.build(CELLS.genes, vocabulary)
    rows = partners.among(rows)
    train_cells, held = (CellSource(CELLS, part, vocabulary, CPU, partners) for part in (rows[rows % 4 > 0], rows[::4]))
    trainer = Trainer(model, train_cells, held, replace(STEPS, steps=100, validate_every=25, log_every=1000), 0)
    before = trainer.validate()
    assert train(trainer, tmp_path).best < 0.5 * before


@pytest.mark.parametrize("row", LEARNT.values(), ids=LEARNT)
def test_every_weight_learns_from_a_batch_even_of_one_cell(row):
    model = fitted(row).train()
    encoded = torch.from_numpy(model.vocabulary.encode([asked("A")]))
    x = torch.from_numpy(CELLS.dense(np.array([0, 12])))
    loss = model.loss(Batch(x[1:], encoded, x[:1]), torch.Generator())
    assert loss.shape == (1,)
    loss.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_model_is_well_without_covariates_and_with_two(row):
    for covariates in ((), (("cell_type", "k562"), ("donor", "1"))):
        conditions = tuple(
            Condition(parts, covariates) for parts in ((), (Perturbation("A"),), (Perturbation("B"),))
        )  # fmt: skip
        values = np.random.default_rng(0).random((30, GENES)).astype(np.float32)
        names = np.array([f"cell{i}" for i in range(30)])
        cells = Cells(values, CELLS.genes, names, conditions, np.arange(30) % 3)
        model = fitted(row, cells)
        pair = Condition((Perturbation("A"), Perturbation("B")), covariates)
        assert model.predict(pair, 4, PLAN).shape == (4, GENES)


@pytest.mark.parametrize("row", [LinearConfig(), LatentConfig(16, 4), *(CLOSED[k] for k in CLOSED if k != "mean")])
def test_what_starts_from_controls_needs_some_of_the_context(row):
    lonely = world((asked("control"), asked("A"), asked("B"), asked("A", "hap1")))
    with pytest.raises(ConditionError, match="none of this context"):
        fitted(row, lonely).predict(asked("A", "hap1"), 3, PLAN)


FROM_CONTROLS = [LinearConfig(), LatentConfig(16, 4), *(CLOSED[name] for name in CLOSED if name != "mean")]


@pytest.mark.parametrize("row", FROM_CONTROLS)
def test_no_two_distinct_cells_come_from_the_same_control(row):
    model = fitted(row)
    count = model.distinct_cells(asked("A"), 1000)
    assert count == len(CELLS.where(asked("control")))
    made = model.predict(asked("A"), count, PLAN)
    assert len(np.unique(made, axis=0)) == count
    assert model.distinct_cells(asked("A"), 3) == 3


@pytest.mark.parametrize("row", [DecoderOnlyConfig(16), MeanConfig()])
def test_what_starts_from_no_control_makes_as_many_as_asked(row):
    assert fitted(row).distinct_cells(asked("A"), 1000) == 1000


def test_distinct_cells_of_what_is_unknown_are_refused():
    with pytest.raises(ConditionError):
        fitted(LinearConfig()).distinct_cells(asked("nobody"), 10)


def test_linear_adds_the_same_to_every_control():
    model = fitted(LinearConfig())
    control = torch.rand(4, GENES)
    condition = torch.from_numpy(model.vocabulary.encode([asked("A+B")]))
    with torch.no_grad():
        shift = model.shift(condition)
        expected = torch.log1p(torch.exp(control + shift))
        torch.testing.assert_close(model.made(control, condition.expand(4, -1)), expected)
    assert model.shift.in_features == 5
    assert fitted(LinearConfig(use_covariates=False)).shift.in_features == 3


def test_covariates_that_are_left_out_change_nothing_and_others_do():
    plan, there, here = PLAN, asked("A", "hap1"), asked("A")
    same, other = (
        fitted(DecoderOnlyConfig(16, softplus=False, use_covariates=use)) for use in (False, True)
    )  # fmt: skip
    assert np.array_equal(same.predict(here, 2, plan), same.predict(there, 2, plan))
    assert not np.array_equal(other.predict(here, 2, plan), other.predict(there, 2, plan))
    control = torch.rand(3, GENES)
    made = {
        (enters, context): fitted(
            LatentConfig(16, 4, encode_covariates=enters == 1, decode_covariates=enters == 2)
        ).made(
            control, torch.from_numpy(Vocabulary.from_conditions(CELLS.conditions).encode([asked("A", context)] * 3))
        )
        for enters in range(3)
        for context in BASE
    }
    for enters, changes in ((0, False), (1, True), (2, True)):
        assert torch.equal(made[enters, "k562"], made[enters, "hap1"]) != changes


def test_decoder_only_makes_one_cell_of_a_condition():
    drawn = fitted(DecoderOnlyConfig(16)).predict(asked("A+B"), 40, PLAN)
    assert (drawn == drawn[0]).all()


def test_the_block_is_the_one_of_perturbench():
    block = MLP(3, 8, 2, layers=2, dropout=0.1)
    kinds = [type(part).__name__ for part in block.stack]
    assert kinds == ["Linear", *["Linear", "LayerNorm", "ReLU", "Dropout"] * 2, "Linear"]
    assert block.stack[2].weight is None
    assert block(torch.zeros(1, 3)).shape == (1, 2)


@pytest.mark.parametrize(
    ("row", "baseline"), [("no-change", "no-change"), ("additive", "sum-of-singles"), ("ridge",) * 2]
)
@pytest.mark.parametrize(
    "condition",
    [
        asked("control"), asked("A"), asked("A+B"), asked("A+B", "hap1"), asked("C", dose=0.1), asked("B", "hap1"),
        asked("A+C", dose=10.0), asked("C", "hap1", 0.1),
    ],
    ids=lambda c: f"{c.label} {c.context}",
)  # fmt: skip
def test_means_are_those_of_the_baselines(row, baseline, condition):
    made = fitted(CLOSED[row]).predict(condition, 12, PLAN)
    expected = fit_baselines(CELLS)[baseline].predict_mean(condition)
    np.testing.assert_allclose(made.mean(axis=0), expected, rtol=1e-5)


def test_cells_of_a_closed_form_are_controls_moved_by_one_shift():
    made = fitted(CLOSED["additive"]).predict(asked("A+B"), 12, PLAN)
    controls = CELLS.dense(CELLS.where(asked("control")))
    moved = np.sort(made - made.mean(axis=0), axis=0)
    np.testing.assert_allclose(moved, np.sort(controls - controls.mean(axis=0), axis=0), atol=1e-5)


def test_the_mean_is_that_of_all_training_cells_whatever_is_asked():
    model = fitted(CLOSED["mean"])
    for condition in (asked("control"), asked("A+B", "hap1")):
        made = model.predict(condition, 5, PLAN)
        np.testing.assert_allclose(made, np.tile(CELLS.dense().mean(axis=0), (5, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("row", "condition", "message"),
    [
        ("additive", asked("C", dose=1.0), r"no training cells with C@1 .*ask for one of: C@0\.1, C@10"),
        ("ridge", asked("C", dose=1.0), r"C@1 is in none .* Measured: C@0\.1, C@10"),
    ],
)
def test_a_dose_that_was_not_measured_is_another_perturbation(row, condition, message):
    with pytest.raises(ConditionError, match=message):
        fitted(CLOSED[row]).predict(condition, 3, PLAN)


@pytest.mark.parametrize("row", CLOSED.values(), ids=CLOSED)
def test_a_closed_form_survives_half_precision(row, tmp_path):
    model = trained(row, tmp_path)
    _store_half(tmp_path, model)
    loaded = checkpoint.load(tmp_path)
    for condition in (asked("A+B"), asked("C", dose=0.1)):
        np.testing.assert_allclose(loaded.predict(condition, 9, PLAN), model.predict(condition, 9, PLAN), rtol=2e-3)


@pytest.mark.parametrize("row", CLOSED.values(), ids=CLOSED)
def test_the_loss_of_a_closed_form_is_its_squared_error(row):
    model = fitted(row)
    source = CellSource(CELLS, np.arange(len(CELLS)), model.vocabulary, CPU)
    losses = model.loss(source.batch(np.arange(0, len(CELLS), 3)), torch.Generator().manual_seed(0))
    assert losses.shape == (len(CELLS) // 3,)
    assert torch.isfinite(losses).all()


def test_a_closed_form_refuses_steps_and_leaves_no_folder(tmp_path):
    with pytest.raises(SettingError, match="closed form"):
        trained(MeanConfig(), tmp_path / "model", training=STEPS)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "row", "rate", "decay"),
    [
        ("linear-norman19", LinearConfig(False), 4.717e-3, 1.76e-8),
        ("linear-srivatsan20", LinearConfig(True), 7.788e-4, 1.06e-8),
        ("linear-jiang24", LinearConfig(True), 1.421e-3, 1.01e-8),
        ("latent-norman19", LatentConfig(4352, 512, 1, 0.1, False, False), 9.26e-5, 2.18e-8),
        ("latent-srivatsan20", LatentConfig(5376, 192, 2, 0.3, True, True), 3.41e-5, 6.1e-11),
        ("latent-jiang24", LatentConfig(2304, 64, 4, 0.3, True, True), 5.65e-5, 5.8e-10),
        ("decoder-only-norman19", DecoderOnlyConfig(3328, 3, 0.0, False, False), 1.375e-4, 4.4e-5),
        ("decoder-only-srivatsan20", DecoderOnlyConfig(4352, 5, 0.0, True, True), 6.80e-5, 7.6e-6),
        ("decoder-only-jiang24", DecoderOnlyConfig(5376, 3, 0.0, True, True), 9.43e-5, 8.5e-8),
    ],
)
def test_perturbench_rows(name, row, rate, decay):
    recipe = recipe_named(name)
    training = recipe.training
    assert tuple(recipe.rows.values()) == (row,)
    assert (training.learning_rate, training.weight_decay) == (rate, decay)
    assert (training.batch_size, training.epochs) == ((2000, 400) if "jiang24" in name else (4000, 500))
    assert (training.optimizer, training.clip, training.ema, training.patience) == ("adam", 0.0, 0.0, 50)
    assert (training.decay, training.validate_every) == ("plateau", 0)


@pytest.mark.parametrize("recipe", SMALL_THAT_LEARN, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("cells", [400, 40_000])
def test_a_small_row_learns_for_as_many_steps_of_few_cells_as_of_many(recipe, cells):
    training = in_steps(recipe.training, cells)
    assert training.steps == recipe.training.steps <= 3000
    assert training.decay == "cosine"
    assert training.patience * training.validate_every > training.steps, "the rate falls to 0 before it stops"


@pytest.mark.parametrize("wrong", [{"width": 0}, {"layers": -1}, {"dropout": 1.0}])
def test_impossible_numbers_are_refused(wrong):
    for kind in (LatentConfig, DecoderOnlyConfig):
        with pytest.raises(SettingError, match=next(iter(wrong))):
            kind(**wrong)


def test_recipes_are_listed_in_groups(capsys):
    train_command(argparse.Namespace(recipe="list"))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [title for title, _ in GROUPS]
    names = [line.split()[0] for line in lines if line.startswith(" ")]
    assert names == [recipe.name for _, group in GROUPS for recipe in group]
    assert max(map(len, lines)) <= 120
    summaries = {line.index(line.split(maxsplit=1)[1], 4) for line in lines if line.startswith(" ")}
    assert len(summaries) == 1
