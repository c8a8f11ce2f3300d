"""What the models are for, shown on the simulated screen, along the path that trains: see the name of each test.

Each differs by many standard errors, so that another machine's rounding does not matter.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier

from benchmarks.more_data import Study, errors, ranking, recipes, scores, screen_file, source, table
from primeflow_core.data.cells import Cells
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.simulated_biology import CONTROL_KIND, UP, SimulationConfig
from primeflow_core.data.simulated_screen import simulate
from primeflow_core.data.split_file import TEST, TRAIN
from primeflow_core.data.splits import Split
from primeflow_core.models.baselines.cpa import CPAConfig
from primeflow_core.models.baselines.sams_vae import SamsVaeConfig
from primeflow_core.models.flow import objective
from primeflow_core.models.flow.coupling import INDEPENDENT
from primeflow_core.models.flow.path import between
from primeflow_core.runtime.atomic_files import write_with
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import Trainer
from tests.variational import source_of, vocabulary_of

SCREEN = SimulationConfig(cells=8_000, genes=100, contexts=1, up=8, down=8, drugs=8, pairs=0, seed=3)
SHORT = TrainingConfig(batch_size=128, learning_rate=1e-3, clip=1e9, steps=500)


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Cells:
    """Controls and eight genes switched up, one of each pathway, in one context."""
    file = tmp_path_factory.mktemp("simulated") / "screen.h5ad"
    made = simulate(SCREEN)
    write_with(file, lambda temporary: made.write_h5ad(temporary))
    kinds = made.obs["perturbation_type"].to_numpy(dtype=str)
    return read_cells(file).subset(np.flatnonzero(np.isin(kinds, (UP, CONTROL_KIND))))


def trained(row, cells, steps, seed=0, learning_rate=1e-3):
    """The model as it will be saved, with averaged weights."""
    torch.manual_seed(seed)
    model = row.build(cells.genes, vocabulary_of(cells))
    train = source_of(cells)
    model.fit_statistics(train.chunks)
    trainer = Trainer(model, train, None, replace(SHORT, steps=steps, learning_rate=learning_rate), seed)
    trainer.averaged.load_state_dict(model.state_dict())
    for _ in range(steps):
        trainer.step()
    return trainer.averaged.eval()


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def read_from_z_basal(model, cells, seed):
    """Share of cells whose perturbation a classifier names that learnt from the z_basal of others."""
    with torch.no_grad():
        posterior = model.encoder(torch.from_numpy(cells.dense()))
        z = posterior.sample(torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(seed))).numpy()
    order = np.random.default_rng(seed).permutation(len(cells))
    learnt, asked = order[: len(order) // 2], order[len(order) // 2 :]
    fresh = MLPClassifier((64,), max_iter=60, early_stopping=True, random_state=seed)
    fresh.fit(z[learnt], cells.condition_of[learnt])
    return fresh.score(z[asked], cells.condition_of[asked])


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_adversary_of_cpa_hides_perturbations_from_a_classifier_that_comes_later(cells):
    row = CPAConfig(width=64, latent=16, kl_weight=0.01, adversary_width=64, adversary_weight=5.0, adversary_steps=3)
    told = {
        adversary: [
            read_from_z_basal(trained(replace(row, adversary=adversary), cells, 450, seed), cells, seed)
            for seed in range(2)
        ]
        for adversary in (False, True)
    }
    asked = len(cells) // 2
    chance = np.bincount(cells.condition_of).max() / len(cells)
    one_error = np.sqrt(0.25 / asked)
    assert min(told[False]) > chance + 5 * one_error, "without the adversary z_basal tells of the perturbation"
    assert min(told[False]) - max(told[True]) > 5 * one_error
    assert max(told[True]) < chance + 3 * one_error, "with it no more than how many cells each has"


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_the_mask_of_sams_vae_becomes_sparse_by_its_prior(cells):
    row = SamsVaeConfig(width=64, latent=16)
    fresh = row.build(cells.genes, vocabulary_of(cells)).effects.mask
    sparse, weak = (
        trained(replace(row, mask_prior=prior), cells, 600, learning_rate=1e-2).effects.mask.detach()
        for prior in (0.05, 0.9)
    )
    on = sparse > 0.5
    assert sparse.median() < 0.85 * fresh.median()
    assert on.float().mean() < 0.25, "most factors are off"
    assert on.any(dim=1).sum() >= 3, "and the stronger perturbations keep those that move their cells"
    assert (weak > 0.5).float().mean() > 2 * on.float().mean(), "which is the prior's doing"
    less = (weak - sparse).mean(dim=1)  # of each perturbation
    assert less.mean() > 5 * less.std() / len(less) ** 0.5


def transport_cost(cells, folder, monkeypatch, coupling):
    """(10,) the mean squared distance over which each of ten steps of the training carries cells."""
    recipe = recipe_named("fm-ot-tiny")
    flow = replace(recipe.rows["flow"], components=20, **({"coupling": coupling} if coupling else {}))
    recipe = replace(recipe, rows={"mlp": replace(recipe.rows["mlp"], hidden=32), "flow": flow})
    costs = []

    def told(path, x_0, x_1, t):
        costs.append(float((x_0 - x_1).square().sum(dim=1).mean()))
        return between(path, x_0, x_1, t)

    split = Split(cells.names, np.full(len(cells), TRAIN))
    trainer = prepare(Source(cells, split, "s", True), recipe, folder, seed=0, device="cpu", resume=False, command=[])
    trainer.predictor.fit_statistics(trainer.train_cells.chunks)
    monkeypatch.setattr(objective, "between", told)
    for _ in range(10):
        trainer.step()
    return np.array(costs)


@pytest.mark.usefixtures("one_thread")
def test_optimal_transport_carries_cells_less_far_in_training(cells, tmp_path, monkeypatch):
    optimal = transport_cost(cells, tmp_path / "a", monkeypatch, None)
    independent = transport_cost(cells, tmp_path / "b", monkeypatch, INDEPENDENT)
    assert len(optimal) == len(independent) == 10
    assert (optimal < 0.9 * independent).all()


CHEAP = ("no-change", "mean", "additive", "ridge", "linear")


@pytest.fixture(scope="module")
def study():
    screen = SimulationConfig(cells=3_000, genes=100, contexts=2, up=16, down=8, drugs=8, pairs=24, seed=0)
    return Study(screen, (0.15, 1.0), recipes(CHEAP, ["epochs=30", "patience=100"]), (0,), cells=100)


def test_a_share_of_the_training_cells_leaves_what_is_held_out_and_lies_within_the_larger(study, tmp_path):
    file = screen_file(study, tmp_path)
    small, large, whole = (source(file, study.screen, share) for share in (0.1, 0.5, 1.0))
    names = [set(one.cells.names[one.split.indices(one.cells, TRAIN)]) for one in (small, large, whole)]
    assert names[0] < names[1] < names[2]
    assert len(names[0]) == pytest.approx(0.1 * len(names[2]), rel=0.4)  # of the smallest conditions two are kept
    held_out = [set(one.cells.names[one.split.indices(one.cells, TEST)]) for one in (small, whole)]
    assert held_out[0] == held_out[1]
    assert small.split.conditions(small.cells, TRAIN) == whole.split.conditions(whole.cells, TRAIN)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_more_cells_bring_errors_down_and_the_table_ranks_sensibly(study, tmp_path):
    found = errors(scores(study, tmp_path))
    ratios = {name: {row[name]: row["ratio"] for row in table(found, name)} for name in ("mmd_gex", "rmse_mean")}
    assert all(ratios["mmd_gex"][name] < 0.75 for name in ("additive", "ridge"))
    assert all(ratios["rmse_mean"][name] < 0.9 for name in ("additive", "ridge", "linear"))
    assert ratios["rmse_mean"]["mean"] == pytest.approx(1, abs=0.05), "what knows no condition learns nothing more"
    told = ranking(found)
    assert told["models worse than the mean"] == 0, "identical cells are no population"
    assert told["no-change / floor"]["mmd_gex"] == pytest.approx(1, abs=0.15)
    assert {"additive", "ridge"} <= set(told["models below the floor"])
    assert len(found) == len(CHEAP) * 2
