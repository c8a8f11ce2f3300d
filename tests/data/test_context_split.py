"""Splits for small designs: nothing leaks, controls are everywhere, and validation comes from another context."""

from collections import Counter

import numpy as np
import pytest

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.context_split import cells_split, transfer, transferable_contexts
from primeflow_core.data.split_file import PARTS, TEST, TRAIN, VAL
from primeflow_core.data.splits import held_out, transfer_split
from primeflow_core.errors import DataError


def cells_of(labels_of: dict[str, tuple[str, ...]], each: int = 100, control: bool = True) -> Cells:
    """Cells of {context: labels}, ``each`` a condition, with as many controls in each context."""
    conditions = tuple(
        Condition(parse_perturbations(label), (("donor", context),))
        for context, labels in labels_of.items()
        for label in (*(["control"] if control else []), *labels)
    )
    condition_of = np.repeat(np.arange(len(conditions)), each)
    names = np.array([f"c{i}" for i in range(len(condition_of))])
    return Cells(np.zeros((len(names), 1), np.float32), ("g",), names, conditions, condition_of, source="mine.h5ad")


def donors(count: int, *labels: str) -> Cells:
    return cells_of({f"donor_{i}": labels or ("drug",) for i in range(count)})


def held_in(cells: Cells, split, part: str) -> list[str]:
    return [one.condition.context for one in held_out(cells, split) if one.part == part]


@pytest.mark.parametrize("count", [4, 5, 8])
@pytest.mark.parametrize("seed", range(5))
def test_one_drug_in_four_contexts_or_more_is_tested_in_one_and_validated_in_another(count, seed):
    cells = donors(count)
    split = transfer(cells, seed, 0.3)
    test, val = held_in(cells, split, TEST), held_in(cells, split, VAL)
    assert len(test) == len(val) == 1
    assert test != val
    assert split.leaks(cells) == ()
    trained = [c.context for c in split.conditions(cells, TRAIN) if not c.is_control]
    assert len(trained) == count - 2


@pytest.mark.parametrize("count", [2, 3])
def test_with_fewer_contexts_validation_is_a_share_of_the_cells_of_training_conditions(count):
    cells = donors(count)
    split = transfer(cells, 0, 0.3)
    assert len(held_in(cells, split, TEST)) == 1
    assert held_in(cells, split, VAL) == []
    of_val = Counter(c.label for c in cells.condition_list(split.indices(cells, VAL)) if not c.is_control)
    assert of_val == {"drug": 10 * (count - 1)}
    tested = {one.condition for one in held_out(cells, split)}
    assert not tested & set(split.conditions(cells, TRAIN))
    assert not tested & set(split.conditions(cells, VAL))


@pytest.mark.parametrize("cells", [donors(5), donors(2), donors(3, "a", "b")])
def test_every_part_has_controls_of_every_context_and_each_cell_has_one_part(cells):
    for split in (transfer(cells, 1, 0.3), cells_split(cells, 1)):
        for part in PARTS:
            controls = {c.context for c in split.conditions(cells, part) if c.is_control}
            assert controls == {c.context for c in cells.conditions}
        assert set(split.parts.tolist()) <= set(PARTS)


def test_each_context_can_be_held_out_in_turn():
    cells = donors(5)
    for context in transferable_contexts(cells.conditions):
        assert held_in(cells, transfer(cells, 0, 0.3, context), TEST) == [context]


def test_a_context_where_nothing_can_be_held_out_is_refused_with_those_that_can():
    cells = cells_of({"d1": ("drug",), "d2": ("drug",), "d3": ("other",)})
    with pytest.raises(DataError, match=r"held out in the context 'd3' of mine\.h5ad\. It can in: d1, d2\."):
        transfer(cells, 0, 0.3, "d3")


def test_a_perturbation_of_one_context_only_stays_in_training():
    cells = cells_of({"d1": ("drug", "own"), "d2": ("drug",)})
    tested = {one.condition.label for one in held_out(cells, transfer(cells, 0, 0.3, "d1"))}
    assert tested == {"drug"}


def test_what_only_two_contexts_share_is_not_taken_from_both():
    shared = {"d1": ("drug", "rare"), "d2": ("drug", "rare"), "d3": ("drug",), "d4": ("drug",)}
    cells = cells_of(shared)
    for context in shared:
        split = transfer(cells, 0, 0.3, context)
        trained = {c.label for c in split.conditions(cells, TRAIN) if not c.is_control}
        assert trained == {"drug", "rare"}


def test_perturbenchs_rule_is_kept_where_it_holds():
    labels = tuple("ABCDEFGH")
    cells = cells_of({context: labels for context in ("k562", "hap1", "a549")}, each=4)
    np.testing.assert_array_equal(transfer(cells, 7, 0.3).parts, transfer_split(cells, 7, 0.3).parts)


@pytest.mark.parametrize(
    "cells", [cells_of({"d1": ("a", "b")}), cells_of({"d1": ("a",), "d2": ("b",)}), cells_of({"d": ("a",)}, 20)]
)
def test_without_a_shared_perturbation_nothing_can_be_transferred(cells):
    with pytest.raises(DataError, match="no perturbation in two contexts with control cells"):
        transfer(cells, 0, 0.3)


def test_a_context_without_controls_is_not_chosen():
    cells = cells_of({"d1": ("a",), "d2": ("a",), "d3": ("a",)})
    bare = tuple(c for c in cells.conditions if not (c.is_control and c.context == "d3"))
    assert transferable_contexts(bare) == ("d1", "d2")


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.4])
def test_a_share_of_the_cells_of_every_condition_is_held_out(fraction):
    cells = cells_of({"k562": ("A", "B", "A+B")}, each=200)
    split = cells_split(cells, 3, fraction)
    for i, condition in enumerate(cells.conditions):
        counts = Counter(split.parts[cells.condition_of == i].tolist())
        shares = (0.25, 0.25) if condition.is_control else (fraction / 2, fraction)
        assert [counts[VAL], counts[TEST]] == [int(share * 200) for share in shares]
    assert held_out(cells, split) == ()
    assert len(split.leaks(cells)) == 3


def test_a_condition_of_few_cells_stays_in_training_whole():
    cells = cells_of({"k562": ("A", "B")}, each=100)
    few = cells.subset(np.flatnonzero((cells.condition_of != 2) | (np.arange(300) < 230)))
    split = cells_split(few, 0)
    assert set(split.parts[few.condition_of == 2].tolist()) == {TRAIN}
    with pytest.raises(DataError, match="no condition with cells enough: each part takes 8"):
        cells_split(cells_of({"k562": ("A",)}, each=30), 0)


@pytest.mark.parametrize("task", [lambda cells, seed: transfer(cells, seed, 0.3), cells_split])
def test_the_same_seed_gives_the_same_split_and_another_seed_another(task):
    cells = donors(5)
    np.testing.assert_array_equal(task(cells, 3).parts, task(cells, 3).parts)
    assert (task(cells, 3).parts != task(cells, 4).parts).any()
