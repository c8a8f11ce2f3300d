"""Interactions: every kind by hand from cells without noise, and what noise must not change."""

import numpy as np
import pytest

from primeflow_core.errors import DataError
from primeflow_core.evaluation.effect_products import unbiased_products
from primeflow_core.evaluation.interaction import InteractionKind, interaction
from primeflow_core.evaluation.profiles import log_fold_change

GENES = 200


def still(*changes: float) -> np.ndarray:
    """Four equal cells; control is 0.9, so that a mean of 1.9 is a log2 change of 1."""
    return np.tile(2.0 ** np.array(changes) - 0.1, (4, 1))


CONTROLS = still(0, 0)


@pytest.mark.parametrize(
    ("kind", "together", "a", "b"),
    [
        (InteractionKind.ADDITIVE, (1, 1), (1, 0), (0, 1)),
        (InteractionKind.SYNERGISTIC, (1.5, 1.5), (1, 0), (0, 1)),
        (InteractionKind.SUPPRESSIVE, (0.5, 0.5), (1, 0), (0, 1)),
        (InteractionKind.EPISTATIC, (1, 0), (1, 0), (0, 1)),
        (InteractionKind.EPISTATIC, (1, 0), (1, 0), (-1, 1)),
        (InteractionKind.REDUNDANT, (1, 1), (1, 1), (1, 1)),
        (InteractionKind.DIFFERENT, (1, -1), (1, 0), (0, 1)),
        (InteractionKind.SUPPRESSIVE, (0, 0), (1, 0), (0, 1)),
        (InteractionKind.ADDITIVE, (1, 0), (1, 0), (0, 0)),
        (InteractionKind.UNCLEAR, (1, 0), (1, 0), (-1, 0)),
        (InteractionKind.UNCLEAR, (0, 0), (0, 0), (0, 0)),
    ],
)
def test_every_kind_by_hand(kind, together, a, b):
    found = interaction(("A", "B"), still(*together), [still(*a), still(*b)], CONTROLS)
    assert found.kind is kind
    turned = interaction(("B", "A"), still(*together), [still(*b), still(*a)], CONTROLS)
    assert turned.kind is kind


def test_without_noise_the_figures_are_those_of_the_effects():
    found = interaction(("A", "B"), still(1.5, 0.5), [still(1, 0), still(0, 1)], CONTROLS)
    assert found.coefficients == pytest.approx((1.5, 0.5))
    assert found.dominance == pytest.approx(np.log10(3))
    assert (found.dominant, found.explained, found.share) == (
        "A",
        pytest.approx(1),
        1,
    )
    means = np.array([[2**1.5, 2**0.5], [2, 1], [1, 2], [1, 1]])
    weight = means.mean(axis=0)
    size = np.sqrt(weight @ np.square([1.5, 0.5]))
    sum_size = np.sqrt(weight.sum())
    assert found.magnitude.value == pytest.approx(size / sum_size)
    assert found.magnitude.low == pytest.approx(found.magnitude.high)
    assert found.direction.value == pytest.approx(weight @ [1.5, 0.5] / size / sum_size)


def test_what_single_effects_cannot_make_is_the_residual():
    sets = [still(1, 1, 0), still(1, 0, 0), still(0, 0, 0)]
    found = interaction(("A", "B"), sets[0], sets[1:], still(0, 0, 0))
    weight = np.array([2 + 2 + 1 + 1, 2 + 1 + 1 + 1])
    assert found.explained == pytest.approx(weight[0] / weight.sum())
    assert found.coefficients == pytest.approx((1, np.nan), nan_ok=True)
    assert found.dominance == np.inf


def test_three_parts():
    singles = [still(1, 0, 0), still(0, 1, 0), still(0, 0, 1)]
    found = interaction(("A", "B", "C"), still(1, 1, 1), singles, still(0, 0, 0))
    assert found.kind is InteractionKind.ADDITIVE
    assert (
        found.sentence == "The three together do 1.00 (1.00 to 1.00) of what their single effects add up to: additive."
    )
    hidden = interaction(("A", "B", "C"), still(0, 1, 0), singles, still(0, 0, 0))
    assert hidden.sentence.endswith("epistatic, B hides A and C.")


@pytest.mark.parametrize(
    ("together", "ending"),
    [
        ((0.5, 0.5), "0.50 (0.50 to 0.50) of what their single effects add up to: suppressive."),
        ((1, 0), "epistatic, A hides B."),
        ((1, -1), "different, genes change in other proportions (cosine 0.14 (0.14 to 0.14))."),
    ],
)
def test_the_sentence_says_it(together, ending):
    found = interaction(("A", "B"), still(*together), [still(1, 0), still(0, 1)], CONTROLS)
    assert found.sentence.startswith("The two together do ")
    assert found.sentence.endswith(ending)


def test_effects_within_the_noise_are_said_to_be_so():
    found = interaction(("A", "B"), CONTROLS, [CONTROLS, CONTROLS], CONTROLS)
    assert found.sentence == "What the two do alone adds up to no more than the noise of these cells: unclear."
    assert np.isnan(found.magnitude.value)


