"""CPA, SAMS-VAE and Biolord as recipes: PerturBench's numbers, and the contract of every model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primeflow_core.data.splits import Split
from primeflow_core.errors import ConditionError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.sampling_plan import DIRECT, SamplingPlan
from primeflow_core.training.recipes.registry import BEST_BASELINES, RECIPES, SMALL_BASELINES, adjusted, recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests.variational import CONTEXTS, screen, vocabulary_of

IN_THE_TABLE = {
    "cpa": (
        "width", "latent", "encoder_layers", "perturbation_layers", "covariate_layers", "adversary_width",
        "adversary_layers", "adversary_steps", "adversary_weight", "kl_weight", "penalty", "dropout", "warmup_epochs",
    ),
    "sams_vae": (
        "width", "latent", "encoder_layers", "effect_layers", "decoder_layers", "dropout", "mask_prior", "sparse",
        "basal", "covariates",
    ),
    "biolord": ("width", "latent", "layers", "dropout", "noise", "penalty_weight"),
}  # fmt: skip
ROWS = {"cpa", "sams_vae", "biolord"}
SMALL = tuple(recipe for recipe in SMALL_BASELINES if ROWS & set(recipe.rows))
VARIATIONAL_RECIPES = (*SMALL, *(recipe for recipe in BEST_BASELINES if ROWS & set(recipe.rows)))
PLAN = SamplingPlan(DIRECT, 1, precision="float32", batch_size=8)


def sized(recipe):
    """``recipe`` for cells of twelve genes."""
    settings = ["width=16", "latent=4", "steps=9", "batch_size=16", "validate_every=3", "warmup=0"]
    made = adjusted(recipe, settings)
    return adjusted(made, ["warmup_epochs=1"]) if "cpa" in made.rows else made


def run_of(recipe, cells, folder):
    names = np.arange(len(cells)) % 4 == 3
    split = Split(cells.names, np.where(names, "val", "train"))
    return prepare(Source(cells, split, "tiny", True), recipe, folder, seed=0, device="cpu", resume=False, command=[])


@pytest.fixture(scope="module", params=SMALL, ids=lambda recipe: recipe.name)
def trained(request, tmp_path_factory):
    """Trainer and folder of each small recipe, trained a few steps on the cells of two contexts."""
    cells = screen("one", each=8)
    folder = tmp_path_factory.mktemp("models") / request.param.name
    trainer = run_of(sized(request.param), cells, folder)
    train(trainer, folder)
    return trainer, folder, cells


def test_a_saved_and_loaded_model_predicts_the_same_cells(trained):
    trainer, folder, cells = trained
    loaded = checkpoint.load(folder)
    assert trainer.progress.step == 9
    assert checkpoint.read_manifest(folder).sampling.sampler == DIRECT
    again = checkpoint.load(folder)
    for asked in cells.conditions[:4]:
        made = loaded.predict(asked, 20, PLAN)
        assert made.shape == (20, len(cells.genes))
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert (made >= 0).all()
        assert np.array_equal(made, again.predict(asked, 20, PLAN))
        np.testing.assert_allclose(made, loaded.predict(asked, 20, replace(PLAN, batch_size=3)), atol=1e-5)


def test_one_cell_another_seed_and_no_guidance(trained):
    _, folder, cells = trained
    model, asked = checkpoint.load(folder), cells.conditions[3]
    assert model.predict(asked, 1, PLAN).shape == (1, len(cells.genes))
    assert not np.array_equal(model.predict(asked, 20, PLAN), model.predict(asked, 20, replace(PLAN, seed=1)))
    with pytest.raises(SettingError, match="guidance"):
        model.predict(asked, 1, replace(PLAN, guidance=3))


def test_validation_repeats_itself(trained):
    trainer, _, _ = trained
    assert trainer.validate() == trainer.validate()


def test_products_in_bfloat16_train_and_predict(trained, tmp_path):
    _, folder, cells = trained
    recipe = recipe_named(checkpoint.read_manifest(folder).recipe)
    halved = run_of(adjusted(sized(recipe), ["precision=bfloat16"]), cells, tmp_path / "model")
    halved.predictor.fit_statistics(halved.train_cells.chunks)
    losses = [halved.step()[0] for _ in range(7)]
    assert all(loss.isfinite() for loss in losses)
    made = halved.predictor.predict(cells.conditions[1], 3, replace(PLAN, precision="bfloat16"))
    assert np.isfinite(made).all()


@pytest.mark.parametrize("recipe", SMALL, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("contexts", CONTEXTS)
@pytest.mark.parametrize("left", [0, 1])
def test_any_number_of_covariates_and_a_last_batch_of_one_cell(recipe, contexts, left, tmp_path):
    cells = screen(contexts, each=4)
    split = Split(cells.names, np.full(len(cells), "train"))
    size = f"batch_size={len(cells) - left}"
    made = adjusted(sized(recipe), [size, "steps=4"])
    trainer = prepare(
        Source(cells, split, "tiny", True), made, tmp_path / "m", seed=0, device="cpu", resume=False, command=[]
    )
    train(trainer, tmp_path / "m")
    model = checkpoint.load(tmp_path / "m")
    assert all(weight.isfinite().all() for weight in model.parameters())
    assert np.isfinite(model.predict(cells.conditions[-1], 2, PLAN)).all()


@pytest.mark.parametrize("name", ["cpa", "sams-vae", "biolord"])
def test_a_context_without_control_cells_is_named(name, tmp_path):
    cells = screen("one", each=4)
    lonely = np.array([c.is_control and c.context == "hap1" for c in cells.condition_list(range(len(cells)))])
    cells = cells.subset(np.flatnonzero(~lonely))
    trainer = run_of(sized(recipe_named(name)), cells, tmp_path / "model")
    trainer.predictor.fit_statistics(trainer.train_cells.chunks)
    asked = next(c for c in cells.conditions if c.context == "hap1" and not c.is_control)
    with pytest.raises(ConditionError, match="control cells"):
        trainer.predictor.predict(asked, 2, PLAN)


def test_every_row_is_a_recipe():
    names = [recipe.name for recipe in VARIATIONAL_RECIPES]
    sets = ("norman19", "srivatsan20", "jiang24")
    models = ("cpa", "cpa-noadv", "sams-vae", "sams-vae-s", "biolord")
    expected = {*models, *(f"{model}-{data}" for model in models for data in sets)} - {"biolord-jiang24"}
    assert set(names) == expected
    assert set(names) <= {recipe.name for recipe in RECIPES}


@pytest.mark.parametrize("data", ["norman19", "srivatsan20", "jiang24"])
def test_cpa_without_the_adversary_is_the_same_row(data):
    with_it, without = recipe_named(f"cpa-{data}"), recipe_named(f"cpa-noadv-{data}")
    assert without.rows["cpa"] == replace(with_it.rows["cpa"], adversary=False)
    assert without.training == with_it.training


@pytest.mark.parametrize(
    ("name", "numbers", "rate", "decay", "batch"),
    [
        ("cpa-norman19", (3328, 128, 1, 2, 1, 776, 2, 2, 3.805, 19.76, 1.898, 0.2, 15), 6.84e-5, 1.66e-7, 4000),
        ("cpa-srivatsan20", (1280, 512, 3, 2, 1, 383, 2, 3, 0.210, 0.264, 10.21, 0.1, 5), 2.69e-4, 2.99e-6, 4000),
        ("cpa-jiang24", (3328, 512, 7, 2, 1, 537, 1, 7, 1.487, 6.905, 2.815, 0.3, 5), 2.63e-5, 3.69e-7, 2000),
        ("sams-vae-norman19", (3584, 128, 1, 3, 2, 0.4, 0.114, True, "controls", False), 3.03e-5, 4.2e-9, 256),
        ("sams-vae-srivatsan20", (1536, 64, 4, 2, 1, 0.3, 0.0115, True, "controls", False), 4.0e-4, 1.75e-6, 256),
        ("sams-vae-jiang24", (3328, 64, 3, 5, 3, 0.5, 0.207, True, "prior", True), 7.6e-6, 1.6e-8, 256),
        ("sams-vae-s-norman19", (2048, 32, 1, 1, 3, 0.3, 0.1, False, "prior", False), 1.60e-5, 6.6e-5, 256),
        ("sams-vae-s-srivatsan20", (2560, 32, 4, 2, 3, 0.4, 0.1, False, "prior", True), 3.42e-4, 6.9e-8, 256),
        ("sams-vae-s-jiang24", (1536, 32, 5, 2, 3, 0.6, 0.1, False, "prior", True), 3.89e-4, 1.0e-6, 256),
        ("biolord-norman19", (2304, 512, 1, 0.4, 0.1, 2621.3 * 1000), 1.67e-4, 4.6e-4, 1000),
        ("biolord-srivatsan20", (2304, 512, 1, 0.4, 0.1, 2621.3 * 1000), 1.67e-4, 4.6e-4, 1000),
    ],
)
def test_perturbench_numbers(name, numbers, rate, decay, batch):
    recipe = recipe_named(name)
    (kind,) = recipe.rows
    training = recipe.training
    assert recipe.rows[kind] == type(recipe.rows[kind])(**dict(zip(IN_THE_TABLE[kind], numbers, strict=True)))
    assert (training.learning_rate, training.weight_decay, training.batch_size) == (rate, decay, batch)
    assert (training.epochs, training.decay, training.optimizer) == (
        400 if "jiang24" in name else 500,
        "plateau",
        "adam",
    )
    assert (training.patience, training.ema, training.warmup) == (50, 0.0, 0)


def test_a_gene_count_of_the_paper_is_built_as_its_row_says():
    recipe = recipe_named("biolord-norman19")
    cells = screen("none", each=2)
    with torch.device("meta"):
        model = recipe.rows["biolord"].build(cells.genes, vocabulary_of(cells))
    assert model.decoder.stack[0].in_features == 2 * 512
    assert model.encoder.stack[0].out_features == 2304
