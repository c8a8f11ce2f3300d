import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, parse_perturbations
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.simulated_biology import ADDITIVE, SimulationConfig
from primeflow_core.data.simulated_screen import simulate
from primeflow_core.errors import ConditionError, DataError, SettingError
from primeflow_core.evaluation.profiles import mean_profile
from primeflow_core.models.baselines import registry
from primeflow_core.models.baselines.fit import fit_baselines
from primeflow_core.models.baselines.measured import BLOCK, TrainingMeans
from primeflow_core.models.baselines.ridge_fit import CONTEXT_SHARES, PENALTIES, fit_ridge
from tests.evaluation.from_cells import rmse

NAMES = tuple(baseline.name for baseline in registry.BASELINES)

GENES = 6
EFFECT = {name: np.random.default_rng(i).normal(0, 0.5, GENES) for i, name in enumerate("ABCDE")}
BASE = {"k562": np.full(GENES, 5.0), "hap1": np.linspace(6.0, 8.0, GENES), "a549": np.full(GENES, 7.0)}
SINGLES_NEEDED = ("sum-of-singles", "sum-of-singles-cells", "mix-of-singles")
# Up and down by the same amount: cells differ, and the mean of a condition is what it should be.
SPREAD = np.outer([1, -1, 2, -2], np.linspace(0.1, 0.3, GENES))


def asked(label, context="k562"):
    return Condition(parse_perturbations(label), (("cell_type", context),))


def world(conditions, mean_of, spread=SPREAD):
    """Cells whose means are exactly ``mean_of`` each condition."""
    values = np.concatenate([mean_of(condition) + spread for condition in conditions]).astype(np.float32)
    return Cells(
        values,
        tuple(f"G{i}" for i in range(GENES)),
        np.array([f"c{i}" for i in range(len(values))]),
        tuple(conditions),
        np.repeat(np.arange(len(conditions)), len(spread)),
        source="screen.h5ad",
    )


def additive_mean(condition):
    return sum([EFFECT[p.name] for p in condition.perturbations], BASE[condition.context])


def additive(*conditions):
    """A noise-free world in which what the parts do adds up, the same in every context."""
    return world(conditions, additive_mean)


PAIRS = ["+".join(pair) for pair in combinations("ABCDE", 2)]
HELD_OUT = asked("B+D")
TRAINING = additive(*(asked(label) for label in ("control", *"ABCDE", *PAIRS) if label != "B+D"))
FOREIGN = additive(
    *(asked(label) for label in ("control", "A", "C")),
    *(asked(label, "hap1") for label in ("control", "A", "B")),
    *(asked(label, "a549") for label in ("control", "A", "B")),
)


@pytest.fixture(scope="module")
def baselines():
    return fit_baselines(TRAINING)


@pytest.fixture(scope="module")
def foreign():
    return fit_baselines(FOREIGN)


