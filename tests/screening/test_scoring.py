"""Scores of a screen: every goal by hand from cells without noise, and what drawing cells again must do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.evaluation.distances import energy_distance
from primeflow_core.evaluation.effect_products import unbiased_products
from primeflow_core.evaluation.interaction import interaction
from primeflow_core.evaluation.profiles import profile
from primeflow_core.models import checkpoint
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.screening.bootstrap_draws import CANDIDATE, CONTROLS, drawn, shares
from primeflow_core.screening.effect_products import products
from primeflow_core.screening.engine import one_thread
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.reference_cells import (
    CONTROL_SEED,
    MOST_CELLS,
    Reference,
    measured_reference,
    predicted_reference,
)
from primeflow_core.screening.scoring import Scorer
from tests import tiny
from tests.tiny import condition

EFFECT, SYNERGY = Goal("effect"), Goal("synergy")
PAIR = condition("A", "B")
NONE = np.zeros((0, 2), dtype=np.float32)


def still(*changes: float, cells: int = 6) -> np.ndarray:
    """Equal cells; control is 0.9, so that a mean of 1.9 is a log2 change of 1."""
    return np.tile(2.0 ** np.array(changes) - 0.1, (cells, 1)).astype(np.float32)


def noisy(seed: int, effect: np.ndarray, cells: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0**effect, 1.0, (cells, len(effect))).astype(np.float32)


def reference(
    measured: dict[Condition, np.ndarray], target: np.ndarray | None = None, against: np.ndarray | None = None
) -> Reference:
    values = np.concatenate(list(measured.values()))
    condition_of = np.repeat(np.arange(len(measured)), [len(cells) for cells in measured.values()])
    genes = tuple(f"G{i}" for i in range(values.shape[1]))
    names = np.arange(len(values)).astype(str)
    none = values[:0]
    return Reference(
        Cells(sp.csr_matrix(values), genes, names, tuple(measured), condition_of),
        none if target is None else target,
        none if against is None else against,
    )


STILL = reference({condition(): still(0, 0), condition("A"): still(1, 0), condition("B"): still(0, 1)})


def scorer(goal: Goal, known: Reference = STILL, resamples: int = 20, **more) -> Scorer:
    return Scorer(known.cells.genes, goal, known, resamples, **more)


# Drawing cells again


def test_a_set_is_seen_whole_in_replicates_and_by_seed():
    by_seed = [noisy(seed, np.zeros(5), 30) for seed in (1, 2)]
    seen = drawn(by_seed, CANDIDATE, 10)
    assert seen.log_means.shape == (11, 5)
    assert np.allclose(seen.log_means[0], np.log2(np.concatenate(by_seed).mean(axis=0) + 0.1), atol=1e-5)
    assert np.allclose(seen.by_seed, [np.log2(cells.mean(axis=0) + 0.1) for cells in by_seed], atol=1e-5)
    assert seen.noise[0] == pytest.approx(1)
    assert np.allclose(seen.seed_noise, 2)
    assert np.allclose(seen.undrawn.log_means, seen.log_means[:1])


def test_seeds_are_drawn_then_cells_within_each():
    rows = shares((50, 50), CANDIDATE, 400).of_cells[1:401]
    assert np.allclose(rows.sum(axis=1), 1)
    of_first = rows[:, :50].sum(axis=1)
    assert np.unique(np.round(of_first, 3)).tolist() == [0.0, 0.5, 1.0]
    assert np.mean(np.isclose(of_first, 0.5)) == pytest.approx(0.5, abs=0.1)
    assert not np.allclose(rows[0], rows[1])


def test_the_draw_depends_on_role_and_size_alone():
    assert shares((40,), CANDIDATE, 5) is shares((40,), CANDIDATE, 5)
    one, other = (shares((40,), role, 5).of_cells for role in (CANDIDATE, CONTROLS))
    assert not np.allclose(one[1:6], other[1:6])


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_the_noise_of_a_replicate_is_told(seeds):
    """Over many worlds the mean of a replicate varies as much more as it says."""
    draw = np.random.default_rng(seeds)
    worlds = draw.normal(size=(4000, 20 * seeds))
    found = shares((20,) * seeds, CANDIDATE, 6)
    means = worlds @ found.of_cells.T
    assert np.allclose(means.var(axis=0) * 20 * seeds, found.noise, rtol=0.12)


def test_products_of_all_cells_are_those_of_effect_products():
    sets = [noisy(i, np.linspace(-1, 1, 30) * i, 40) for i in range(3)]
    controls = noisy(9, np.zeros(30), 60)
    seen = [drawn([cells], name, 8) for cells, name in zip(sets, "abc", strict=True)]
    found = products(seen[0], seen[1:], drawn([controls], CONTROLS, 8))
    assert found.shape == (10, 3, 3)
    assert np.allclose(found[0], unbiased_products(sets, controls), rtol=1e-4, atol=1e-4)
    assert np.allclose(found[0], found[-1], rtol=1e-4, atol=1e-4)


def test_replicates_of_products_without_effect_are_zero_on_average():
    made = []
    for world in range(80):
        sets = [noisy(10 * world + i, np.zeros(30), 25) for i in range(5)]
        seen = [drawn(sets[:2], CANDIDATE, 4), drawn([sets[2]], "a", 4), drawn([sets[3]], "b", 4)]
        made.append(products(seen[0], seen[1:], drawn([sets[4]], CONTROLS, 4)))
    error = np.std(made, axis=0) / np.sqrt(len(made))
    assert (np.abs(np.mean(made, axis=0)) < 4 * error + 0.03 * np.abs(made).max()).all()


# Goals


def test_the_size_of_an_effect_by_hand():
    found = scorer(EFFECT).score(PAIR, [still(1, 0.5), still(1, 0.5)], still(0, 0))
    weight = (np.array([2, 2**0.5]) + 1) / 2
    assert found.score == pytest.approx(np.sqrt(weight @ np.square([1, 0.5])), rel=1e-5)
    assert found.by_seed == pytest.approx((found.score, found.score))
    assert found.replicates.shape == (20,)
    assert np.allclose(found.replicates, found.score)


def test_cells_that_do_not_respond_have_no_length():
    controls = noisy(0, np.zeros(30), 50)
    known = reference({condition(): controls})
    assert scorer(EFFECT, known).score(condition("A"), [controls], controls).score == 0.0


def test_few_cells_do_not_lengthen_an_effect():
    effect = np.linspace(-1, 1, 60)
    controls = noisy(0, np.zeros(60), 400)
    scores = scorer(EFFECT, reference({condition(): controls}))
    few, many = (
        [scores.score(PAIR, [noisy(seed, effect, cells)], controls).score for seed in range(1, 25)]
        for cells in (15, 300)
    )
    assert np.mean(few) == pytest.approx(np.mean(many), rel=0.05)


@pytest.mark.parametrize(("together", "magnitude"), [((1, 1), 1.0), ((2, 2), 2.0), ((0.5, 0.5), 0.5)])
def test_a_magnitude_is_a_share_of_the_sum(together, magnitude):
    found = scorer(SYNERGY).score(PAIR, [still(*together)] * 2, still(0, 0))
    weight = np.array([2 ** together[0] + 2 + 1 + 1, 2 ** together[1] + 2 + 1 + 1])
    assert weight[0] == weight[1]
    assert found.score == pytest.approx(magnitude, rel=1e-5)
    assert np.allclose(found.replicates, magnitude, rtol=1e-5)


def test_interactions_are_those_of_evaluation():
    effects = [np.zeros(80), np.zeros(80)]
    effects[0][:20], effects[1][10:30] = 1.0, -1.0
    singles = [noisy(i + 1, effect, 120) for i, effect in enumerate(effects)]
    together, controls = noisy(3, 1.5 * sum(effects), 300), noisy(4, np.zeros(80), 150)
    known = reference({condition(): controls, condition("A"): singles[0], condition("B"): singles[1]})
    scores = scorer(SYNERGY, known, resamples=200)
    subject = scores.subject(PAIR, [together], controls)
    found = scores.against_measured(subject)
    expected = interaction(("A", "B"), together, singles, controls)
    assert found is not None
    assert found.interaction.kind == expected.kind
    for name in ("share", "magnitude", "magnitude_low", "magnitude_high", "direction", "explained", "dominance"):
        assert found.interaction.summary()[name] == pytest.approx(expected.summary()[name], abs=0.1), name
    assert found.interaction.magnitude.value == pytest.approx(expected.magnitude.value, rel=1e-4)
    assert scores.scored(subject).score == pytest.approx(expected.magnitude.value, rel=1e-4)


def test_a_part_that_was_not_measured_alone_is_predicted():
    known = reference({condition(): still(0, 0), condition("A"): still(1, 0)})
    assert np.isnan(scorer(SYNERGY, known).score(PAIR, [still(1, 1)], still(0, 0)).score)
    alone = {condition(): [still(1, 1)] * 2, condition("A"): [still(2, 1)] * 2, condition("B"): [still(1, 3)] * 2}
    scores = scorer(SYNERGY, known, predicted_alone=alone.__getitem__)
    what_the_model_adds_does_not_count = scores.score(PAIR, [still(2, 3)], still(0, 0))
    assert what_the_model_adds_does_not_count.score == pytest.approx(1, rel=1e-5)


def test_what_is_no_larger_than_its_noise_has_no_magnitude():
    controls = noisy(0, np.zeros(30), 50)
    known = reference({condition(): controls, condition("A"): controls, condition("B"): controls})
    found = scorer(SYNERGY, known).score(PAIR, [controls, controls], controls)
    assert np.isnan([found.score, *found.replicates, *found.by_seed]).all()
    assert np.isnan(scorer(SYNERGY).score(condition("A"), [still(1, 0)], still(0, 0)).score)


def test_genes_are_raised_and_lowered_by_hand():
    goal = Goal("genes", raised=("G0", "G1"), lowered=("G2",))
    known = reference({condition(): still(0, 0, 0)})
    found = scorer(goal, known).score(PAIR, [still(1, 0, -2), still(1, 0, 0)], still(0, 0, 0))
    both = np.log2(np.array([2, 1, (0.25 + 1) / 2]))
    assert found.score == pytest.approx((both[0] + both[1] - both[2]) / 3, rel=1e-5)
    assert found.by_seed == pytest.approx((1, 1 / 3), rel=1e-5)


def test_targeted_genes_do_not_count():
    goal = Goal("genes", raised=("g0", "MAP2K6"))
    cells, controls = still(1, 3), still(0, 0)
    known = reference({condition(): controls})
    scores = Scorer(("g0", "MAP2K6"), goal, known, 5)
    assert scores.score(condition("B"), [cells], controls).score == pytest.approx(2, rel=1e-5)
    assert scores.score(condition("MAP2K6"), [cells], controls).score == pytest.approx(1, rel=1e-5)
    assert scores.score(condition("MEK6"), [cells], controls).score == pytest.approx(1, rel=1e-5)
    moves = Scorer(("g0", "MAP2K6"), Goal("moves", raised=("MAP2K6",)), known, 5)
    assert np.isnan(moves.score(condition("MAP2K6", "B"), [cells], controls).score)


def test_what_moves_a_gene_goes_either_way():
    goal = Goal("moves", raised=("G1",))
    assert scorer(goal).score(PAIR, [still(5, -1)], still(0, 0)).score == pytest.approx(-1, rel=1e-4)


def test_a_gene_of_no_model_is_named():
    with pytest.raises(SettingError, match="G7 is not among the 2 genes of this model"):
        scorer(Goal("moves", raised=("G7",)))


TARGET_EFFECT = np.where(np.arange(40) < 10, 2.0, 0.0)
TOWARDS = reference(
    {condition(): noisy(0, np.zeros(40), 100)}, noisy(1, TARGET_EFFECT, 120), noisy(2, np.zeros(40), 100)
)


def test_the_distance_to_a_target_is_the_unbiased_energy_distance():
    scores = scorer(Goal("target", target=PAIR), TOWARDS)
    by_seed, controls = [noisy(5, TARGET_EFFECT, 80), noisy(6, TARGET_EFFECT, 80)], TOWARDS.controls(PAIR.covariates)
    found = scores.score(condition("A"), by_seed, controls)
    assert found.score == pytest.approx(energy_distance(np.concatenate(by_seed), TOWARDS.target), abs=1e-4)
    assert found.by_seed == pytest.approx([energy_distance(one, TOWARDS.target) for one in by_seed], abs=1e-4)
    assert scores.value(condition("A"), by_seed[0], controls) == pytest.approx(found.by_seed[0], abs=1e-4)


def test_cells_of_the_target_are_at_no_distance():
    scores = scorer(Goal("target", target=PAIR), TOWARDS, resamples=100)
    controls = TOWARDS.controls(PAIR.covariates)
    near, far = (scores.score(PAIR, [cells], controls) for cells in (noisy(7, TARGET_EFFECT, 120), controls))
    low, high = np.quantile(near.replicates - np.median(near.replicates) + near.score, [0.025, 0.975])
    assert low <= 0 <= high
    assert far.replicates.min() > near.replicates.max()


def test_the_direction_of_a_target_is_measured_from_its_own_controls():
    known = reference({condition(): still(0, 0)}, still(3, 1), still(1, 1))
    scores = scorer(Goal("direction", target=PAIR), known)
    assert scores.score(PAIR, [still(0.5, 0)], still(0, 0)).score == pytest.approx(1, rel=1e-5)
    assert scores.score(PAIR, [still(-1, 1)], still(0, 0)).score == pytest.approx(-(0.5**0.5), rel=1e-5)
    assert np.isnan(scores.score(PAIR, [still(0, 0)], still(0, 0)).score)


def test_a_target_needs_cells():
    with pytest.raises(DataError, match="There are 0 cells of the target state"):
        scorer(Goal("target", target=PAIR), replace(TOWARDS, target=TOWARDS.target[:0]))


@pytest.mark.parametrize("goal", [EFFECT, Goal("moves", raised=("G3",)), Goal("direction", target=PAIR)])
def test_a_value_is_the_score_without_replicates(goal):
    scores, controls = scorer(goal, TOWARDS), TOWARDS.controls(PAIR.covariates)
    cells = noisy(8, TARGET_EFFECT, 50)
    assert scores.value(PAIR, cells, controls) == scores.score(PAIR, [cells], controls).score


def test_common_noise_pairs_the_replicates():
    """Two candidates made from the same noise differ by less than their intervals would let one think."""
    noise = np.random.default_rng(0).gamma(1.0, 1.0, (200, 40)).astype(np.float32)
    scores, controls = scorer(EFFECT, TOWARDS, resamples=200), TOWARDS.controls(PAIR.covariates)
    one, other = (
        scores.score(PAIR, np.split((noise * 2 ** (TARGET_EFFECT * f)).astype(np.float32), 2), controls)
        for f in (1, 1.02)
    )
    apart = np.std(np.sort(one.replicates) - np.random.default_rng(1).permutation(other.replicates))
    assert np.std(one.replicates - other.replicates) < 0.2 * apart


def test_replicates_spread_as_scores_of_other_cells_do():
    goal = Goal("moves", raised=("G0",))
    scores, controls = scorer(goal, TOWARDS, resamples=400), TOWARDS.controls(PAIR.covariates)
    found = [scores.score(PAIR, [noisy(seed, TARGET_EFFECT, 100)], controls) for seed in range(100, 140)]
    of_cells = np.std([one.score for one in found])
    of_controls = np.sqrt(profile(controls).variance[0] / 100) / (controls[:, 0].mean() + 0.1) / np.log(2)
    expected = np.hypot(of_cells, of_controls)
    assert np.median([one.replicates.std() for one in found]) == pytest.approx(expected, rel=0.3)


def test_scores_do_not_depend_on_what_was_scored_before():
    known = reference({condition(): still(0, 0), condition("A"): still(1, 0), condition("B"): still(0, 1)})
    fresh = scorer(SYNERGY, known).score(PAIR, [still(1, 0.3)], still(0, 0))
    used = scorer(SYNERGY, known)
    used.score(PAIR, [still(2, 2)], still(0.5, 0))
    again = used.score(PAIR, [still(1, 0.3)], still(0, 0))
    assert (again.score, again.by_seed) == (fresh.score, fresh.by_seed)
    assert np.array_equal(again.replicates, fresh.replicates)


@pytest.mark.parametrize("cells", [still(1), NONE, np.zeros(2)])
def test_cells_that_cannot_be_scored_are_named(cells):
    with pytest.raises(DataError, match=r"The cells of A\+B have shape"):
        scorer(EFFECT).score(PAIR, [cells], still(0, 0))


# The reference


def test_a_reference_is_read_as_it_was_written(tmp_path: Path):
    TOWARDS.write(tmp_path / "reference.npz")
    read = Reference.read(tmp_path / "reference.npz")
    assert read.sha256 == TOWARDS.sha256
    assert np.array_equal(read.controls(PAIR.covariates), TOWARDS.controls(PAIR.covariates))
    assert np.array_equal(read.target, TOWARDS.target)
    assert (read.cells.genes, read.cells.conditions) == (TOWARDS.cells.genes, TOWARDS.cells.conditions)
    assert not read.controls_predicted
    before = (tmp_path / "reference.npz").read_bytes()
    TOWARDS.write(tmp_path / "reference.npz")
    assert (tmp_path / "reference.npz").read_bytes() == before


def test_its_sha256_is_of_all_that_scores_hang_on():
    moved = replace(TOWARDS, target_controls=TOWARDS.target_controls + 1)
    predicted = replace(TOWARDS, controls_predicted=True)
    assert len({known.sha256 for known in (TOWARDS, moved, predicted, STILL)}) == 4


def test_a_damaged_reference_is_named(tmp_path: Path):
    path = tmp_path / "reference.npz"
    TOWARDS.write(path)
    path.write_bytes(path.read_bytes()[:-200])
    for content in (path.read_bytes(), b"", b"nothing"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="Delete its folder and screen again"):
            Reference.read(path)
    with pytest.raises(DataError, match="cannot be read"):
        Reference.read(tmp_path / "absent.npz")
    with path.open("wb") as stream:
        np.savez(stream, said=np.array([{"pickled": 1}], dtype=object))
    with pytest.raises(DataError, match=r"said\.npy is not an array of"):
        Reference.read(path)


def test_a_sum_needs_every_part_alone():
    summed = STILL.sum_cells(PAIR, 6, 0)
    assert summed is not None
    assert np.allclose(summed, still(1, 1), atol=1e-6)
    assert STILL.sum_cells(condition("A", "C"), 6, 0) is None
    assert replace(STILL, controls_predicted=True).sum_cells(PAIR, 6, 0) is None


def test_a_single_needs_four_cells():
    known = reference({condition(): still(0), condition("A"): still(1, cells=3), condition("B"): still(1, cells=4)})
    assert known.single(condition("A")) is None
    assert known.single(condition("C")) is None
    found = known.single(condition("B"))
    assert found is not None
    assert found.shape == (4, 1)
    with pytest.raises(DataError, match="no control cells in nowhere"):
        known.controls((("cell_type", "nowhere"),))


def split_folder(folder: Path, cells: Cells) -> Path:
    """Every second control and single is trained on; the pair is held out."""
    held_out = cells.condition_of == 3
    parts = np.where(held_out | (np.arange(len(cells)) % 2 == 1), "test", "train")
    Split(cells.names, parts).write(folder / checkpoint.SPLIT)
    return folder


def test_only_what_was_trained_on_is_referred_to(tmp_path: Path):
    cells = tiny.cells()
    known = measured_reference(cells, split_folder(tmp_path, cells), cells.genes, [PAIR], PAIR)
    assert known.cells.conditions == (condition(), condition("A"), condition("B"))
    rows = cells.where(condition())
    assert np.array_equal(known.controls(PAIR.covariates), cells.dense(rows[rows % 2 == 0]))
    assert np.array_equal(known.target_controls, cells.dense(rows[rows % 2 == 1]))
    assert np.array_equal(known.target, cells.dense(cells.where(PAIR)))
    only = measured_reference(cells, tmp_path, cells.genes, [condition("A")], None)
    assert only.cells.conditions == (condition(), condition("A"))
    assert only.target.shape == (0, 11)


def test_controls_are_the_target_where_cells_shall_return(tmp_path: Path):
    cells = tiny.cells()
    known = measured_reference(cells, split_folder(tmp_path, cells), cells.genes, [PAIR], condition())
    assert np.array_equal(known.target, known.target_controls)
    assert not np.array_equal(known.target, known.controls(PAIR.covariates))


def test_own_cells_can_be_the_target(tmp_path: Path):
    cells = tiny.cells()
    folder = split_folder(tmp_path, cells)
    known = measured_reference(cells, folder, cells.genes, [PAIR], cells.dense()[:9])
    assert np.array_equal(known.target, cells.dense()[:9])
    assert len(known.target_controls) == 10
    own = measured_reference(cells, folder, cells.genes, [PAIR], cells.dense()[:9], cells.dense()[9:15])
    assert np.array_equal(own.target_controls, cells.dense()[9:15])


def test_cells_that_no_split_names_all_count(tmp_path: Path):
    cells = tiny.cells()
    known = measured_reference(cells, tmp_path, cells.genes, [PAIR], None)
    assert len(known.cells.where(condition("A"))) == 20
    assert len(known.controls(PAIR.covariates)) == 10


def test_at_most_500_cells_of_a_condition_are_kept(tmp_path: Path):
    cells = tiny.cells(per_condition=1200)
    known = measured_reference(cells, tmp_path, cells.genes, [PAIR], PAIR)
    assert [len(known.cells.where(c)) for c in known.cells.conditions] == [MOST_CELLS] * 3
    assert len(known.target) == len(known.target_controls) == MOST_CELLS
    fewer = measured_reference(cells, tmp_path, cells.genes, [condition("B")], None)
    assert np.array_equal(fewer.single(condition("B")), known.single(condition("B")))


def test_what_a_reference_cannot_be_made_of_is_named(tmp_path: Path):
    cells = tiny.cells()
    with pytest.raises(DataError, match="has other genes than the model"):
        measured_reference(cells, tmp_path, cells.genes[::-1], [PAIR], None)
    with pytest.raises(DataError, match="0 cells of C in k562; a target needs 4 at least"):
        measured_reference(cells, tmp_path, cells.genes, [PAIR], condition("C"))
    nowhere = Condition(PAIR.perturbations, (("cell_type", "nowhere"),))
    with pytest.raises(DataError, match="0 control cells in nowhere"):
        measured_reference(cells, tmp_path, cells.genes, [nowhere], None)


def test_without_measured_cells_controls_are_predicted():
    with one_thread():
        check_predicted_reference()


def check_predicted_reference() -> None:
    model = tiny.model().eval()
    model.smallest.fill_(0.1)
    plan = SamplingPlan("euler", 1, seed=7)
    known = predicted_reference(model, [PAIR, condition("A")], plan)
    assert known.controls_predicted
    expected = model.predict(condition(), 400, replace(plan, seed=CONTROL_SEED))
    assert np.array_equal(known.controls(PAIR.covariates), expected)
    assert known.single(condition("A")) is None
    assert known.sum_cells(PAIR, 5, 0) is None
    assert known.sha256 == predicted_reference(model, [PAIR], plan).sha256
    towards = predicted_reference(model, [PAIR], plan, expected[:20])
    assert np.array_equal(towards.target_controls, expected)
