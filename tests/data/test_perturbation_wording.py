"""The words for what was done to cells."""

import numpy as np
import pytest

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.perturbation_wording import action_of, actions, described, done_elsewhere, kind_of

K562, A172 = (("cell_type", "k562"),), (("cell_type", "A172"),)
ROWS = (
    ("control", K562, "CRISPRa"), ("KLF1", K562, "CRISPRa"), ("KLF1+drug_03@10", K562, "CRISPRa and drug"),
    ("drug_03@10", K562, "drug"), ("TGFBR2", A172, "CRISPRi"), ("KLF1+MAP2K6", K562, "CRISPRa"),
)  # fmt: skip
CONDITIONS = tuple(Condition(parse_perturbations(label), where) for label, where, _ in ROWS)
CELLS = Cells(
    np.zeros((6, 1), np.float32), ("g",), np.arange(6).astype(str), CONDITIONS, np.arange(6),
    kinds=tuple(kind for *_, kind in ROWS),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("CRISPRa", "switching up"), ("CRISPRi", "switching down"), ("simulated switch down", "switching down"),
        ("CRISPR knockout", "knocking out"), ("simulated drug", "treating with"), ("", "perturbing"),
    ],
)  # fmt: skip
def test_kinds_become_verbs(kind, action):
    assert action_of(kind) == action


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("KLF1", "switching up KLF1"),
        ("KLF1+MAP2K6", "switching up KLF1 and MAP2K6"),
        ("KLF1+MAP2K6+drug_03@10", "switching up KLF1 and MAP2K6 and treating with drug_03 at dose 10"),
        ("XYZ", "perturbing XYZ"),
        ("control", "no perturbation"),
    ],
)
def test_a_condition_in_words(label, words):
    assert described(Condition(parse_perturbations(label), K562), actions(CELLS, K562)) == words


def test_what_a_part_does_is_read_from_where_it_was_alone():
    assert actions(CELLS, K562) == {"KLF1": "switching up", "drug_03": "treating with", "MAP2K6": "switching up"}
    assert actions(None, K562) == {}


def test_another_direction_in_another_context_is_said():
    asked = Condition(parse_perturbations("TGFBR2"), K562)
    assert done_elsewhere(CELLS, asked)[0].startswith("TGFBR2 was switched down in A172. In k562 the model only knows ")
    assert done_elsewhere(CELLS, CONDITIONS[1]) == ()
    assert done_elsewhere(None, asked) == ()


@pytest.mark.parametrize(
    ("label", "kind"), [("KLF1", "CRISPRa"), ("KLF1+drug_03@10", "CRISPRa and drug"), ("MAP2K6+drug_03@10", "drug")]
)
def test_kinds_as_the_data_name_them(label, kind):
    assert kind_of(CELLS, Condition(parse_perturbations(label), K562)) == kind