def noisy(draw: np.random.Generator, effect: np.ndarray, cells: int, base: np.ndarray) -> np.ndarray:
    """Cells whose log2 mean is moved by ``effect`` and whose deviation is their mean's root."""
    mean = (base + 0.1) * 2**effect - 0.1
    return draw.gamma(mean, 1.0, (cells, GENES)).astype(np.float32)


def world(
    seed: int, weight: float, cells: tuple[int, ...] = (60, 60, 60, 120)
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """A combination that is ``weight`` times the sum, its singles and controls."""
    draw = np.random.default_rng(seed)
    base = draw.uniform(0.5, 2.0, GENES)
    a, b = (draw.normal(0, 0.4, GENES) * (draw.random(GENES) < 0.2) for _ in range(2))
    effects = (weight * (a + b), a, b, 0 * a)
    together, one, other, controls = (noisy(draw, e, n, base) for e, n in zip(effects, cells, strict=True))
    return together, [one, other], controls


@pytest.mark.parametrize("cells", [(60, 60, 60, 120), (25, 100, 100, 200), (200, 40, 40, 80)])
def test_few_cells_on_a_side_do_not_move_the_magnitude(cells):
    found = [interaction(("A", "B"), *world(seed, 1.0, cells), resamples=20).magnitude.value for seed in range(20)]
    assert np.nanmean(found) == pytest.approx(1.0, abs=0.08)


def test_plain_norms_would_make_additive_pairs_look_suppressive():
    ratios = []
    for seed in range(20):
        together, singles, controls = world(seed, 1.0)
        effects = [log_fold_change(s.mean(axis=0), controls.mean(axis=0)) for s in (together, *singles)]
        ratios.append(np.linalg.norm(effects[0]) / np.linalg.norm(effects[1] + effects[2]))
    assert np.mean(ratios) < 0.9


def test_products_of_sets_without_effect_are_zero_on_average():
    draw = np.random.default_rng(0)
    base = np.full(GENES, 1.0)
    made = []
    for _ in range(60):
        sets = [noisy(draw, np.zeros(GENES), n, base) for n in (20, 40, 60, 30)]
        made.append(unbiased_products(sets[:3], sets[3]))
    error = np.std(made, axis=0) / np.sqrt(len(made))
    assert (np.abs(np.mean(made, axis=0)) < 4 * error + 0.02 * np.abs(made).max()).all()


@pytest.mark.parametrize(("weight", "kind"), [(1.0, "additive"), (0.5, "suppressive"), (1.5, "synergistic")])
def test_intervals_hold_the_truth_and_kinds_are_right_or_unclear(weight, kind):
    found = [interaction(("A", "B"), *world(seed, weight), seed=seed) for seed in range(15)]
    assert sum(f.magnitude.low <= weight <= f.magnitude.high for f in found) >= 13
    assert {str(f.kind) for f in found} <= {kind, "unclear"}
    assert sum(f.kind == kind for f in found) >= 5


def test_perturbations_that_do_nothing_stay_unclear():
    kinds = [interaction(("A", "B"), *with_no_effect(seed)).kind for seed in range(20)]
    assert kinds.count(InteractionKind.UNCLEAR) >= 18


def with_no_effect(seed: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    draw = np.random.default_rng(seed)
    sets = [noisy(draw, np.zeros(GENES), 40, np.full(GENES, 1.0)) for _ in range(4)]
    return sets[0], sets[1:3], sets[3]


def test_the_same_seed_gives_the_same_interval():
    together, singles, controls = world(0, 1.0)
    first, again, other = (interaction(("A", "B"), together, singles, controls, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.magnitude.value == other.magnitude.value
    assert first.magnitude.low != other.magnitude.low


def test_a_summary_is_one_flat_row():
    found = interaction(("A", "B"), *world(0, 1.0))
    row = found.summary()
    assert row["interaction"] == str(found.kind)
    assert (row["magnitude_low"], row["magnitude_high"]) == (found.magnitude.low, found.magnitude.high)
    assert all(isinstance(value, str | float) for value in row.values())


@pytest.mark.parametrize(
    ("parts", "together", "singles", "message"),
    [
        (("A",), CONTROLS, [CONTROLS], "There are 1 parts, and cells of 1 alone. A combination has 2 or 3"),
        (("A", "B"), CONTROLS, [CONTROLS], "There are 2 parts, and cells of 1 alone"),
        (("A", "B"), CONTROLS[:3], [CONTROLS, CONTROLS], "There are 3 cells of the combination"),
        (("A", "B"), CONTROLS, [CONTROLS, CONTROLS[:0]], "There are 0 cells of B alone; an interaction needs 4"),
        (("A", "B"), CONTROLS, [CONTROLS, still(1)], r"The cells of B alone have shape \(4, 1\)"),
    ],
)
def test_what_cannot_be_compared_is_named(parts, together, singles, message):
    with pytest.raises(DataError, match=message):
        interaction(parts, together, singles, CONTROLS)