def test_every_baseline_has_its_name_and_says_what_it_is(baselines):
    assert tuple(baselines) == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert all(baseline.describe.endswith(".") for baseline in registry.BASELINES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("label", ["control", "A", "B+D", "A+C", "A+B+D"])
@pytest.mark.parametrize("cells", [1, 3, 50])
def test_any_number_of_cells_is_given_even_more_than_exist(baselines, name, label, cells):
    drawn = baselines[name].predict(asked(label), cells, seed=0)
    assert drawn.shape == (cells, GENES)
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    mean = baselines[name].predict_mean(asked(label))
    assert mean.shape == (GENES,)
    assert mean.dtype == np.float64


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_cells_and_another_seed_others(baselines, name):
    one, two, other = (baselines[name].predict(HELD_OUT, 6, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("context", ["k562", "hap1"])
def test_the_order_of_the_parts_is_irrelevant(foreign, name, context):
    there = asked("A+B", context)
    back = Condition(there.perturbations[::-1], there.covariates)
    np.testing.assert_array_equal(foreign[name].predict(there, 7, 1), foreign[name].predict(back, 7, 1))
    np.testing.assert_array_equal(foreign[name].predict_mean(there), foreign[name].predict_mean(back))


@pytest.mark.parametrize("name", NAMES)
def test_sparse_cells_give_what_dense_cells_give(baselines, name):
    sparse = fit_baselines(replace(TRAINING, values=sp.csr_matrix(TRAINING.values)))
    np.testing.assert_array_equal(sparse[name].predict(HELD_OUT, 9, 2), baselines[name].predict(HELD_OUT, 9, 2))
    np.testing.assert_array_equal(sparse[name].predict_mean(HELD_OUT), baselines[name].predict_mean(HELD_OUT))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_given_may_be_changed_without_changing_the_baseline(baselines, name):
    before = baselines[name].predict_mean(asked("A"))
    baselines[name].predict_mean(asked("A"))[:] = 0
    baselines[name].predict(asked("A"), 4, 0)[:] = 0
    np.testing.assert_array_equal(baselines[name].predict_mean(asked("A")), before)


@pytest.mark.parametrize("name", NAMES)
def test_control_is_predicted_by_control_cells(baselines, name):
    np.testing.assert_allclose(baselines[name].predict_mean(asked("control")), BASE["k562"], rtol=1e-6)
    controls = TRAINING.dense(TRAINING.where(asked("control")))
    drawn = baselines[name].predict(asked("control"), 4, 0)
    if name != "mix-of-singles":
        np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(controls, axis=0), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_no_number_of_cells(baselines, name):
    with pytest.raises(SettingError, match=r"0 cells .* ask for 1 or more"):
        baselines[name].predict(HELD_OUT, 0, 0)


@pytest.mark.parametrize("name", ["sum-of-singles", "sum-of-singles-cells", "ridge", "ridge-cells"])
@pytest.mark.parametrize("label", ["A", "B+D", "A+B+D", "A+B+C+D+E"])
def test_in_an_additive_world_without_noise_the_mean_is_exact(baselines, name, label):
    np.testing.assert_allclose(baselines[name].predict_mean(asked(label)), additive_mean(asked(label)), atol=1e-5)
    # As many cells as there are controls: each is taken once, so the mean of the cells is exact too.
    drawn = mean_profile(baselines[name].predict(asked(label), 4, 0))
    if name in ("sum-of-singles", "ridge"):
        np.testing.assert_allclose(drawn, additive_mean(asked(label)), atol=1e-5)


def test_no_change_gives_each_control_cell_once_before_any_twice(baselines):
    controls = TRAINING.dense(TRAINING.where(asked("control")))
    drawn = baselines["no-change"].predict(HELD_OUT, 4, 0)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(controls, axis=0))
    assert len(np.unique(baselines["no-change"].predict(HELD_OUT, 3, 0), axis=0)) == 3


def test_baselines_draw_training_controls_of_the_context_alone(foreign):
    there = FOREIGN.dense(FOREIGN.where(asked("control", "hap1")))
    assert (foreign["no-change"].predict(asked("A", "hap1"), 20, 0)[:, None] == there).all(axis=2).any(axis=1).all()


def test_sum_of_singles_moves_every_control_cell_by_the_same_shift(baselines):
    moved = baselines["sum-of-singles"].predict(HELD_OUT, 4, 5) - baselines["no-change"].predict(HELD_OUT, 4, 5)
    np.testing.assert_allclose(moved, np.tile(EFFECT["B"] + EFFECT["D"], (4, 1)), atol=1e-5)


def test_sum_of_singles_cells_adds_differences_of_single_cells():
    levels = {"control": 1.0, "A": 2.0, "B": 4.0}
    cells = world(
        [asked(label) for label in levels], lambda c: np.full(GENES, levels[c.label]), np.outer([0, 0.25], np.ones(6))
    )
    drawn = fit_baselines(cells)["sum-of-singles-cells"].predict(asked("A+B"), 400, 0)
    # control + (A - control) + (B - control) = 5, and each of the five cells may carry a quarter more.
    assert set(np.unique(drawn)) == {4.5, 4.75, 5.0, 5.25, 5.5, 5.75}
    np.testing.assert_allclose(drawn.mean(), 5.125, atol=0.05)


@pytest.mark.parametrize("cells", [4, 8, 40])
def test_mix_of_singles_takes_an_equal_share_of_each_part(baselines, cells):
    drawn = baselines["mix-of-singles"].predict(HELD_OUT, cells, 0)
    source = {name: TRAINING.dense(TRAINING.where(asked(name))) for name in "BD"}
    for of_part in source.values():
        assert (drawn[:, None] == of_part).all(axis=2).any(axis=1).sum() == cells // 2
    middle = BASE["k562"] + (EFFECT["B"] + EFFECT["D"]) / 2
    np.testing.assert_allclose(baselines["mix-of-singles"].predict_mean(HELD_OUT), middle, atol=1e-5)


def test_mix_of_singles_gives_a_measured_single_its_own_cells(baselines):
    own = TRAINING.dense(TRAINING.where(asked("A")))
    drawn = baselines["mix-of-singles"].predict(asked("A"), 4, 0)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(own, axis=0))


def test_ridge_cells_are_the_predicted_mean_with_the_spread_of_the_singles(baselines):
    baseline = baselines["ridge-cells"]
    assert set(baseline.nearest(HELD_OUT)) == {asked("B"), asked("D")}
    assert baseline.nearest(asked("A")) == (asked("A"),)
    drawn = baseline.predict(HELD_OUT, 8, 0) - baseline.predict_mean(HELD_OUT)
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(np.tile(SPREAD, (2, 1)), axis=0), atol=1e-5)


