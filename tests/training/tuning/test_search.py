"""What is searched and how: ranges, the spaces of all recipes, and searches of functions whose best point is known."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.errors import DataError, SettingError
from primeflow_core.models.architectures import built
from primeflow_core.training.recipes.registry import RECIPES, SMALL_RECIPES, adjusted, recipe_named
from primeflow_core.training.tuning.ranges import OptionRange, Real, Whole
from primeflow_core.training.tuning.search import Search
from primeflow_core.training.tuning.spaces import at, point_of, space_of
from primeflow_core.training.tuning.trial import DIVERGED, FAILED, PRUNED, SCORED, Trial, ranked, standing
from tests.tiny import CONDITIONS

TRAINED = [recipe for recipe in RECIPES if recipe.training.steps]
NAMED = {"ids": lambda recipe: recipe.name}


@pytest.mark.parametrize(
    ("one", "given", "found"),
    [
        (Real(0.1, 1.0), 0.5, 0.5), (Real(0.1, 1.0), 0.0, 0.1), (Real(0.1, 1.0, log=True), 7, 1.0),
        (Real(0.0, 0.5, step=0.1), 0.3, 0.3), (Real(0.0, 0.5, step=0.1), 0.31, 0.3),
        (Whole(64, 256, step=64), 128, 128),
        (Whole(64, 256, step=64), 130, 128), (Whole(64, 256, step=64), 1000, 256), (OptionRange((8, 16, 32)), 16, 16),
        (OptionRange((8, 16, 32)), 100, 32), (OptionRange((False, True)), True, True),
        (OptionRange(("a", "b")), "b", "b"), (OptionRange(("a", "b")), "c", "a"),
        (OptionRange(((1, 2), (1, 4))), (1, 4), (1, 4)), (OptionRange(((1, 2),)), (3,), (1, 2)),
    ],
)  # fmt: skip
def test_values_have_a_place_in_a_range_and_others_the_nearest(one, given, found):
    value = one.value(one.place(given))
    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize("recipe", TRAINED, **NAMED)
def test_every_recipe_lies_in_its_own_space(recipe):
    space = space_of(recipe)
    assert {"learning_rate", "weight_decay"} < set(space)
    again = at(recipe, space, point_of(recipe, space))
    # No decay has no place in a range of logarithms; its lower end does nothing either.
    assert again.training.weight_decay == max(recipe.training.weight_decay, 1e-11)
    assert again.with_values({"weight_decay": recipe.training.weight_decay}) == recipe


@pytest.mark.parametrize("recipe", TRAINED, **NAMED)
def test_whatever_is_proposed_makes_rows_of_the_size_of_the_recipe(recipe):
    search = Search(space_of(recipe), point_of(recipe, space_of(recipe)), False, 0)
    trials: list[Trial] = []
    for number in range(12):
        point = search.proposal(trials).point
        found = at(recipe, search.space, point)
        assert found.rows.keys() == recipe.rows.keys()
        for key in ("width", "hidden", "channels"):
            if key in search.space:
                assert 1 / 13 <= found.values()[key] / recipe.values()[key] <= 8
        trials.append(Trial(number, point, SCORED, float(number), (), 1, 0.0))


@pytest.mark.parametrize("recipe", [one for one in SMALL_RECIPES if one.training.steps], **NAMED)
@pytest.mark.parametrize("end", ["low", "high"])
def test_small_recipes_can_be_built_at_the_ends_of_their_space(recipe, end):
    def place(one):
        return one.names[0 if end == "low" else -1] if isinstance(one, OptionRange) else getattr(one, end)

    found = at(recipe, space_of(recipe), {key: place(one) for key, one in space_of(recipe).items()})
    model = built([f"G{i}" for i in range(20)], Vocabulary.from_conditions(CONDITIONS), found.rows)
    assert sum(parameter.numel() for parameter in model.parameters())


def test_what_does_nothing_and_what_is_fixed_is_not_searched():
    assert "adversary_weight" in space_of(recipe_named("cpa"))
    assert "adversary_weight" not in space_of(recipe_named("cpa-noadv"))
    assert "mask_prior" not in space_of(recipe_named("sams-vae-s"))
    assert "entropy" in space_of(recipe_named("fm-ot-tiny"))
    assert not {"entropy", "components"} & set(space_of(recipe_named("mlp-tiny")))
    assert "latent" not in space_of(recipe_named("latent"), {"latent"})
    with pytest.raises(SettingError, match="fixed by --set"):
        space_of(recipe_named("linear"), {"learning_rate", "weight_decay", "use_covariates"})
    with pytest.raises(SettingError, match="closed form"):
        space_of(recipe_named("ridge"))


def test_a_recipe_made_small_is_searched_small():
    large = recipe_named("mlp-1")
    assert space_of(large)["hidden"].low >= 1024
    assert space_of(adjusted(large, ["hidden=256"]))["hidden"].high <= 1024


SPACE = {"rate": Real(1e-6, 1.0, log=True), "layers": Whole(1, 9), "kind": OptionRange(("a", "b", "c"))}
START = {"rate": 1e-6, "layers": 9, "kind": "c"}


def loss(point):
    """0 at rate 1e-3, whatever the kind; layers matter little."""
    return (math.log10(point["rate"]) + 3) ** 2 + 0.001 * point["layers"]


def searched(search, count, score=loss, trials=()):
    """So many trials, each of which tells its score, times 1.5, halfway."""
    found = list(trials)
    while len(found) < count:
        proposal = search.proposal(found)
        value = score(proposal.point)
        stopped = proposal.told(0, 1.5 * value)
        state, final = (PRUNED, None) if stopped else (SCORED, value)
        found.append(Trial(len(found), proposal.point, state, final, (1.5 * value,), 1, 0.0))
    return found


def test_the_search_begins_with_the_start_and_comes_near_the_best_point():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trials = searched(Search(SPACE, START, False, 0), 60)
        shares = Search(SPACE, START, False, 0).importance(trials)
    assert trials[0].point == START
    best = ranked(trials, larger_is_better=False)[0]
    assert best.score < 0.1
    assert abs(math.log10(best.point["rate"]) + 3) < 0.3
    late = [abs(math.log10(trial.point["rate"]) + 3) for trial in trials[-20:]]
    assert np.median(late) < 1.0  # at random it were 1.5
    assert any(trial.state == PRUNED for trial in trials)
    assert next(iter(shares)) == "rate"
    assert shares["rate"] > 0.5
    assert sum(shares.values()) == pytest.approx(1.0)


def test_larger_may_be_better():
    trials = searched(Search(SPACE, START, True, 0), 40, lambda point: 100 - loss(point))
    assert ranked(trials, larger_is_better=True)[0].score > 99.5


def test_the_same_seed_proposes_the_same_and_another_does_not():
    one, same, other = (searched(Search(SPACE, START, False, seed), 25) for seed in (1, 1, 2))
    assert one == same
    assert one[0] == other[0]
    assert one[1:] != other[1:]


@pytest.mark.parametrize("stopped_at", [1, 7, 19])
def test_a_search_that_goes_on_proposes_what_it_would_have(stopped_at):
    whole = searched(Search(SPACE, START, False, 3), 25)
    assert searched(Search(SPACE, START, False, 3), 25, trials=whole[:stopped_at]) == whole


def test_a_training_worse_than_half_of_the_others_is_not_finished():
    search = Search(SPACE, START, False, 0)
    good = [Trial(i, search.start, SCORED, 1.0, (1.0 + i / 10, 1.0), 1, 0.0) for i in range(6)]
    assert search.proposal(good).told(0, 2.0)
    assert not search.proposal(good).told(0, 1.05)
    # Too few to compare with.
    assert not search.proposal(good[:3]).told(0, 2.0)


@pytest.mark.parametrize("state", [DIVERGED, FAILED])
def test_what_came_to_no_score_does_not_stop_the_search(state):
    search = Search(SPACE, START, False, 0)
    lost = [Trial(i, search.start, state, None, (1.0,), 1, 0.0, "why") for i in range(15)]
    assert set(search.proposal(lost).point) == set(SPACE)
    assert not search.importance(lost)


def test_the_sampler_keeps_away_from_where_trainings_diverge():
    def trials(state):
        found: list[Trial] = []
        search = Search(SPACE, START, False, 0)
        for number in range(40):
            point = search.proposal(found).point
            lost = point["rate"] > 1e-3
            score = None if lost else point["rate"]  # the best is far from there, the rest is chance
            found.append(Trial(number, point, state if lost else SCORED, score, (), 1, 0.0))
        return sum(trial.point["rate"] > 1e-3 for trial in found[20:])

    assert trials(DIVERGED) <= 5


def test_trials_survive_the_file():
    trial = Trial(3, {"rate": 0.1 + 0.2, "kind": "a"}, SCORED, 1 / 3, (0.1, 2 / 3), 7, 1.5)
    assert Trial.from_json(trial.to_json()) == trial
    for change in ({"state": "done"}, {"score": None}, {"early": None}, {"point": 3}, {"more": 1}, {"score": "1"}):
        with pytest.raises((DataError, ValueError)):
            Trial.from_json({**trial.to_json(), **change})


def test_the_standing_of_trials_that_came_to_no_score():
    def trial(number, state, score=None, early=()):
        return Trial(number, {}, state, score, early, 1, 0.0)

    far, near, near_and_better = trial(0, PRUNED, early=(1.0, 9.0)), trial(1, PRUNED, early=(2.0,)), trial(
        2, PRUNED, early=(1.5,)
    )  # fmt: skip
    lost, failed, scored = trial(3, DIVERGED), trial(4, FAILED), trial(5, SCORED, 99.0)
    everything = [lost, near, failed, near_and_better, far, scored]
    assert standing(everything, larger_is_better=False) == [scored, far, near_and_better, near, lost]
    assert standing(everything, larger_is_better=True) == [scored, far, near, near_and_better, lost]


def test_equals_rank_by_number_and_only_scored_ones():
    first = Trial(0, {}, SCORED, 1.0, (), 1, 0.0)
    others = [replace(first, number=1), replace(first, number=2, state=PRUNED, score=None)]
    assert [trial.number for trial in ranked([*others, first], larger_is_better=False)] == [0, 1]
