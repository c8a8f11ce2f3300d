"""Composed training cells: sums of single effects for pairs that were never measured."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, parse_perturbations
from primeflow_core.errors import SettingError
from primeflow_core.models.composed_cells.composer import composer
from primeflow_core.models.composed_cells.single import THRESHOLD, measured, unmoved
from primeflow_core.models.composed_cells.transfer import synthetic, transferred_singles
from primeflow_core.training.batches import CellSource
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.trainer import Trainer
from tests import tiny


def screen(*labels, each=6, genes=4, context="k562"):
    """Cells whose values tell their condition: 10 times its number, plus the number of the cell."""
    conditions = tuple(Condition(parse_perturbations(label), (("cell_type", context),)) for label in labels)
    condition_of = np.repeat(np.arange(len(labels)), each)
    values = 10.0 * condition_of[:, None] + np.tile(np.arange(each), len(labels))[:, None] / 100 + np.zeros(genes)
    names = np.array([f"c{i}" for i in range(len(values))])
    return Cells(values.astype(np.float32), tuple(f"g{i}" for i in range(genes)), names, conditions, condition_of)


def test_every_unmeasured_pair_of_singles_is_composed_and_no_other():
    made = composer(screen("control", "A", "B", "C", "B+A"), 0)
    assert {pair.condition.label for pair in made.pairs} == {"A+C", "B+C"}
    assert len(made) == 2


def test_genes_that_both_move_are_summed():
    made = composer(screen("control", "A", "B"), 0)
    cells, conditions = made.draw(50, np.random.default_rng(0))
    assert {condition.label for condition in conditions} == {"A+B"}
    # Clear effects are not shrunk: 10 + 20, plus the number of the cell, which keeps its rank.
    np.testing.assert_allclose(cells, 30, atol=0.06)
    assert len(np.unique(cells[:, 0].round(2))) == 6


def zero_inflated(rng, n=400, zeros=(0.5, 0.5, 0.5), genes=3):
    cells = rng.gamma(4, 0.5, (n, genes)).astype(np.float32)
    return np.where(rng.random((n, genes)) < zeros, 0, cells).astype(np.float32)


def test_a_gene_that_one_moves_takes_its_values_and_genes_stay_correlated():
    rng = np.random.default_rng(0)
    control, a, b = zero_inflated(rng), zero_inflated(rng, zeros=(0.1, 0.5, 0.5)), zero_inflated(rng)
    for cells in (control, a, b):
        cells[:, 2] = cells[:, 1] * 1.5
    b[:, 1] += 3
    labels = ("control", "A", "B")
    conditions = tuple(Condition(parse_perturbations(label), (("cell_type", "k562"),)) for label in labels)
    cells = Cells(
        np.concatenate([control, a, b]), ("g0", "g1", "g2"), np.array([f"c{i}" for i in range(1200)]),
        conditions, np.repeat(np.arange(3), 400),
    )  # fmt: skip
    made = np.stack([composer(cells, 0).pairs[0].drawn(rng) for _ in range(600)])
    assert (made[:, 0] == 0).mean() == pytest.approx(0.1, abs=0.05)
    assert made[:, 0].mean() == pytest.approx(a[:, 0].mean(), abs=0.15)
    assert made[:, 1].mean() == pytest.approx(b[:, 1].mean(), abs=0.15)
    assert (made[:, 2] == 0).mean() == pytest.approx(0.5, abs=0.1)
    assert np.corrcoef(made[:, 1], made[:, 2])[0, 1] > 0.9


def test_composed_cells_are_at_least_zero_and_the_same_for_the_same_seed():
    cells = screen("A", "B", "control")
    made = composer(cells, 0)
    one, other = (made.draw(9, np.random.default_rng(4))[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.min() == 0.0
    sparse = composer(replace(cells, values=sp.csr_matrix(cells.values)), 0)
    np.testing.assert_array_equal(sparse.draw(9, np.random.default_rng(4))[0], one)


def test_without_controls_cells_or_a_second_single_nothing_is_composed():
    assert len(composer(screen("A", "B", "C"), 0)) == 0
    assert len(composer(screen("control", "A"), 0)) == 0
    assert len(composer(screen("control", "A", "B", each=3), 0)) == 0


def together(*screens):
    """One table of several screens with the same genes."""
    offsets = np.cumsum([0, *(len(one.conditions) for one in screens[:-1])])
    condition_of = np.concatenate([one.condition_of + offset for one, offset in zip(screens, offsets, strict=True)])
    values = np.concatenate([one.values for one in screens])
    conditions = tuple(condition for one in screens for condition in one.conditions)
    return Cells(values, screens[0].genes, np.array([f"c{i}" for i in range(len(values))]), conditions, condition_of)


def test_singles_of_two_contexts_and_doses_of_one_perturbation_are_no_pair():
    both = together(screen("control", "A"), screen("control", "B", context="hap1"))
    assert not composer(both, 0).pairs
    assert len(composer(screen("control", "d@1", "d@10"), 0)) == 0


def test_a_single_that_a_context_lacks_is_carried_over_from_the_others():
    both = together(screen("control", "A", "B"), screen("control", "A", context="hap1"))
    (made,) = composer(both, 0).transferred
    condition, single = made
    assert (condition.label, condition.context) == ("B", "hap1")
    # The controls of hap1 are 0 and B adds 20 in k562; the cell keeps its rank, .00 to .05.
    np.testing.assert_allclose(single.cells, 20, atol=0.06)
    assert len(np.unique(single.cells[:, 0].round(2))) == 6
    np.testing.assert_allclose(single.moves, 1, atol=1e-3)


def test_contexts_weigh_as_their_controls_make_up_those_of_this_one():
    means = np.array([[0.0, 0, 4], [4, 0, 0], [9, 9, 9]])
    np.testing.assert_allclose(synthetic(means, np.array([1.0, 0, 3])), [0.75, 0.25, 0], atol=1e-4)
    np.testing.assert_allclose(synthetic(means, np.array([-5.0, 0, 9])), [1, 0, 0], atol=1e-4)
    assert synthetic(means[:1], np.array([7.0, 7, 7])) == 1.0
    assert synthetic(means[[0, 0]], means[0]).sum() == pytest.approx(1.0)


def test_what_a_single_does_is_averaged_over_the_other_contexts():
    far = screen("control", "B", context="far")
    far = replace(far, values=far.values + np.where(far.condition_of == 0, 8, 30)[:, None].astype(np.float32))
    near = screen("control", "B", context="near")
    near = replace(near, values=near.values - np.where(near.condition_of == 0, 2, 0)[:, None].astype(np.float32))
    contexts = together(screen("control", "A"), near, far)
    here = Condition((), (("cell_type", "k562"),))
    single = transferred_singles(contexts, here, 0)[Condition(parse_perturbations("B"), here.covariates)]
    # Controls are at 0 here, at -2 and 8 there: weights .8 and .2. B adds 12 in the one and 32 in the other.
    np.testing.assert_allclose(single.shift, 0.8 * 12 + 0.2 * 32, rtol=1e-3)
    np.testing.assert_allclose(single.cells, 16, atol=0.06)


def test_zeros_stay_zeros_in_another_context():
    rng = np.random.default_rng(0)
    control, b, here = zero_inflated(rng), zero_inflated(rng), zero_inflated(rng, zeros=(0.9, 0.5, 0.2))
    b[:, 1] += 3
    places = [("control", "k562"), ("B", "k562"), ("control", "hap1")]
    conditions = tuple(Condition(parse_perturbations(label), (("cell_type", place),)) for label, place in places)
    names = np.array([f"c{i}" for i in range(1200)])
    values = np.concatenate([control, b, here])
    cells = Cells(values, ("g0", "g1", "g2"), names, conditions, np.repeat(np.arange(3), 400))
    ((_, single),) = composer(cells, 0).transferred
    np.testing.assert_allclose((single.cells == 0).mean(axis=0), (0.9, 0, 0.2), atol=0.1)
    assert single.cells[:, 1].mean() == pytest.approx(here[:, 1].mean() + 3, abs=0.2)


def test_pairs_and_singles_of_other_contexts_have_half_of_the_composed_cells_each():
    both = together(screen("control", "A", "B"), screen("control", "A", context="hap1"))
    _, conditions = composer(both, 0).draw(400, np.random.default_rng(0))
    pairs = sum(len(condition.perturbations) == 2 for condition in conditions)
    assert 160 < pairs < 240
    assert {(c.label, c.context) for c in conditions} == {("A+B", "k562"), ("B", "hap1")}


def test_too_few_cells_there_or_controls_here_carry_nothing_over():
    few = together(screen("control", "B", each=3), screen("control", context="hap1"))
    assert not composer(few, 0).transferred
    few = together(screen("control", "B"), screen("control", context="hap1", each=3))
    assert not composer(few, 0).transferred


def test_how_probably_a_gene_is_moved_comes_from_its_t():
    draw = np.random.default_rng(1)
    controls, cells = draw.normal(0, 1, (200, 3)), draw.normal([0, 0.3, 5], 1, (300, 3))
    shift = cells.mean(0) - controls.mean(0)
    t = shift / np.sqrt(cells.var(0, ddof=1) / 300 + controls.var(0, ddof=1) / 200)
    found = measured(cells, controls)
    np.testing.assert_allclose(found.moves, np.maximum(0, 1 - (THRESHOLD / t) ** 2))
    np.testing.assert_allclose(found.shift, shift, rtol=1e-5)
    assert found.moves[0] < 0.5
    assert found.moves[2] > 0.99
    assert measured(np.ones((4, 1)), np.zeros((4, 1))).moves == 1.0
    assert not unmoved(controls).moves.any()


SINGLES = replace(tiny.cells(), values=tiny.cells().values)
TRAINED_ON = SINGLES.subset(np.flatnonzero(SINGLES.condition_of < 3))


def trainer(composed):
    torch.manual_seed(0)
    source = CellSource(TRAINED_ON, np.arange(len(TRAINED_ON)), tiny.VOCABULARY, torch.device("cpu"))
    return Trainer(tiny.model(), source, None, TrainingConfig(batch_size=16, composed=composed), seed=3)


def seen_by(training):
    """The conditions of every batch that the predictor's loss is asked for in three steps."""
    seen = []
    loss = training.predictor.loss
    training.predictor.loss = lambda batch, draws: (seen.append(batch), loss(batch, draws))[1]
    for _ in range(3):
        training.step()
    return seen


def test_a_share_of_each_batch_is_composed():
    pair = torch.from_numpy(tiny.VOCABULARY.encode([tiny.condition("A", "B")]))[0]
    for composed, expected in ((0.0, 0), (0.25, 4), (0.5, 8)):
        for batch in seen_by(trainer(composed)):
            assert len(batch.x_1) in (16, 12)
            share = int((batch.condition == pair).all(dim=1).sum())
            assert share == round(expected * len(batch.x_1) / 16)


def test_composed_cells_depend_on_seed_and_step_only():
    one, other = seen_by(trainer(0.5)), seen_by(trainer(0.5))
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.x_1, b.x_1)
    assert not torch.equal(one[0].x_1[:8], one[1].x_1[:8])


def test_a_share_outside_zero_to_one_is_refused():
    for share in (-0.1, 1.0):
        with pytest.raises(SettingError, match="composed"):
            TrainingConfig(composed=share)


def test_the_composed_pair_is_sorted_by_name():
    made = composer(screen("control", "B", "A"), 0)
    assert made.pairs[0].condition.perturbations == (Perturbation("A"), Perturbation("B"))