def test_ridge_cells_take_their_spread_from_controls_where_nothing_is_in_common(foreign):
    assert foreign["ridge-cells"].nearest(asked("C", "hap1")) == (asked("control", "hap1"),)
    assert foreign["ridge-cells"].nearest(asked("B")) == (asked("control"),)


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_clipped_at_zero(name):
    level = {"control": 0.4, "A": 0.0, "B": 0.1}
    spread = np.abs(SPREAD)
    cells = world([asked(label) for label in level], lambda c: np.full(GENES, level[c.label]), spread)
    baseline = fit_baselines(cells)[name]
    drawn = baseline.predict(asked("A+B"), 40, 0)
    assert drawn.min() >= 0
    if name not in ("no-change", "mix-of-singles"):
        assert (drawn == 0).any()
    assert baseline.predict_mean(asked("A+B")).min() >= 0


@pytest.mark.parametrize("name", ["sum-of-singles", "sum-of-singles-cells", "mix-of-singles"])
def test_a_part_measured_only_elsewhere_does_here_what_it_does_there_on_average(name):
    """B shifts by 1 in hap1 and by 3 in a549, hence by 2 in k562."""
    level = {("B", "hap1"): 1.0, ("B", "a549"): 3.0}
    conditions = [asked("control"), asked("A")]
    conditions += [asked(label, context) for context in ("hap1", "a549") for label in ("control", "B")]
    cells = world(conditions, lambda c: BASE[c.context] + level.get((c.label, c.context), 0.0))
    baseline = fit_baselines(cells)[name]
    np.testing.assert_allclose(baseline.predict_mean(asked("B")), BASE["k562"] + 2, atol=1e-5)
    np.testing.assert_allclose(mean_profile(baseline.predict(asked("B"), 8, 0)), BASE["k562"] + 2, atol=0.5)
    if name == "mix-of-singles":
        np.testing.assert_allclose(mean_profile(baseline.predict(asked("B"), 8, 0)), BASE["k562"] + 2, atol=1e-5)
        np.testing.assert_allclose(baseline.predict_mean(asked("A+B")), BASE["k562"] + 1, atol=1e-5)


def test_ridge_lends_effects_to_contexts_as_far_as_left_out_conditions_say(foreign):
    # The same effects everywhere: all of the effect is shared, and B is exact in a context without it.
    assert foreign["ridge"].fit.context_share == 0
    np.testing.assert_allclose(foreign["ridge"].predict_mean(asked("B")), additive_mean(asked("B")), atol=1e-5)
    # Opposite effects in two contexts: nothing is lent, neither between them nor to a third.
    sign = {"k562": 1, "hap1": -1, "a549": 0}
    conditions = [asked(label, context) for context in ("k562", "hap1") for label in ("control", *"ABCDE")]
    cells = world(
        [*conditions, asked("control", "a549")],
        lambda c: BASE[c.context] + sign[c.context] * (additive_mean(c) - BASE[c.context]),
    )
    ridge = fit_baselines(cells)["ridge"]
    assert ridge.fit.context_share == 1
    np.testing.assert_allclose(ridge.predict_mean(asked("A+B")), additive_mean(asked("A+B")), atol=1e-5)
    np.testing.assert_allclose(ridge.predict_mean(asked("A", "a549")), BASE["a549"], atol=1e-5)


def test_ridge_learns_a_part_from_combinations():
    labels = ("control", "A", "C", "D", "E", "A+B", "A+C", "B+C", "A+D", "C+D", "A+E", "D+E")
    baselines = fit_baselines(additive(*(asked(label) for label in labels)))
    for name in ("ridge", "ridge-cells"):
        np.testing.assert_allclose(baselines[name].predict_mean(HELD_OUT), additive_mean(HELD_OUT), atol=1e-4)


