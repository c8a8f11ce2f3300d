import pandas as pd
import pytest

from primeflow_core.data.h5ad.condition_parsing import condition_table
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.wishes import Wishes


def read(cells_of, **wishes):
    """The cells of each condition, the layout and the problems of a file with so many cells of each label."""
    obs = pd.DataFrame({"condition": [label for label, cells in cells_of.items() for _ in range(cells)]})
    found = find_layout(obs, Wishes(**wishes))
    problems = list(found.problems)
    if found.layout is None:
        return {}, None, problems
    table = condition_table(obs, found.layout, problems)
    cells = dict.fromkeys((condition.label for condition in table.conditions), 0)
    for i in table.condition_of:
        cells[table.conditions[i].label] += 1
    return cells, found.layout, problems


def of_code(problems, code):
    return next(str(problem) for problem in problems if problem.code == code)


PLENTY = {"A": 30, "B": 30}


@pytest.mark.parametrize(
    ("labels", "control"),
    [
        ({"control": 20, "Control": 20, "CONTROL": 20}, "control"),
        ({"non-targeting": 20, "non-targeting_00001": 20, "Non Targeting 2": 20}, "non-targeting"),
        ({"NegCtrl0": 20, "NegCtrl1": 20, "neg_ctrl_7": 20}, "neg_ctrl_7"),
        ({"DMSO": 40, "Dimethyl Sulfoxide": 20}, "DMSO"),
        ({"NTC": 20, "sgNTC-1": 20, "non-targeting": 20}, "non-targeting"),
    ],
)
def test_one_control_under_several_labels_is_one_and_all_are_named(labels, control):
    cells, layout, problems = read({**labels, **PLENTY})
    assert cells == {"control": 60, **PLENTY}
    assert layout.control == control
    told = of_code(problems, "joined-controls")
    assert all(f"{label} ({count})" in told for label, count in labels.items())


@pytest.mark.parametrize(
    "label",
    ["NTC", "sgNTC", "NegCtrl", "neg_control", "AAVS1", "safe_harbor", "intergenic", "WT", "EV", "Dimethyl Sulfoxide",
     "GFP", "NT", "DMSO_TF", "Vehicle", "Unstimulated", "ctl_untrt"],
)  # fmt: skip
def test_a_published_label_of_control_is_known(label):
    assert read({label: 20, **PLENTY})[0] == {"control": 20, **PLENTY}


@pytest.mark.parametrize("label", ["AAVS1", "GFP", "WT"])
def test_a_label_that_may_be_a_perturbation_is_doubted_and_never_taken_beside_a_surer_one(label):
    assert f"{label} (20) is taken as the control" in of_code(read({label: 20, **PLENTY})[2], "unsure-control")
    cells, layout, problems = read({label: 20, "control": 25, **PLENTY})
    assert (cells["control"], cells[label], layout.control) == (25, 20, "control")
    assert f"{label} (20) could be one too" in of_code(problems, "several-controls")


@pytest.mark.parametrize("labels", [{"GFP": 20, "WT": 20}, {"None": 20}, {"Negative": 20}])
def test_where_two_or_a_word_for_nothing_could_be_meant_the_user_is_asked(labels):
    _, layout, problems = read({**labels, **PLENTY})
    assert layout is None
    asked = of_code(problems, "no-control")
    assert all(f"{label} (20)" in asked for label in labels)
    for label in labels:
        assert read({**labels, **PLENTY}, control=label)[0]["control"] == 20


def test_two_sure_controls_that_differ_are_told_with_counts_and_joined_on_request():
    labels = {"DMSO": 20, "untreated": 15, **PLENTY}
    assert "untreated (15) could be one too" in of_code(read(labels)[2], "several-controls")
    assert "--control 'DMSO' --control 'untreated'" in of_code(read(labels)[2], "several-controls")
    cells, layout, problems = read(labels, control=("DMSO", "untreated"))
    assert cells == {"control": 35, **PLENTY}
    assert layout.control_labels == ("DMSO", "untreated")
    assert not [problem for problem in problems if problem.severity is Severity.WARNING]


