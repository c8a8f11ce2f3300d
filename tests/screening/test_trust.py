"""How far to trust a ranking: agreement with the measured ranking, beside the baselines, in words."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from primeflow_core.errors import ConditionError
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.rank_agreement import GoalScores, best_of, rank_agreement, spearman, top_hits
from primeflow_core.screening.scoring import GoalScore
from primeflow_core.screening.trust import Trust, trust_of
from primeflow_core.screening.trust_text import sentences, without_trust
from tests import screens

LABELS = ("A+B", "A+C", "A+D", "B+C", "B+D", "C+D", "D+E", "D+F")
CHECKED = tuple(map(screens.condition, LABELS))
TRUTH = np.array([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
GENES = 3


def cells(level: float, count: int = 5) -> np.ndarray:
    return np.full((count, GENES), level, np.float32)


class MeanScorer:
    """The mean of cells above that of the controls, every replicate like it."""

    def score(self, condition, by_seed, controls):
        value = float(np.concatenate(by_seed).mean() - controls.mean())
        return GoalScore(value, np.full(screens.RESAMPLES, value, np.float32), (value,))


class Controls:
    """Training controls at 1, so that those of the experiment, at 2, are told from them."""

    def controls(self, covariates):
        return cells(1.0)


class OfLevels:
    """A baseline that makes cells of the level it is told for a condition, at most 4."""

    def __init__(self, levels):
        self.levels, self.asked = dict(zip(CHECKED, levels, strict=True)), []

    def distinct(self, condition):
        if math.isnan(self.levels[condition]):
            raise ConditionError("a part was never measured")
        return 4

    def predict(self, condition, count, seed):
        self.asked.append(count)
        return cells(self.levels[condition], count)


def told(predicted, baselines=None, *, truth=TRUTH, goal=screens.EFFECT, noise=None, simulated=False, labels=LABELS):
    asked = screens.order(["X+Y"], checked=labels, goal=goal)
    rows = screens.table_of(asked, [*predicted, 0.0], noise)
    measured = {c: cells(level + 2) for c, level in zip(CHECKED, truth, strict=False)}
    controls = {screens.CONTEXT: cells(2.0)}
    return trust_of(rows, asked, Controls(), measured, controls, baselines, MeanScorer(), simulated=simulated)


def test_a_perfect_prediction_agrees_in_every_rank_and_hits_all():
    row = told(TRUTH + 10).rows[0]
    assert (row.spearman, row.hits, row.best, row.chance) == (1, 2, 2, 0.5)
    assert (row.high, row.hits_high) == (1, 1)
    # One of the 28 pairs of 8 is the measured best two.
    assert row.p == pytest.approx(1 / 28)


def test_the_reverse_order_is_told_as_such():
    found = told(-TRUTH)
    assert found.rows[0].spearman == -1
    assert found.rows[0].hits == 0
    assert "runs against the measured one" in found.lines[0]


def test_measured_scores_are_relative_to_their_own_controls():
    assert [each.measured for each in told(TRUTH).checked] == pytest.approx(TRUTH.tolist())


def test_a_goal_where_less_is_better_turns_both_rankings():
    row = told(TRUTH + 10, goal=screens.SUPPRESSION).rows[0]
    assert (row.spearman, row.hits) == (1, 2)
    assert told(TRUTH, goal=screens.SUPPRESSION).scores()["perturbation"][0] == "D+F"
    assert told(TRUTH).scores()["perturbation"][0] == "A+B"


def test_a_wrong_sign_is_no_agreement_where_scores_count_either_way():
    goal = Goal("moves", ("g",))
    assert told(TRUTH, goal=goal).rows[0].spearman == 1
    reverse = told(-TRUTH, goal=goal).rows[0]
    assert (reverse.spearman, reverse.high < 0, reverse.hits) == (-1, True, 2)


def test_a_replicate_without_a_number_is_the_worst_whatever_is_better():
    drawn = np.array([[1.0, np.nan, 1.0], [2.0, 2.0, 2.0]])
    for goal, best in ((screens.EFFECT, 1), (screens.SUPPRESSION, 0)):
        side = GoalScores(goal, np.array([1.0, 2.0]), drawn)
        one = side.resampled(np.array([[0, 1], [0, 1]]))
        assert one.argmax(axis=1).tolist() == [best, 1]


def test_without_anything_measured_it_is_said_that_nothing_backs_the_ranking():
    said = without_trust("screen.h5ad", 3, predicted_controls=False, simulated=False)
    assert said.startswith("This ranking could not be checked against measured cells: fewer than 3 held-out conditions")
    assert "cannot say how far to trust it" in said
    there = without_trust("screen.h5ad", 3, predicted_controls=True, simulated=True)
    assert (
        "This ranking could not be checked against simulated cells: the cells of screen.h5ad are not on this machine"
        in there
    )
    assert "measured" not in there


def test_spearman_by_hand_with_ties():
    assert spearman(np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 3, 5, 4])) == pytest.approx(0.8)
    assert spearman(np.array([1.0, 1, 2]), np.array([1.0, 2, 3])) == pytest.approx(1.5 / 3**0.5)
    assert math.isnan(spearman(np.ones(4), np.arange(4.0)))


def test_hits_of_a_side_that_is_all_alike_are_those_of_chance():
    assert top_hits(np.ones(8), np.arange(8.0), 2) == pytest.approx(2 * 2 / 8)
    assert top_hits(np.array([3.0, 2, 2, 1]), np.array([3.0, 2, 1, 0]), 2) == pytest.approx(1.5)
    assert [best_of(n) for n in (3, 7, 40)] == [1, 2, 10]


def test_random_predictions_hit_as_often_as_chance():
    draw = np.random.default_rng(0)
    hits = top_hits(draw.random((4000, 12)), draw.random((4000, 12)), 3)
    assert hits.mean() == pytest.approx(3 * 3 / 12, abs=0.05)


def test_noisier_scores_widen_the_interval_and_the_value_stays_inside():
    picks = np.random.default_rng(0).integers(8, size=(500, 8))
    sharp, vague = (
        GoalScores(screens.EFFECT, TRUTH, TRUTH[:, None] + screens.noise(8, size, seed=1)) for size in (0.01, 2.0)
    )
    found = [rank_agreement(sharp, side, picks) for side in (sharp, vague)]
    assert found[0].low > 0.9
    assert found[1].low < found[0].low
    assert all(each.low <= each.spearman <= each.high for each in found)


def test_baselines_stand_beside_the_model_and_make_as_many_cells_as_are_distinct():
    worse = OfLevels([7.0, 8, 5, 6, 3, 4, 1, 2])
    found = told(TRUTH, {"ridge": worse})
    assert [row.name for row in found.rows] == ["model", "ridge"]
    assert set(worse.asked) == {4}
    assert found.rows[1].lead == pytest.approx(1 - found.rows[1].spearman)
    assert "Ridge, the best baseline, reaches 0.90" in found.lines[1]
    assert "the model is ahead by 0.10" in found.lines[1]


def test_a_baseline_that_ranks_at_least_as_well_is_named_plainly():
    found = told([7.0, 8, 5, 6, 3, 4, 1, 2], {"sum-of-singles": OfLevels(TRUTH), "ridge": OfLevels(-TRUTH)})
    assert "Sum of single effects, the best baseline, reaches 1.00" in found.lines[1]
    assert "it ranks at least as well as the model" in found.lines[1]


def test_a_baseline_that_gives_all_the_same_score_ranks_nothing_and_one_that_refuses_is_listed():
    found = told(TRUTH, {"no-change": OfLevels(np.ones(8)), "mix-of-singles": OfLevels(np.full(8, np.nan))})
    assert math.isnan(found.rows[1].spearman)
    assert found.rows[1].hits == pytest.approx(found.rows[1].chance)
    assert any(line.startswith("No change: the same score for every condition") for line in found.lines)
    assert found.refused == ("Mix of single effects",)


def test_a_baseline_that_misses_some_conditions_is_compared_on_the_others():
    levels = TRUTH.copy()
    levels[:2] = np.nan
    found = told([7.0, 8, *TRUTH[2:]], {"ridge": OfLevels(levels)})
    assert found.rows[1].conditions == 6
    assert found.rows[1].lead == 0
    assert "On the 6 that it can predict, Ridge reaches 1.00" in found.lines[1]
    assert "which reaches 1.00 there" in found.lines[1]


def test_what_the_model_or_the_experiment_has_no_score_of_does_not_count():
    assert len(told([math.nan, *TRUTH[1:]]).checked) == 7
    assert len(told(TRUTH, truth=TRUTH[:5]).checked) == 5
    assert told(TRUTH, truth=TRUTH[:2]) is None


def test_the_first_sentence_has_all_numbers():
    assert told(TRUTH).lines[0] == (
        "On 8 held-out combinations the model's ranking agrees with the measured one: rank correlation 1.00 "
        "(1.00 to 1.00); of its best 2, 2 are among the measured best 2 (by chance 0.5)."
    )


def test_simulated_data_are_never_called_measured():
    found = told(TRUTH, {"ridge": OfLevels(TRUTH)}, simulated=True)
    assert not any("measured" in line for line in found.lines)
    assert "the simulated one" in found.lines[0]


def test_few_conditions_with_noise_are_not_called_agreement():
    found = told([3.0, 4, 5, 1, 8, 2, 6, 7], noise=screens.noise(9, 3.0))
    assert "cannot be told from chance" in found.lines[0]


@pytest.mark.parametrize(("hits", "said"), [(1.0, "its best is the measured best"), (0.0, "its best is not the meas")])
def test_a_single_best_is_said_without_a_number(hits, said):
    row = replace(told(TRUTH).rows[0], best=1, hits=hits)
    assert said in sentences([row], "combinations", [], simulated=False)[0]


def test_trust_comes_back_from_json_with_what_is_missing():
    found = told(TRUTH, {"no-change": OfLevels(np.ones(8))})
    text = json.dumps(found.to_json(), allow_nan=False)
    back = Trust.from_json(json.loads(text))
    assert back.lines == found.lines
    assert repr(back) == repr(found)
    with pytest.raises(ValueError, match="no row of the model"):
        Trust.from_json({**found.to_json(), "rows": []})
