"""What is held out of somebody's cells: nothing leaks, the model can be asked for it, small and large files work."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from primeflow_core.data import holdout
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Novelty, Perturbation, Vocabulary, novelty
from primeflow_core.data.holdout import HoldoutKind, hold_out
from primeflow_core.data.split_file import LEFT_OUT, TEST, TRAIN, VAL
from primeflow_core.errors import DataError
from tests.tiny import cells, condition


def screen(conditions: list[Condition], per_condition: int = 40) -> Cells:
    condition_of = np.repeat(np.arange(len(conditions)), per_condition)
    names = np.array([f"cell{i}" for i in range(len(condition_of))])
    return Cells(
        np.ones((len(names), 3), np.float32),
        ("X", "Y", "Z"),
        names,
        tuple(conditions),
        condition_of,
        source="mine.h5ad",
    )


def in_context(context: str, *parts: str, dose: float | None = None) -> Condition:
    return Condition(tuple(Perturbation(name, dose) for name in parts), (("cell_type", context),))


def checked_fairly(data: Cells, seed: int = 0) -> tuple[Condition, ...]:
    """Held-out conditions, after checking that training never meets them and can be asked for each."""
    found = hold_out(data, seed=seed)
    assert found.kind is HoldoutKind.CONDITIONS
    assert found.split.leaks(data) == ()
    trained_on = found.split.conditions(data, TRAIN)
    assert all(Vocabulary.from_conditions(trained_on).knows(c) for c in found.checked)
    assert Novelty.PART_UNSEEN not in {novelty(c, trained_on) for c in found.checked}
    return found.checked


def test_combinations_of_seen_singles_go_first():
    singles = [condition(name) for name in "ABCDE"]
    pairs = [condition("A", "B"), condition("A", "C"), condition("B", "E"), condition("A", "unseen")]
    for seed in range(5):
        checked = checked_fairly(screen([condition(), *singles, *pairs]), seed)
        assert len(checked) == 1
        assert set(checked) <= set(pairs[:3])


def test_in_several_contexts_a_perturbation_is_held_out_in_one_of_them():
    data = screen([in_context(context, *parts) for context in ("k562", "a172") for parts in ([], ["A"], ["B"], ["C"])])
    for seed in range(10):
        names = [c.label for c in checked_fairly(data, seed)]
        assert len(names) == len(set(names)) == 2


def test_the_highest_dose_stays_in_training():
    data = screen([in_context("k562"), *(in_context("k562", "drug", dose=dose) for dose in (0.1, 1.0, 10.0))])
    for seed in range(5):
        assert {c.perturbations[0].dose for c in checked_fairly(data, seed)} <= {0.1, 1.0}


def test_controls_of_each_context_take_part_everywhere():
    data = screen([in_context(context, *parts) for context in ("k562", "a172") for parts in ([], ["A"], ["B"], ["C"])])
    parts = hold_out(data).split.part_of(data)
    for context in ("k562", "a172"):
        assert Counter(parts[data.where(in_context(context))]) == {TRAIN: 20, VAL: 10, TEST: 10}


def test_where_no_condition_can_be_asked_for_cells_are_held_out_and_it_says_so():
    data = screen([condition(), condition("A"), condition("B"), condition("C")])
    found = hold_out(data)
    assert found.kind is HoldoutKind.CELLS
    parts = found.split.part_of(data)
    assert all(Counter(parts[data.where(c)])[TEST] == 8 for c in found.checked)
    assert set(found.split.conditions(data, TRAIN)) == set(data.conditions)
    assert "not whether it predicts new ones" in found.sentence
    with pytest.raises(DataError, match="Hold out a share of the cells instead"):
        hold_out(data, HoldoutKind.CONDITIONS)


def test_conditions_are_named_in_the_sentence():
    assert hold_out(cells()).sentence == "Held out: 1 condition that training never sees: A+B (k562)."


def test_cells_can_be_held_out_though_conditions_could_be():
    assert hold_out(cells(per_condition=40), HoldoutKind.CELLS).kind is HoldoutKind.CELLS


def test_two_conditions_are_both_needed_for_training():
    assert hold_out(screen([condition(), condition("A"), condition("A", "B")])).kind is HoldoutKind.CELLS


@pytest.mark.parametrize("data", [screen([condition(), condition("A")], 15), screen([condition("A")]), cells(5)])
def test_too_few_cells_to_check_with_are_refused(data):
    with pytest.raises(DataError, match="too few cells to check a model with"):
        hold_out(data)


def test_large_files_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(holdout, "MOST_CELLS", {TRAIN: 30, VAL: 8, TEST: 10})
    data = cells(per_condition=40)
    data = replace(data, condition_of=np.where(np.arange(160) < 100, 0, data.condition_of))
    split = hold_out(data).split
    counts = Counter(split.part_of(data))
    assert (counts[TRAIN], counts[VAL], counts[TEST]) == (30, 8, 10)
    assert counts[LEFT_OUT] == 160 - 48
    of_train = Counter(data.condition_of[split.indices(data, TRAIN)])
    assert of_train == {0: 10, 1: 10, 2: 10} or max(of_train.values()) - min(of_train.values()) <= 1


def test_the_same_seed_holds_out_the_same_cells():
    one, same, other = (hold_out(cells(40), seed=seed).split.parts for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
