"""What pairs tell of similar pairs: closed forms, what must not be carried over, and the Gaussian that uses it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.models.composed_cells.composer import composer
from primeflow_core.models.composed_cells.scaling import MeasuredEffects, scalings
from primeflow_core.models.flow.gaussian import GaussianVelocity

GENES = 40
GROUPS, MEMBERS = 2, 4
SIZE = GROUPS * MEMBERS


def singles(draw):
    """Two groups of perturbations; those of a group do nearly the same."""
    kinds = draw.normal(0, 1, (GROUPS, GENES))
    return np.repeat(kinds, MEMBERS, axis=0) + 0.05 * draw.normal(0, 1, (SIZE, GENES))


def crossing_pairs():
    return [(a, MEMBERS + b) for a in range(MEMBERS) for b in range(MEMBERS)]


def screen(factors, pairs, noise=0.0, seed=0):
    """Every single, and ``pairs`` whose parts do ``factors`` times what they do alone."""
    draw = np.random.default_rng(seed)
    alone = singles(draw)
    rows = [np.eye(SIZE)[a] for a in range(SIZE)] + [np.eye(SIZE)[a] + np.eye(SIZE)[b] for a, b in pairs]
    shifts = [*alone, *(factors[0] * alone[a] + factors[1] * alone[b] for a, b in pairs)]
    shift = np.array(shifts) + noise * draw.normal(0, 1, (len(rows), GENES))
    count = len(rows)
    variance = np.full(count, noise**2 * GENES)
    return MeasuredEffects(np.array(rows), np.zeros(count, dtype=int), shift, variance, np.zeros(count))


def test_a_pair_left_out_takes_the_factors_of_pairs_like_it():
    pairs = crossing_pairs()
    found = scalings(screen((1.6, 0.4), pairs[1:]))
    a, b = pairs[0]
    assert 1 + found[a, b] == pytest.approx(1.6, abs=0.1)
    assert 1 + found[b, a] == pytest.approx(0.4, abs=0.1)


def test_pairs_of_other_kinds_stay_sums():
    found = scalings(screen((1.6, 0.4), crossing_pairs()))
    assert np.abs(found[0, 1:MEMBERS]).max() < 0.1
    assert not np.diag(found).any()


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_add_up_carry_nothing_over(seed):
    found = scalings(screen((1.0, 1.0), crossing_pairs(), noise=0.3, seed=seed))
    assert np.abs(found).max() < 0.15


def test_few_pairs_carry_nothing_over():
    assert not scalings(screen((2.0, 2.0), crossing_pairs()[:3])).any()


def test_singles_no_larger_than_their_noise_are_like_nothing():
    measured = screen((1.6, 0.4), crossing_pairs())
    drowned = MeasuredEffects(
        measured.strength, measured.context, measured.shift, np.full(len(measured.noise), 1e6), measured.control_noise
    )
    found = scalings(drowned)
    assert np.abs(found).max() < 1e-3


def test_a_pair_at_a_dose_whose_single_was_not_measured_is_left_out():
    measured = screen((1.6, 0.4), crossing_pairs())
    at_half = measured.strength.copy()
    at_half[SIZE:] *= 0.5
    assert not scalings(
        MeasuredEffects(at_half, measured.context, measured.shift, measured.noise, measured.control_noise)
    ).any()


def test_the_order_of_the_conditions_changes_nothing():
    measured = screen((1.6, 0.4), crossing_pairs(), noise=0.1)
    order = np.random.default_rng(1).permutation(len(measured.shift))
    turned = MeasuredEffects(
        measured.strength[order], measured.context[order], measured.shift[order], measured.noise[order],
        measured.control_noise[order],
    )  # fmt: skip
    np.testing.assert_allclose(scalings(turned), scalings(measured), atol=1e-9)


def test_the_gaussian_starts_an_unseen_pair_where_similar_pairs_lie():
    draw = np.random.default_rng(0)
    alone, pairs = singles(draw), crossing_pairs()
    means = {(): np.zeros(GENES), **{(a,): alone[a] for a in range(SIZE)}}
    means |= {(a, b): 1.5 * (alone[a] + alone[b]) for a, b in pairs[1:]}
    cells, conditions = [], []
    for parts, mean in means.items():
        condition = np.zeros(SIZE + 1)
        condition[[*parts, SIZE]] = 1.0
        cells.append(mean + 5 + 0.3 * draw.normal(0, 1, (60, GENES)))
        conditions.append(np.tile(condition, (60, 1)))
    chunk = torch.tensor(np.concatenate(cells)).float(), torch.tensor(np.concatenate(conditions)).float()
    asked = torch.zeros(1, SIZE + 1)
    asked[0, [*pairs[0], SIZE]] = 1.0
    errors = {}
    for interacting in (0, SIZE):
        gaussian = GaussianVelocity(GENES, SIZE + 1, 8, "linear", interacting)
        gaussian.fit(lambda: [chunk])
        wanted = 5 + 1.5 * (alone[pairs[0][0]] + alone[pairs[0][1]])
        errors[interacting] = float(np.square(gaussian.mean_of(asked, 1.0)[0].detach().numpy() - wanted).mean())
    assert errors[SIZE] < 0.3 * errors[0]


def test_without_interplay_a_model_has_no_scalings():
    assert "scalings" not in GaussianVelocity(GENES, 3, 4, "linear").state_dict()
    assert GaussianVelocity(GENES, 3, 4, "linear", 2).state_dict()["scalings"].shape == (2, 2)


def training_whose_pairs_do_more():
    """Every single, and all crossing pairs but P0+P4, whose parts do 1.5 times what they do alone."""
    draw = np.random.default_rng(0)
    alone, pairs = np.abs(singles(draw)), crossing_pairs()
    means = {"control": np.ones(GENES), **{f"P{a}": 1 + alone[a] for a in range(SIZE)}}
    means |= {f"P{a}+P{b}": 1 + 1.5 * (alone[a] + alone[b]) for a, b in pairs[1:]}
    cells = [mean + 0.05 * np.abs(draw.normal(0, 1, (20, GENES))) for mean in means.values()]
    return Cells(
        np.concatenate(cells).astype(np.float32), tuple(map(str, range(GENES))), np.arange(20 * len(means)).astype(str),
        tuple(Condition(parse_perturbations(label)) for label in means), np.repeat(np.arange(len(means)), 20),
    )  # fmt: skip


def composed_pair(label, *, scaled):
    asked = Condition(parse_perturbations(label))
    pairs = composer(training_whose_pairs_do_more(), 0, scaled=scaled).pairs
    return next(pair for pair in pairs if pair.condition == asked)


def test_composed_pairs_scale_their_parts_only_where_that_is_asked_for():
    assert composed_pair("P0+P4", scaled=False).factors == (1.0, 1.0)
    assert composed_pair("P0+P4", scaled=True).factors == pytest.approx((1.5, 1.5), abs=0.15)


def test_scaled_values_of_one_part_stay_within_those_of_measured_cells():
    pair = replace(composed_pair("P0+P4", scaled=True), factors=(2.0, 2.0))
    only_the_first = replace(pair.parts[0], moves=np.ones(GENES, np.float32))
    still = replace(pair.parts[1], moves=np.zeros(GENES, np.float32))
    pair = replace(pair, parts=(only_the_first, still))
    draw = np.random.default_rng(0)
    highest = np.max([start.cells.max(axis=0) for start in pair.starts], axis=0)
    cells = np.stack([pair.drawn(draw) for _ in range(50)])
    assert (cells <= highest + 1e-6).all()
    assert np.isclose(cells, highest).any()
