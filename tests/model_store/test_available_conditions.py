"""What can be asked of a model: standings, resolving names, refusals in words."""

from dataclasses import replace

import pytest

from primeflow_core.data.conditions import Condition, Novelty, Perturbation, Vocabulary, novelty
from primeflow_core.data.layout import Layout
from primeflow_core.errors import ConditionError
from primeflow_core.model_store.available_conditions import Catalogue, Standing
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan

K562, A172 = (("cell_type", "k562"),), (("cell_type", "A172"),)


def of(*names: str, context: tuple[tuple[str, str], ...] = K562) -> Condition:
    parts = [Perturbation(name.split("@")[0], float(name.split("@")[1]) if "@" in name else None) for name in names]
    return Condition(tuple(sorted(parts, key=lambda part: part.name)), context)


TRAINED = (
    of(), of("KLF1"), of("MAPK14"), of("CNN1", "KLF1"), of("drug@1"), of("drug@10"),
    of(context=A172), of("TGFBR2", context=A172),
)  # fmt: skip
HELD_OUT = (of("KLF1", "MAPK14"), of("KLF1", "NEVER"))


def manifest(trained: tuple[Condition, ...] = TRAINED) -> Manifest:
    return Manifest(
        "m", "2026-11-21T00:00:00+00:00", "tiny", {}, ("g",), Vocabulary.from_conditions(trained), Layout(), trained,
        (), HELD_OUT, "screen", "", False, SamplingPlan(), 0, None, {},
    )  # fmt: skip


CATALOGUE = Catalogue(manifest())


@pytest.mark.parametrize(
    ("condition", "standing"),
    [
        (of("KLF1"), Standing.TRAINED),
        (of("KLF1", "MAPK14"), Standing.HELD_OUT),
        (of("MAPK14", "drug@1"), Standing.PARTS_SEEN),
        (of("CNN1"), Standing.PART_ELSEWHERE),
        (of("TGFBR2"), Standing.PART_ELSEWHERE),
        (of("OTHER"), Standing.PART_UNSEEN),
    ],
)
def test_standing(condition, standing):
    assert CATALOGUE.standing(condition) is standing


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (of("KLF1"), Novelty.SEEN),
        (of("MAPK14", "drug@1"), Novelty.PARTS_SEEN),
        (of("CNN1"), Novelty.PART_ELSEWHERE),
        (of("OTHER"), Novelty.PART_UNSEEN),
        (of(), Novelty.SEEN),
    ],
)
def test_standing_and_novelty_say_the_same(condition, told):
    same = {
        Standing.TRAINED: Novelty.SEEN,
        Standing.PARTS_SEEN: Novelty.PARTS_SEEN,
        Standing.PART_ELSEWHERE: Novelty.PART_ELSEWHERE,
        Standing.PART_UNSEEN: Novelty.PART_UNSEEN,
    }
    assert novelty(condition, TRAINED) is told
    assert same[CATALOGUE.standing(condition)] is told


def test_choices_come_best_known_first_and_in_words():
    labels = [choice.label for choice in CATALOGUE.choices(K562)]
    assert labels[:3] == [
        "drug · measured, in training", "KLF1 · measured, in training", "MAPK14 · measured, in training",
    ]  # fmt: skip
    assert labels[3:] == ["CNN1 · one part never seen alone here", "TGFBR2 · one part never seen alone here"]


def test_choices_for_a_second_box_speak_of_the_pair():
    choices = {choice.name: choice.standing for choice in CATALOGUE.choices(K562, [Perturbation("KLF1")])}
    assert choices["MAPK14"] is Standing.HELD_OUT
    assert choices["CNN1"] is Standing.TRAINED
    assert choices["drug"] is Standing.PARTS_SEEN
    assert choices["KLF1"] is Standing.CHOSEN


def test_contexts_are_those_that_were_measured():
    assert CATALOGUE.contexts() == (A172, K562)


