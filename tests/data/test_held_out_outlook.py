"""What is said of held-out conditions and cells, and of what no model can predict."""

import numpy as np
import pytest

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.held_out_outlook import of_conditions, outlook
from primeflow_core.data.splits import Split, held_out_split
from tests.tiny import cells, condition

A, B, C, AB, AC = condition("A"), condition("B"), condition("C"), condition("A", "B"), condition("A", "C")


def at(dose: float) -> Condition:
    return Condition((Perturbation("drug", dose),), ())


@pytest.mark.parametrize(
    ("held_out", "trained_on", "said"),
    [
        ([], [condition(), A], ("Nothing is held out from training.",)),
        (
            [AB], [condition(), A, B],
            (
                "1 of 1 held-out combination has every part alone in training, in the same context.",
                "A model can predict 1 of 1 held-out condition: training has every part, in some context.",
            ),
        ),
        (
            [AB, AC], [condition(), A, B],
            (
                "1 of 2 held-out combinations has every part alone in training, in the same context.",
                "A model can predict 1 of 2 held-out conditions: training has every part, in some context.",
                "No model can predict the held-out A+C (k562): training has no cell of C.",
            ),
        ),
        ([C], [condition(), A], ("No model can predict the held-out C (k562): training has no cell of C.",)),
        ([at(10)], [at(1)], ("No model can predict the held-out drug@10: training has no dose so high.",)),
    ],
)  # fmt: skip
def test_sentences_count_what_a_model_can_predict(held_out, trained_on, said):
    assert of_conditions(held_out, trained_on).sentences == said


def test_a_context_that_training_lacks_is_named():
    elsewhere = Condition((Perturbation("A"),), (("cell_type", "hela"),))
    found = of_conditions([elsewhere], [condition(), A])
    assert found.refusal == "No model can predict the held-out A (hela): training has no cell of hela."


def test_there_is_a_refusal_only_where_nothing_can_be_predicted():
    assert of_conditions([AB, AC], [A, B]).refusal == ""
    assert of_conditions([], [A]).refusal == ""
    assert "C" in of_conditions([AC], [A, B]).refusal


def test_cells_of_seen_conditions_are_counted_for_each_part():
    data = cells(per_condition=20)
    parts = np.where(np.arange(80) % 4 == 0, "test", np.where(np.arange(80) % 4 == 1, "val", "train"))
    (sentence,) = outlook(data, Split(data.names, parts)).sentences
    assert sentence.startswith("Cells of conditions that training sees too are held out (15 in val, 15 in test): ")
    whole = outlook(data, held_out_split(data, {AB: "test"}, seed=0))
    assert whole.predictable == (AB,)
    assert not any(whole.seen_cells.values())
