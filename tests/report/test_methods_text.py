"""The methods paragraph: every fact that somebody needs to repeat the result, and no promise."""

from dataclasses import replace

from primeflow_core.models.sampling_plan import STUDENT, SamplingPlan
from primeflow_core.report.methods_text import HYPOTHESES, methods_paragraph
from tests.pinned import OTHER_PAIR, finding, origin
from tests.tiny import condition


def told(*origins) -> str:
    return methods_paragraph([finding(origins=origins)])


def test_model_data_and_licence_are_named():
    text = told(origin())
    for fact in (
        "k562-pairs", "unet-tiny", "21 November 2026", "training seed 3", "2 genes", "4 conditions of k562",
        "Norman et al. (2019)", "licence BSD-3-Clause", "ab12" * 16, "cd34" * 16,
        "2 conditions were held out of training (1 of them to choose settings by): B+C (k562), A+B (k562)",
        "A+B in k562 (200 cells; held out; each part seen alone, the combination was not)",
    ):  # fmt: skip
        assert fact in text
    assert "SIMULATED" not in text


def test_sampling_is_in_plain_words():
    assert "in 100 steps by solving the model's flow by Euler's method, seed 7, with guidance weight 1" in told(
        origin()
    )
    stronger = told(origin(plan=SamplingPlan(STUDENT, 1, 3.0, zeros="smallest")))
    assert "in 1 step by a smaller network" in stronger
    assert "guidance weight 3, above 1, which exaggerates the response" in stronger
    assert "smallest value above 0" in stronger


def test_simulated_cells_are_called_so():
    text = told(origin(dataset="simulated-screen", simulated=True))
    assert "These cells are SIMULATED" in text
    assert "(97 SIMULATED cells)" in text


def test_somebodys_own_file_has_no_citation():
    text = told(replace(origin(dataset="mine.h5ad"), measured_in="yours.h5ad"))
    assert "the file mine.h5ad (the user's own; sha256" in text
    assert "97 cells of the file yours.h5ad" in text


def test_floor_and_ceiling_are_defined_where_something_was_measured():
    assert "floor, control cells offered as the prediction, and a ceiling" in told(origin())
    assert "floor" not in told(origin(measured=0))
    assert "ever measured" in told(origin(measured=0))


def test_each_way_of_sampling_is_told_once():
    other = SamplingPlan("midpoint", 5)
    text = told(origin(), origin(OTHER_PAIR), origin(condition("A"), other), origin())
    assert text.count("Predicted were") == 2
    assert text.count("A+B in k562 (200 cells") == 1
    assert "A+B in k562 (200 cells; held out; each part seen alone, the combination was not); B+C in k562" in text


def test_what_is_special_to_a_finding_is_said_once():
    special = replace(finding(), methods="Interaction was scored against the sum.")
    assert methods_paragraph([special, replace(special, title="2")]).count("Interaction was scored") == 1


def test_predictions_are_hypotheses_and_versions_are_named():
    for text in (told(origin()), methods_paragraph([])):
        assert HYPOTHESES in text
        assert "PRiMeFlow 0." in text
        assert "torch" in text