def test_a_plain_label_beats_what_only_looks_like_a_numbered_guide():
    cells, layout, _ = read({"NT-3": 20, "PBS": 20, "IL-2": 20})
    assert layout.control == "PBS"
    assert cells == {"control": 20, "NT-3": 20, "IL-2": 20}


def test_a_pattern_and_what_it_does_not_match_are_told():
    cells, layout, problems = read({"neg_a": 10, "neg_b": 10, **PLENTY}, control=("neg_*",))
    assert cells == {"control": 20, **PLENTY}
    assert layout.control_labels == ("neg_a", "neg_*")
    assert not problems
    assert "labelled typo" in of_code(
        read({"control": 10, **PLENTY}, control=("control", "typo"))[2], "control-not-there"
    )
    assert "labelled 'x' or 'y'" in of_code(read({"control": 10, **PLENTY}, control=("x", "y"))[2], "no-control")


def test_controls_inside_combinations_drop_out():
    labels = {"NegCtrl10_NegCtrl0": 40, "KLF1_NegCtrl0": 20, "NegCtrl0_MAP2K6": 20, "KLF1_MAP2K6": 20}
    cells, layout, _ = read(labels)
    assert cells == {"control": 40, "KLF1": 20, "MAP2K6": 20, "KLF1+MAP2K6": 20}
    assert layout.separator == "_"
    assert read({"ctrl": 10, "A+ctrl": 10, "ctrl+B": 10, "A+B": 10})[0] == {"control": 10, "A": 10, "B": 10, "A+B": 10}


def test_a_layout_that_was_found_reads_the_same_again():
    labels = {"NTC": 20, "non-targeting_2": 20, "GFP": 10, **PLENTY}
    cells, layout, _ = read(labels)
    obs = pd.DataFrame({"condition": [label for label, n in labels.items() for _ in range(n)]})
    assert find_layout(obs, Wishes.exactly(layout)).layout == layout
    assert cells["control"] == 40


def test_without_a_single_control_cell_the_file_is_not_ready():
    obs = pd.DataFrame({"condition": ["A+control", "B", "A+B", "B+A"]})
    problems = []
    condition_table(obs, find_layout(obs, Wishes(control="control")).layout, problems)
    assert [(p.severity, p.code) for p in problems] == [(Severity.ERROR, "no-control-cells")]


def test_a_part_that_is_a_control_of_another_name_drops_out_with_a_warning():
    cells, layout, problems = read({"control": 20, "A+ctrl": 10, "NTC_1+B": 10, "A+B": 10})
    assert cells == {"control": 20, "A": 10, "B": 10, "A+B": 10}
    assert set(layout.control_labels) == {"control", "ctrl", "NTC_1"}
    assert "ctrl (10), NTC_1 (10)" in of_code(problems, "joined-controls")


def test_controls_that_are_joined_with_one_another_show_the_separator():
    labels = {"non-targeting_1|non-targeting_2": 20, "A_1|A_2": 20, "B_1|B_2": 20}
    cells, layout, _ = read(labels)
    assert layout.separator == "|"
    assert cells == {"control": 20, "A_1+A_2": 20, "B_1+B_2": 20}
    assert read(labels, merge_guides=True)[0] == {"control": 20, "A": 20, "B": 20}


def test_a_label_called_after_a_control_is_told():
    cells, layout, problems = read({"DMSO": 20, "DMSO_24h": 20, "JQ1": 20, "JQ1_24h": 20})
    assert layout.separator is None
    assert list(cells) == ["control", "DMSO_24h", "JQ1", "JQ1_24h"]
    assert "DMSO_24h (20)" in of_code(problems, "control-in-label")
    assert read({"DMSO": 20, "DMSO_24h": 20, "JQ1": 20}, control=("DMSO*",))[0] == {"control": 40, "JQ1": 20}


def test_values_that_differ_in_spelling_only_are_told():
    told = of_code(read({"control": 20, "KLF1": 20, "klf1": 10})[2], "spellings")
    assert "KLF1 (20), klf1 (10)" in told