def test_ridge_is_weighted_least_squares_with_a_penalty_on_the_columns_it_names():
    conditions, shifts, counts = noisy_shifts()
    fit = fit_ridge(conditions, shifts, counts)
    r, contexts = fit.context_share, ("k562", "hap1")

    def columns(condition):
        own = np.array([float(Perturbation(name) in condition.perturbations) for name in "ABC"])
        return np.concatenate(
            [np.sqrt(1 - r) * own, *(np.sqrt(r) * own * (condition.context == context) for context in contexts)]
        )

    X, W = np.array([columns(c) for c in conditions]), np.diag(counts)
    B = np.linalg.solve(X.T @ W @ X + fit.penalty * np.eye(X.shape[1]), X.T @ W @ shifts)
    for condition in (asked("A+C"), asked("C", "hap1"), asked("A", "a549")):
        np.testing.assert_allclose(fit.shift(condition), columns(condition) @ B, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(fit.shift(asked("control")), np.zeros(GENES))


def noisy_shifts():
    """More conditions than genes and noise enough that neither end of the penalties is best."""
    draw = np.random.default_rng(1)
    labels = ("A", "B", "C", "A+B", "B+C", "A+B+C")
    conditions = [
        asked(label, context) for context in ("k562", "hap1") for label in labels if (label, context) != ("C", "hap1")
    ]
    counts = draw.integers(3, 60, len(conditions))
    exact = np.array([sum(EFFECT[p.name] for p in c.perturbations) for c in conditions])
    return conditions, exact + draw.normal(0, 4, exact.shape) / np.sqrt(counts)[:, None], counts


def test_ridge_chooses_what_leaving_out_each_condition_by_hand_says():
    conditions, shifts, counts = noisy_shifts()
    fit = fit_ridge(conditions, shifts, counts)

    def kernel(a, b, share):
        common = len(set(a.perturbations) & set(b.perturbations))
        return common * (1 if a.context == b.context else 1 - share)

    def error(penalty, share):
        K = np.array([[kernel(a, b, share) for b in conditions] for a in conditions])
        total = 0.0
        for i in range(len(conditions)):
            kept = np.arange(len(conditions)) != i
            dual = np.linalg.solve(K[np.ix_(kept, kept)] + penalty * np.diag(1 / counts[kept]), shifts[kept])
            total += counts[i] * np.sum((shifts[i] - K[i, kept] @ dual) ** 2)
        return total

    errors = {(p, s): error(p, s) for p in PENALTIES[1:] for s in CONTEXT_SHARES}
    assert min(errors, key=lambda choice: errors[choice]) == (fit.penalty, fit.context_share)
    assert PENALTIES[0] < fit.penalty < PENALTIES[-1]


def test_where_conditions_tell_nothing_of_each_other_ridge_does_not_shrink():
    fit = fit_baselines(additive(asked("control"), asked("A"), asked("B")))["ridge"].fit
    assert (fit.penalty, fit.context_share) == (PENALTIES[0], 0.0)


@pytest.mark.parametrize("name", SINGLES_NEEDED)
def test_a_part_measured_nowhere_alone_is_refused_with_what_to_do(name):
    baseline = fit_baselines(additive(asked("control"), asked("A"), asked("A+B")))[name]
    for predict in (lambda: baseline.predict(asked("A+B"), 2, 0), lambda: baseline.predict_mean(asked("A+B"))):
        with pytest.raises(
            ConditionError, match=r"no training cells with B alone in k562.*needs some\. Put some .* ridge"
        ):
            predict()


@pytest.mark.parametrize("name", ["sum-of-singles", "sum-of-singles-cells", "mix-of-singles", "ridge", "ridge-cells"])
def test_an_unknown_part_is_refused_by_its_name(baselines, name):
    for predict in (
        lambda: baselines[name].predict(asked("A+XYZ"), 2, 0),
        lambda: baselines[name].predict_mean(asked("XYZ")),
    ):
        with pytest.raises(ConditionError, match=r"XYZ .*Put .* into training"):
            predict()


@pytest.mark.parametrize("name", ["sum-of-singles", "sum-of-singles-cells", "mix-of-singles", "ridge", "ridge-cells"])
def test_another_dose_is_another_perturbation(name):
    conditions = [asked(label) for label in ("control", "drug@0.1", "drug@10")]
    cells = world(conditions, lambda c: BASE["k562"] + sum(p.dose for p in c.perturbations))
    baseline = fit_baselines(cells)[name]
    np.testing.assert_allclose(baseline.predict_mean(asked("drug@10")), BASE["k562"] + 10, atol=1e-4)
    with pytest.raises(ConditionError, match=r"drug@1 .*: drug@0.1, drug@10[.;]"):
        baseline.predict_mean(asked("drug@1"))


@pytest.mark.parametrize("name", NAMES)
def test_a_context_without_control_cells_is_refused_with_what_to_do(name):
    cells = additive(asked("control"), asked("A"), asked("B", "hap1"), asked("C", "hap1"))
    baseline = fit_baselines(cells)[name]
    with pytest.raises(DataError, match=r"screen\.h5ad hold no control cells in hap1; .* Put some"):
        baseline.predict(asked("A", "hap1"), 2, 0)


@pytest.mark.parametrize("name", NAMES)
def test_effects_are_not_taken_from_a_context_without_control_cells(name):
    baseline = fit_baselines(additive(asked("control"), asked("A"), asked("B", "hap1")))[name]
    if name == "no-change":
        np.testing.assert_allclose(baseline.predict_mean(asked("B")), BASE["k562"], rtol=1e-6)
    else:
        with pytest.raises(ConditionError, match="B "):
            baseline.predict_mean(asked("B"))


@pytest.mark.parametrize("name", NAMES)
def test_data_without_covariates_or_perturbed_cells_are_data_too(name):
    only_controls = fit_baselines(world([Condition(())], lambda c: BASE["k562"]))[name]
    np.testing.assert_allclose(only_controls.predict_mean(Condition(())), BASE["k562"], rtol=1e-6)
    assert only_controls.predict(Condition(()), 3, 0).shape == (3, GENES)
    only_perturbed = fit_baselines(world([Condition((Perturbation("A"),))], lambda c: BASE["k562"]))[name]
    with pytest.raises(DataError, match=r"hold no control cells; predictions"):
        only_perturbed.predict_mean(Condition(()))


def test_means_are_exact_over_many_blocks_of_cells():
    draw = np.random.default_rng(0)
    values = draw.gamma(1.0, 1.0, (2 * BLOCK + 17, 3)).astype(np.float32) * (draw.random((2 * BLOCK + 17, 3)) < 0.3)
    conditions = (asked("control"), asked("A"), asked("never measured"))
    condition_of = draw.integers(0, 2, len(values))
    for stored in (values, sp.csr_matrix(values)):
        measured = TrainingMeans.of(
            Cells(stored, ("a", "b", "c"), np.arange(len(values)).astype(str), conditions, condition_of)
        )
        for i, condition in enumerate(conditions[:2]):
            exact = values[condition_of == i].mean(axis=0, dtype=np.float64)
            np.testing.assert_allclose(measured.mean(condition), exact, rtol=1e-12)
        assert conditions[2] not in measured.position


def test_on_simulated_additive_pairs_the_sum_of_singles_beats_no_change(tmp_path):
    config = SimulationConfig(cells=4_000, genes=100, contexts=2, up=16, down=8, drugs=8, pairs=16, seed=3)
    screen = simulate(config)
    screen.write_h5ad(tmp_path / "screen.h5ad")
    cells = read_cells(tmp_path / "screen.h5ad")
    additive_cells = (screen.obs["interaction"] == ADDITIVE).to_numpy()
    baselines = fit_baselines(cells.subset(np.flatnonzero(~additive_cells)))
    held_out = cells.subset(np.flatnonzero(additive_cells))
    error = {
        name: np.mean(
            [
                rmse(baselines[name].predict_mean(pair), mean_profile(held_out.dense(held_out.where(pair))))
                for pair in held_out.conditions
            ]
        )
        for name in NAMES
    }
    assert len(held_out.conditions) >= 4
    assert error["sum-of-singles"] < 0.7 * error["no-change"]
    assert error["ridge"] < 0.8 * error["no-change"]
    assert error["mix-of-singles"] < error["no-change"]


def test_baselines_need_no_torch_and_no_browser():
    code = (
        "import sys; import primeflow_core.models.baselines.fit; assert not {'torch', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("label", ["control", "A", "B+D", "A+C"])
def test_no_cell_repeats_up_to_the_number_of_distinct_ones(baselines, name, label):
    count = baselines[name].distinct(asked(label))
    assert count >= len(SPREAD)
    for seed in range(5):
        drawn = baselines[name].predict(asked(label), count, seed)
        assert len(np.unique(drawn, axis=0)) == count
    if name != "sum-of-singles-cells":
        assert len(np.unique(baselines[name].predict(asked(label), count + 1, 0), axis=0)) <= count


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_predicted_has_no_distinct_cells_either(baselines, name):
    if name == "no-change":
        return
    with pytest.raises(ConditionError, match="Z"):
        baselines[name].distinct(asked("A+Z"))
