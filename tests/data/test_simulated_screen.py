import json
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from primeflow_core.data.h5ad.reading import inspect, read_cells
from primeflow_core.data.simulated_biology import DOSES, DOWN, DRUG, INTERACTIONS, UP, SimulationConfig
from primeflow_core.data.simulated_screen import VERSION, default_split, simulate
from primeflow_core.data.splits import SinglesSeen, held_out
from primeflow_core.errors import SettingError

SMALL = SimulationConfig(cells=1_500, genes=100, contexts=2, up=16, down=8, drugs=8, pairs=16, seed=3)


@pytest.fixture(scope="module")
def screen():
    return simulate(SimulationConfig())


def energy(x, y):
    """Half the energy distance, as in the evaluation."""
    return cdist(x, y).mean() - cdist(x, x).mean() / 2 - cdist(y, y).mean() / 2


def of(screen, label, context="sim-A"):
    rows = (screen.obs["condition"] == label) & (screen.obs["cell_type"] == context)
    return screen.X[rows.to_numpy()].toarray()


def test_the_same_seed_gives_the_same_cells_and_another_seed_others():
    one, two = simulate(SMALL), simulate(SMALL)
    assert (one.X != two.X).nnz == 0
    assert one.obs.equals(two.obs)
    assert (one.X != simulate(SimulationConfig(**{**vars(SMALL), "seed": 4})).X).nnz > 0


def test_the_default_has_the_size_and_sparsity_of_a_real_screen(screen):
    assert screen.shape == (10_000, 500)
    assert 0.90 < 1 - screen.X.nnz / np.prod(screen.shape) < 0.97
    assert screen.X.dtype == np.float32
    assert 3 < screen.X.max() < 10
    counts = screen.layers["counts"]
    assert (counts.data == np.rint(counts.data)).all()
    library = screen.obs["library"].to_numpy()
    np.testing.assert_allclose(screen.X[:50].toarray(), np.log1p(counts[:50].toarray() / library[:50, None]), rtol=1e-5)


def test_counts_vary_more_than_poisson(screen):
    controls = screen.layers["counts"][(screen.obs["condition"] == "control").to_numpy()].toarray()
    mean, variance = controls.mean(axis=0), controls.var(axis=0)
    common = mean > 0.5
    assert common.sum() > 10
    assert np.median(variance[common] / mean[common]) > 1.3


def test_there_are_perturbations_of_both_kinds_with_doses_and_contexts(screen):
    plan = screen.uns["truth"]["conditions"]
    singles = plan[plan["interaction"] == "single"]
    by_kind = {kind: set(rows["condition"]) for kind, rows in singles.groupby("perturbation_type")}
    assert set(by_kind) == {UP, DOWN, DRUG}
    names = {label.split("@")[0] for labels in by_kind.values() for label in labels}
    assert len(names) >= 40
    assert all(name.startswith(("SIMG", "simdrug_")) for name in names)
    assert {float(label.split("@")[1]) for label in by_kind[DRUG]} == set(DOSES)
    assert set(plan["cell_type"]) == {"sim-A", "sim-B", "sim-C"}
    assert screen.obs.groupby(["condition", "cell_type"], observed=True).size().min() >= 40


def test_interaction_classes_are_balanced_and_their_singles_measured(screen):
    plan = screen.uns["truth"]["conditions"]
    pairs = plan[plan["interaction"].isin(INTERACTIONS)]
    assert Counter(pairs["interaction"]) == dict.fromkeys(INTERACTIONS, 8)
    in_main = set(plan.loc[plan["cell_type"] == "sim-A", "condition"])
    assert all(part in in_main for label in pairs["condition"] for part in label.split("+"))


def test_the_truth_follows_the_model(screen):
    plan, log_fold = screen.uns["truth"]["conditions"], screen.uns["truth"]["log_fold"]
    row = {(c, t): i for i, (c, t) in enumerate(zip(plan["condition"], plan["cell_type"], strict=True))}
    for label, interaction in zip(plan["condition"], plan["interaction"], strict=True):
        if interaction not in INTERACTIONS:
            continue
        first, second = (log_fold[row[part, "sim-A"]] for part in label.split("+"))
        expected = {
            "additive": first + second,
            "synergistic": 1.3 * (first + second),
            "suppressive": 0.6 * (first + second),
            "epistatic": first,
        }[interaction]
        np.testing.assert_allclose(log_fold[row[label, "sim-A"]], expected, atol=1e-5)
    assert not log_fold[row["control", "sim-B"]].any()


