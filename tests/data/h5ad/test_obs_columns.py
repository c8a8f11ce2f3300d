import pandas as pd
import pytest

from primeflow_core.data.h5ad.condition_parsing import condition_table
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.obs_values import column
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.layout import Layout


def table(**columns):
    return pd.DataFrame(columns)


def codes(found):
    return [problem.code for problem in found.problems]


PUBLISHED = {
    "PerturBench": (
        {
            "condition": ["control", "A", "A+B", "B"] * 2,
            "cell_type": ["k562"] * 4 + ["hap1"] * 4,
            "treatment": ["none"] * 8,
            "dose": ["1", "1", "1+1", "1"] * 2,
            "perturbation_type": ["CRISPRa"] * 8,
        },
        Layout("condition", ("cell_type",), "control", "+", None, "perturbation_type"),
    ),
    "scPerturb": (
        {
            "perturbation": ["control", "ZAP70_1", "ZAP70_2", "LCK_1"] * 2,
            "cell_line": ["Jurkat"] * 8,
            "perturbation_2": ["rest"] * 4 + ["stimulated"] * 4,
        },
        Layout("perturbation", ("perturbation_2",), "control", None),
    ),
    "scPerturb pairs": (
        {"perturbation": ["control", "A", "B", "A_B", "C"], "celltype": ["T"] * 5},
        Layout("perturbation", (), "control", "_"),
    ),
    "GEARS": (
        {"condition": ["ctrl", "A+ctrl", "ctrl+B", "A+B"] * 2, "cell_type": ["K562"] * 4 + ["RPE1"] * 4},
        Layout("condition", ("cell_type",), "ctrl", "+"),
    ),
    "GEARS without pairs": ({"condition": ["ctrl", "A+ctrl", "B+ctrl"]}, Layout("condition", (), "ctrl", "+")),
    "Virtual Cell Challenge": (
        {"target_gene": ["non-targeting", "A", "B"] * 2, "batch": [1, 1, 1, 2, 2, 2]},
        Layout("target_gene", ("batch",), "non-targeting", None),
    ),
    "Replogle": (
        {"gene": ["non-targeting", "A"] * 2, "gem_group": [1, 1, 2, 2], "cell_type": ["k", "k", "r", "r"]},
        Layout("gene", ("cell_type",), "non-targeting", None),
    ),
    "Tahoe-100M": (
        {
            "drug": ["DMSO_TF", "Bortezomib"] * 2,
            "drugname_drugconc": ["[('DMSO_TF', 0.0, 'uM')]", "[('Bortezomib', 0.05, 'uM')]"] * 2,
            "cell_line": ["a", "a", "b", "b"],
        },
        Layout("drug", ("cell_line",), "DMSO_TF", None),
    ),
    "OP3": (
        {"SMILES": ["C[S+](C)[O-]", "CCO", "CC[N+](C)C"] * 2, "cell_type": ["B"] * 3 + ["T"] * 3},
        Layout("SMILES", ("cell_type",), "C[S+](C)[O-]", None),
    ),
    "muscat": (
        {
            "cluster_id": ["B", "T"] * 4,
            "sample_id": ["ctrl1"] * 2 + ["stim1"] * 2 + ["ctrl2"] * 2 + ["stim2"] * 2,
            "group_id": (["ctrl"] * 2 + ["stim"] * 2) * 2,
        },
        Layout("group_id", ("cluster_id",), "ctrl", None),
    ),
    "drugs with a plus in the name": (
        {"condition": ["control", "(+)-JQ1", "Vorinostat"] * 2},
        Layout("condition", (), "control", None),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_layout_of_published_files_is_found(name):
    columns, expected = PUBLISHED[name]
    found = find_layout(table(**columns), Wishes())
    assert found.layout == expected
    assert not [problem for problem in found.problems if problem.severity is Severity.ERROR]


@pytest.mark.parametrize("kind", [str, "category", object])
def test_categories_text_and_numbers_are_read_alike(kind):
    obs = table(condition=["control", "A"], batch=[1, 2]).astype(kind)
    assert column(obs, "condition").values == ("control", "A")
    assert column(obs, "batch").values == ("1", "2")


def test_whole_floats_read_as_whole_numbers_and_blanks_as_missing():
    found = column(table(x=[2.0, 0.5, None, 2.0]), "x")
    assert found.values == ("2", "0.5")
    assert found.codes.tolist() == [0, 1, -1, 0]
    assert found.labels.tolist() == ["2", "0.5", "", "2"]


def test_a_column_with_a_control_label_is_preferred():
    obs = table(condition=["day1", "day2", "day1"], gene=["NT", "A", "B"])
    found = find_layout(obs, Wishes())
    assert found.layout == Layout("gene", (), "NT", None)
    assert find_layout(obs, Wishes(control="day1")).layout == Layout("condition", (), "day1", None)


def test_unbelievable_separators_are_only_noted():
    found = find_layout(table(condition=["control", "A+B", "C+D"]), Wishes())
    assert found.layout is not None
    assert found.layout.separator is None
    assert codes(found) == ["separator"]
    assert "'A+B'" in str(found.problems[0])
    assert "--separator +" in str(found.problems[0])


@pytest.mark.parametrize(("wish", "expected"), [("+", "+"), ("none", None), ("_", "_")])
def test_the_user_decides_the_separator(wish, expected):
    found = find_layout(table(condition=["control", "A", "B", "A+B"]), Wishes(separator=wish))
    assert found.layout is not None
    assert found.layout.separator == expected


def test_a_column_that_another_one_gives_is_no_covariate():
    obs = table(condition=["control", "A"] * 3, cell_type=list("aabbcc"), batch=[1, 1, 1, 1, 2, 2])
    found = find_layout(obs, Wishes())
    assert found.layout is not None
    assert found.layout.covariates == ("cell_type",)
    assert "batch: left out, given by cell_type" in found.why["covariates"]


def test_named_covariates_are_taken_as_named():
    obs = table(condition=["control", "A"] * 2, cell_type=list("aabb"), treatment=["none"] * 4)
    found = find_layout(obs, Wishes(covariates=("treatment", "cell_type")))
    assert found.layout is not None
    assert found.layout.covariates == ("treatment", "cell_type")
    none = find_layout(obs, Wishes(covariates=())).layout
    assert none is not None
    assert none.covariates == ()


@pytest.mark.parametrize(
    ("wishes", "flag"),
    [
        (Wishes(condition="foo"), "--condition"),
        (Wishes(covariates=("foo",)), "--covariates"),
        (Wishes(dose="foo"), "--dose"),
        (Wishes(kind="foo"), "--kind"),
    ],
)
def test_an_unknown_column_lists_those_there(wishes, flag):
    found = find_layout(table(condition=["control", "A"], batch=[1, 2]), wishes)
    assert codes(found) == ["unknown-column"]
    assert str(found.problems[0]) == f"There is no obs column 'foo'. {flag} can be one of: condition, batch."


def test_without_a_condition_column_the_columns_are_listed():
    found = find_layout(table(n_counts=[1, 2]), Wishes())
    assert codes(found) == ["no-condition"]
    assert "--condition; there are: n_counts" in str(found.problems[0])


def test_without_a_control_the_labels_are_listed():
    found = find_layout(table(condition=["A", "B"]), Wishes())
    assert codes(found) == ["no-control"]
    assert "labels seen: A, B. Name the unperturbed cells with --control." in str(found.problems[0])
    wrong = find_layout(table(condition=["A", "B"]), Wishes(control="C"))
    assert "No cell of obs column 'condition' is labelled 'C'. --control can be one of: A, B." in str(wrong.problems[0])


def test_several_control_labels_are_told():
    found = find_layout(table(condition=["DMSO", "control", "A"]), Wishes())
    assert found.layout is not None
    assert found.layout.control == "control"
    assert codes(found) == ["several-controls"]


def perturbations_of(obs, **wishes):
    found = find_layout(obs, Wishes(**wishes))
    assert found.layout is not None
    problems = []
    read = condition_table(obs, found.layout, problems)
    return found.layout, read, problems


def test_varying_doses_are_read_in_the_order_of_the_label():
    obs = table(condition=["control", "B", "A", "B+A", "B+A"], dose=["1", "0.5", "2", "0.5+2", "0.1+4"])
    layout, read, _ = perturbations_of(obs)
    assert layout.dose == "dose"
    assert [c.label for c in read.conditions] == ["control", "B@0.5", "A@2", "A@2+B@0.5", "A@4+B@0.1"]
    assert read.labels[3:] == ("B+A", "B+A")


def test_doses_may_be_numbers_missing_or_counted_with_the_control():
    obs = table(condition=["ctrl", "A+ctrl", "ctrl+B", "A+B"], dose_val=["1", "3+1", "1+4", "3+4"])
    assert [c.label for c in perturbations_of(obs)[1].conditions] == ["control", "A@3", "B@4", "A@3+B@4"]
    numbers = table(condition=["control", "A", "A", "gene"], dose=[0.0, 1.0, 10.0, None])
    assert [c.label for c in perturbations_of(numbers)[1].conditions] == ["control", "A@1", "A@10", "gene"]


@pytest.mark.parametrize(
    ("dose", "message"),
    [
        (["0", "1", "1+2+3"], "'1+2+3' for 'A+B': 3 doses for 2 perturbations"),
        (["0", "high", "1+2"], "holds 'high' for 'A'; a dose is a number above 0"),
        (["0", "0", "1+2"], "holds '0' for 'A'; a dose is a number above 0"),
        (["0", "inf", "1+2"], "holds 'inf' for 'A'"),
    ],
)
def test_doses_that_cannot_be_read_are_named(dose, message):
    obs = table(condition=["control", "A", "A+B"], dose=dose)
    _, read, problems = perturbations_of(obs, separator="+")
    assert read is None
    assert message in str(problems[0])
    assert "--dose none" in str(problems[0])
    assert perturbations_of(obs, separator="+", dose="none")[1] is not None


def test_equal_combinations_in_another_order_are_one_condition():
    obs = table(condition=["control", "A", "B", "A+B", "B+A"], perturbation_type=["", "up", "up", "up", "down"])
    _, read, _ = perturbations_of(obs)
    assert [c.label for c in read.conditions] == ["control", "A", "B", "A+B"]
    assert read.condition_of.tolist() == [0, 1, 2, 3, 3]
    assert read.kinds[:2] == ("", "up")


def test_contexts_without_control_and_tiny_conditions_are_warned_of():
    obs = table(condition=["control", "A", "A"], cell_type=["x", "x", "y"])
    _, _, problems = perturbations_of(obs)
    assert [(p.severity, p.code) for p in problems] == [
        (Severity.WARNING, "context-without-control"),
        (Severity.WARNING, "few-cells"),
    ]
    assert "No control cells for y." in str(problems[0])


def test_cells_without_a_label_are_set_aside_and_counted():
    obs = table(condition=["control", "A", None])
    _, read, problems = perturbations_of(obs)
    assert read.rows.tolist() == [0, 1]
    assert "1 cell has no value in obs column 'condition' (empty 1) and is set aside." in str(problems[0])
    assert problems[0].severity is Severity.WARNING
