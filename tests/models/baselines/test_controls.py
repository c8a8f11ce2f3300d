"""Controls that could embarrass a network: typical cells, mean of perturbed cells, composed singles, the Gaussian."""

import numpy as np
import pytest

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.split_file import TEST
from primeflow_core.data.splits import held_out_split
from primeflow_core.errors import ConditionError
from primeflow_core.models import checkpoint
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.baselines.registry import baseline_named
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests.tiny import cells, condition

PAIR = condition("A", "B")
CONTROLS = ("mean-perturbed", "typical-cells", "composed-singles", "gaussian")


@pytest.fixture(scope="module")
def training():
    data = cells(per_condition=40)
    return data.subset(np.flatnonzero(data.condition_of != data.conditions.index(PAIR)))


@pytest.fixture(scope="module")
def fitted(training):
    return {name: baseline_named(name).fit(TrainingMeans.of(training)) for name in CONTROLS}


def mean_of(training, *names):
    return training.dense(training.where(condition(*names))).mean(axis=0, dtype=np.float64)


def test_the_mean_of_perturbed_cells_weighs_each_condition_alike(training, fitted):
    perturbed = [c for c in training.conditions if not c.is_control]
    assert len(perturbed) > 1
    expected = np.mean([training.dense(training.where(c)).mean(axis=0, dtype=np.float64) for c in perturbed], axis=0)
    np.testing.assert_allclose(fitted["mean-perturbed"].predict_mean(PAIR), expected, rtol=1e-6)
    made = fitted["mean-perturbed"].predict(PAIR, 3, 0)
    np.testing.assert_allclose(made, np.tile(expected, (3, 1)), rtol=1e-5)


def test_typical_cells_are_training_cells_of_other_perturbations(training, fitted):
    single = condition("A")
    made = fitted["typical-cells"].predict(single, 30, 0)
    others = [c for c in training.conditions if not c.is_control and c != single]
    known = {row.tobytes() for c in others for row in training.dense(training.where(c))}
    assert all(row.tobytes() in known for row in made)


def test_composed_singles_add_up_what_the_parts_do(training, fitted):
    made = fitted["composed-singles"].predict(PAIR, 400, 0)
    assert (made >= 0).all()
    controls, a, b = (mean_of(training, *names) for names in ((), ("A",), ("B",)))
    effect = made.mean(axis=0) - controls
    wanted = a + b - 2 * controls
    assert np.corrcoef(effect, wanted)[0, 1] > 0.8


def test_the_gaussian_has_the_mean_that_it_aims_at(fitted):
    gaussian = fitted["gaussian"]
    made = gaussian.predict(PAIR, 4_000, 0)
    well_above_zero = gaussian.predict_mean(PAIR) > 1.0
    if well_above_zero.any():
        np.testing.assert_allclose(
            made.mean(axis=0)[well_above_zero], gaussian.predict_mean(PAIR)[well_above_zero], rtol=0.1
        )
    assert np.array_equal(made, gaussian.predict(PAIR, 4_000, 0))


@pytest.mark.parametrize("name", CONTROLS)
def test_a_saved_one_makes_the_cells_of_the_baseline(name, tmp_path):
    data = cells(per_condition=40)
    source = Source(data, held_out_split(data, {PAIR: TEST}, seed=0), "tiny", simulated=True)
    folder = tmp_path / name
    train(prepare(source, recipe_named(name), folder, seed=0, device="cpu", resume=False, command=[]), folder)
    loaded, manifest = checkpoint.load(folder), checkpoint.read_manifest(folder)
    made = loaded.predict(PAIR, 50, manifest.sampling)
    assert made.shape == (50, len(data.genes))
    assert (made >= 0).all()
    again = checkpoint.load(folder).predict(PAIR, 50, manifest.sampling)
    assert np.array_equal(made, again)
    own = baseline_named(name).fit(TrainingMeans.of(data.subset(source.split.indices(data, "train"))))
    np.testing.assert_allclose(made.mean(axis=0), own.predict(PAIR, 50, 0).mean(axis=0), atol=0.5)


@pytest.mark.parametrize("name", ["composed-singles", "gaussian"])
def test_a_part_that_training_never_saw_is_refused(name, fitted):
    unknown = Condition((Perturbation("NEVER"),), PAIR.covariates)
    with pytest.raises(ConditionError, match="NEVER"):
        fitted[name].predict(unknown, 5, 0)


def test_old_names_of_recipes_are_found():
    assert recipe_named("unet-tiny").name == "primeflow-plus-tiny"
    assert recipe_named("unet-small").name == "primeflow-plus-small"
    assert recipe_named("mlp-tiny").name == "primeflow-mlp-plus-tiny"