def test_higher_doses_do_more(screen):
    plan, log_fold = screen.uns["truth"]["conditions"], screen.uns["truth"]["log_fold"]
    norm = {label: np.linalg.norm(log_fold[i]) for i, label in enumerate(plan["condition"])}
    for drug in {label.split("@")[0] for label in norm if label.startswith("simdrug")}:
        low, middle, high = (norm[f"{drug}@{dose:g}"] for dose in DOSES)
        assert low < middle < high


def test_effects_are_as_visible_as_real_ones(screen):
    plan = screen.uns["truth"]["conditions"]
    controls = of(screen, "control")[:70]
    nothing = energy(of(screen, "control")[70:140], controls)
    switched = plan[
        (plan["perturbation_type"] == UP) & (plan["cell_type"] == "sim-A") & (plan["interaction"] == "single")
    ]
    found = np.array([energy(of(screen, label)[:70], controls) for label in switched["condition"]])
    assert nothing < 0.1
    assert 0.1 < np.median(found) < 0.35
    pairs = plan[plan["interaction"] == "additive"]["condition"]
    assert np.median([energy(of(screen, label)[:70], controls) for label in pairs]) > np.median(found)


def test_only_responding_cells_change(screen):
    """The switched gene itself is silent-ish in cells that do not respond and loud in those that do."""
    rows = (screen.obs["perturbation_type"] == UP).to_numpy() & (screen.obs["interaction"] == "single").to_numpy()
    gene = screen.var_names.get_indexer(screen.obs["condition"].astype(str)[rows])
    own = np.asarray(screen.X[np.flatnonzero(rows), gene]).ravel()
    responder = screen.obs["responder"].to_numpy()[rows]
    assert 0.7 < responder.mean() < 0.95
    assert own[responder].mean() > 3 * own[~responder].mean()
    assert not screen.obs["responder"][screen.obs["condition"] == "control"].any()


def test_it_says_that_it_is_simulated(screen):
    assert screen.uns["simulated"] is True
    assert json.loads(screen.uns["config"]) == {"version": VERSION, **vars(SimulationConfig())}
    assert all("simulated" in kind for kind in screen.obs["perturbation_type"].cat.categories)
    assert all(name.startswith("sim") for name in (*screen.obs["cell_type"].cat.categories, screen.obs_names[0]))


def test_the_reader_finds_its_way_in_the_written_screen(tmp_path):
    path = tmp_path / "screen.h5ad"
    simulate(SMALL).write_h5ad(path)
    found = inspect(path)
    assert found.ready
    assert found.layout.separator == "+"
    assert found.layout.covariates == ("cell_type",)
    assert found.layout.kind == "perturbation_type"
    cells = read_cells(path)
    doses = {part.dose for c in cells.conditions for part in c.perturbations if part.name.startswith("simdrug")}
    assert doses == set(DOSES)


def test_the_default_split_holds_out_every_class_and_other_contexts(screen, tmp_path):
    screen.write_h5ad(tmp_path / "screen.h5ad")
    cells = read_cells(tmp_path / "screen.h5ad")
    split = default_split(cells)
    assert split.leaks(cells) == ()
    plan = screen.uns["truth"]["conditions"]
    interaction = dict(zip(plan["condition"], plan["interaction"], strict=True))
    label = dict(zip(cells.conditions, cells.labels, strict=True))
    found = held_out(cells, split)
    for part, each in (("val", 1), ("test", 2)):
        pairs = [h for h in found if h.part == part and h.singles]
        assert Counter(interaction[label[h.condition]] for h in pairs) == dict.fromkeys(INTERACTIONS, each)
        assert {h.singles for h in pairs} == {SinglesSeen.ALL}
        assert {h.condition.context for h in found if h.part == part} == {"sim-A", "sim-B", "sim-C"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"genes": 20}, "20 genes are too few; ask for 64 or more"),
        ({"cells": 10}, "10 cells are too few for this screen; ask for"),
        ({"contexts": 0}, "0 contexts cannot be simulated"),
        ({"drugs": 2}, "at least 8 of up, down and drugs"),
        ({"pairs": 9}, "pairs in multiples of 8"),
        ({"pairs": 800}, "more than 24 switched genes allow"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(SettingError, match=message):
        simulate(SimulationConfig(**{**vars(SimulationConfig()), **changes}))


@pytest.mark.parametrize("config", [SMALL, SimulationConfig(cells=1_000, contexts=1, pairs=0)])
def test_small_screens_have_cells_of_every_condition(config):
    adata = simulate(config)
    assert adata.shape == (config.cells, config.genes)
    assert adata.obs.groupby(["condition", "cell_type"], observed=True).ngroups == len(adata.uns["truth"]["conditions"])