@pytest.mark.parametrize(("name", "doses"), [("drug", (1.0, 10.0)), ("KLF1", ())])
def test_doses(name, doses):
    assert CATALOGUE.doses(name, K562) == doses
    assert CATALOGUE.doses(name, A172) == doses


@pytest.mark.parametrize("typed", ["KLF1", "klf1", " Klf1 "])
def test_names_are_found_in_any_case(typed):
    assert CATALOGUE.resolve(typed) == "KLF1"


@pytest.mark.parametrize("typed", ["csbp1", "PRKM14", "ENSG00000112062", "ensg00000112062.11"])
def test_names_are_found_by_what_else_the_gene_is_called(typed):
    assert CATALOGUE.resolve(typed) == "MAPK14"


def test_a_choice_says_what_else_the_gene_is_called_while_that_is_short():
    also = {choice.name: choice.also for choice in CATALOGUE.choices(K562)}
    assert also["MAPK14"] == "also called PRKM14, p38, Mxi2"
    assert also["drug"] == ""


def test_suggestions_are_names_that_resolve():
    assert CATALOGUE.suggestions("p38") == ("MAPK14",)
    assert CATALOGUE.suggestions("MAPK14B") == ("MAPK14",)
    assert CATALOGUE.suggestions("qqqqqq") == ()


def test_an_unknown_name_is_answered_with_what_the_context_has():
    with pytest.raises(ConditionError, match=r"Did you mean MAPK14\? It knows 4 in k562 \(see the list\)"):
        CATALOGUE.resolve("MAPK14B", K562)
    with pytest.raises(ConditionError, match=r"It knows 1 in A172"):
        CATALOGUE.resolve("MAPK14B", A172)


@pytest.mark.parametrize(("typed", "said"), [("TP53", r"^TP53 is not"), ("p53", r"^p53 \(TP53\) is not")])
def test_another_gene_is_named_and_not_taken_for_a_typing_error(typed, said):
    with pytest.raises(ConditionError, match=said + r" a perturbation this model knows\. It knows 5"):
        CATALOGUE.resolve(typed)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "MAPK14B",
            r"MAPK14B is not a perturbation this model knows\. Did you mean MAPK14\? It knows 5 \(see the list",
        ),
        ("qqqqqq", r"^qqqqqq is not a perturbation this model knows\. It knows 5"),
        ("NEVER", r"NEVER was held out of training: the model never saw a cell of it and cannot predict it\."),
    ],
)
def test_unknown_names_are_answered_in_words(typed, message):
    with pytest.raises(ConditionError, match=message):
        CATALOGUE.resolve(typed)


def test_parts_become_a_condition_in_any_order():
    parts = [Perturbation("MAPK14"), Perturbation("KLF1")]
    assert CATALOGUE.condition(parts, K562) == of("KLF1", "MAPK14")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "Choose a perturbation: the first box is empty"),
        (("KLF1", "KLF1"), r"You chose KLF1 twice\. Leave the second box empty for a single perturbation\."),
        (("KLF1", "CNN1", "KLF1"), r"You chose KLF1 twice\. Leave the other box empty for a smaller combination\."),
        (("XYZ",), r"XYZ was never measured\. The model cannot predict it\."),
        (("drug",), "drug needs a dose above 0"),
    ],
)
def test_what_cannot_be_asked_is_said(names, message):
    with pytest.raises(ConditionError, match=message):
        CATALOGUE.condition([Perturbation(name) for name in names], K562)


def test_it_says_where_a_part_was_met():
    assert CATALOGUE.seen_elsewhere(of("CNN1", "KLF1", "TGFBR2")) == (
        "CNN1 was not seen alone in k562; it was seen in CNN1+KLF1.",
        "TGFBR2 was not seen alone in k562; it was seen in A172 only.",
    )


def test_data_without_covariates_have_one_nameless_context():
    plain = Catalogue(replace(manifest((Condition(()), Condition((Perturbation("KLF1"),)))), tested_on=()))
    assert plain.contexts() == ((),)
    assert plain.choices(())[0].standing is Standing.TRAINED
