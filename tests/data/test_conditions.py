import math

import numpy as np
import pytest

from primeflow_core.data.conditions import (
    Condition,
    Novelty,
    Perturbation,
    Vocabulary,
    novelty,
    parse_perturbations,
    split_label,
)
from primeflow_core.errors import ConditionError

K562 = (("cell_type", "k562"),)
HAP1 = (("cell_type", "hap1"),)


def of(label, covariates=K562):
    return Condition(parse_perturbations(label), covariates)


def vocabulary():
    labels = ("control", "KLF1", "MAP2K6", "KLF1+MAP2K6", "drug@0.5", "drug@10")
    return Vocabulary.from_conditions([*(of(label) for label in labels), of("KLF1", HAP1)])


@pytest.mark.parametrize(
    ("label", "separator", "control", "expected"),
    [
        ("control", "+", "control", ()),
        ("B+A", "+", "control", ("A", "B")),
        ("A + B", "+", "control", ("A", "B")),
        ("A+ctrl", "+", "ctrl", ("A",)),
        ("ctrl+A", "+", "ctrl", ("A",)),
        ("A+B", None, "control", ("A+B",)),
        ("A_B", "_", "control", ("A", "B")),
        ("(+)-JQ1", "+", "control", ("(+)-JQ1",)),
        ("(+)-JQ1+KLF1", "+", "control", ("(+)-JQ1", "KLF1")),
        ("C[S+](C)[O-]", "+", "control", ("C[S+](C)[O-]",)),
        ("A(+B", "+", "control", ("A(", "B")),
        ("drug@0.1+A", "+", "control", ("A", "drug@0.1")),
    ],
)
def test_labels_are_read_into_sorted_parts(label, separator, control, expected):
    parts = parse_perturbations(label, separator=separator, control=control)
    assert tuple(part.label for part in parts) == expected


@pytest.mark.parametrize(("text", "dose"), [("d@0.1", 0.1), ("d@1e-3", 0.001), ("d@2E2", 200.0), ("d", None)])
def test_a_dose_is_read_from_the_label(text, dose):
    assert parse_perturbations(text) == (Perturbation("d", dose),)


def test_a_text_after_the_at_sign_that_is_no_number_belongs_to_the_name():
    assert parse_perturbations("d@high") == (Perturbation("d@high"),)


@pytest.mark.parametrize("label", ["A++B", "A+", "+A", ""])
def test_an_empty_part_is_refused(label):
    with pytest.raises(ConditionError, match="has an empty part"):
        parse_perturbations(label)


def test_the_same_perturbation_twice_is_refused():
    with pytest.raises(ConditionError, match="You chose KLF1 twice in 'KLF1\\+KLF1'"):
        parse_perturbations("KLF1+KLF1")


def test_split_label_keeps_the_order_of_the_label():
    assert split_label("Z+(a+b)+C", "+") == ["Z", "(a+b)", "C"]


def test_a_condition_knows_its_parts_control_and_label():
    pair = of("MAP2K6+KLF1")
    assert pair.label == "KLF1+MAP2K6"
    assert pair == of("KLF1+MAP2K6")
    assert pair.parts == (of("KLF1"), of("MAP2K6"))
    assert pair.control().is_control
    assert pair.control().label == "control"
    assert Condition((), (("cell_type", "k562"), ("treatment", "none"))).context == "k562 · none"


@pytest.mark.parametrize("label", ["control", "KLF1", "drug@0.5+KLF1"])
def test_a_condition_survives_json(label):
    assert Condition.from_json(of(label).to_json()) == of(label)


def test_the_vocabulary_is_sorted_and_keeps_the_highest_dose():
    found = vocabulary()
    assert found.perturbations == ("KLF1", "MAP2K6", "drug")
    assert found.highest_dose == (None, None, 10.0)
    assert found.covariates == (("cell_type", ("hap1", "k562")),)
    assert found.size == 5


def test_a_combination_is_the_sum_of_its_parts_and_control_has_no_perturbation():
    control, klf1, map2k6, pair = vocabulary().encode([of("control"), of("KLF1"), of("MAP2K6"), of("KLF1+MAP2K6")])
    np.testing.assert_array_equal(control, [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(pair - control, (klf1 - control) + (map2k6 - control))


def test_the_encoding_does_not_depend_on_the_batch():
    conditions = [of("KLF1"), of("control"), of("KLF1", HAP1), of("KLF1")]
    together = vocabulary().encode(conditions)
    alone = np.concatenate([vocabulary().encode([condition]) for condition in conditions])
    np.testing.assert_array_equal(together, alone)
    assert together.dtype == np.float32


def test_the_highest_dose_counts_as_one_and_lower_doses_by_their_logarithm():
    encoded = vocabulary().encode([of("drug@10"), of("drug@0.5")])[:, 2]
    np.testing.assert_allclose(encoded, [1.0, math.log1p(0.5) / math.log1p(10)], rtol=1e-6)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (of("KLF2"), "KLF2 is not a perturbation this model knows. Did you mean KLF1"),
        (of("klf1"), "Did you mean KLF1"),
        (of("drug"), "drug needs a dose above 0 and up to 10"),
        (of("drug@0"), "drug needs a dose above 0"),
        (of("drug@11"), "measured up to dose 10; 11 is beyond"),
        (of("KLF1@1"), "KLF1 has no doses in the training data; leave out @1"),
        (of("KLF1", (("cell_type", "A172"),)), "'A172' is not a cell_type this model knows. It knows: hap1, k562"),
        (of("KLF1", ()), "needs the covariates cell_type; got none"),
    ],
)
def test_what_the_vocabulary_does_not_know_is_named(condition, message):
    with pytest.raises(ConditionError, match=message):
        vocabulary().encode([condition])


def test_conditions_with_other_covariate_columns_do_not_make_a_vocabulary():
    with pytest.raises(ConditionError, match="same covariate columns"):
        Vocabulary.from_conditions([of("A"), of("A", (("line", "k562"),))])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("KLF1", Novelty.SEEN),
        ("control", Novelty.SEEN),
        ("KLF1+MAP2K6", Novelty.PARTS_SEEN),
        ("KLF1+CNN1", Novelty.PART_ELSEWHERE),
        ("MAPK1", Novelty.PART_ELSEWHERE),
        ("KLF1+XYZ", Novelty.PART_UNSEEN),
    ],
)
def test_novelty_says_how_far_a_condition_is_from_training(asked, expected):
    assert novelty(of(asked), [of("KLF1"), of("MAP2K6"), of("CNN1+MAPK1")]) is expected


def test_a_perturbation_in_another_context_is_not_seen():
    assert novelty(of("KLF1", HAP1), [of("KLF1")]) is Novelty.PART_ELSEWHERE
