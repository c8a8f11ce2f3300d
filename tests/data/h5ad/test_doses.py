import pandas as pd
import pytest

from primeflow_core.data.h5ad.condition_parsing import condition_table
from primeflow_core.data.h5ad.doses import Amount, DoseError, amount_of, factor, unit_in_name
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.wishes import Wishes


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("1", 1, ""), ("0.1", 0.1, ""), ("0,1", 0.1, ""), ("10,0", 10, ""), ("0,001", 0.001, ""), ("1e-3", 1e-3, ""),
        ("1 uM", 1, "uM"), ("10uM", 10, "uM"), ("10 µM", 10, "µM"), ("0,5 nM", 0.5, "nM"), ("5 ng/ml", 5, "ng/ml"),
        (".5", 0.5, ""), ("1,234,567", 1234567, ""), ("1e-3 M", 1e-3, "M"), ("50 %", 50, "%"),
    ],
)  # fmt: skip
def test_a_dose_is_read_as_people_write_it(text, number, unit):
    assert amount_of(text) == Amount(number, unit)


@pytest.mark.parametrize("text", ["high", "0", "-1", "inf", "1,000", "1 2", "1-2", "0 uM"])
def test_what_is_no_dose_or_could_be_two_is_refused(text):
    with pytest.raises(DoseError):
        amount_of(text)


@pytest.mark.parametrize(
    ("unit", "wanted", "by"),
    [
        ("nM", "uM", 1e-3), ("µM", "uM", 1), ("μM", "nM", 1e3), ("mM", "uM", 1e3), ("micromolar", "uM", 1),
        ("ug/ml", "ng/ml", 1e3), ("ng/mL", "ng/ml", 1), ("mg/l", "ug/ml", 1), ("ng/ml", "uM", None), ("x", "y", None),
    ],
)  # fmt: skip
def test_units_of_one_kind_are_converted(unit, wanted, by):
    assert factor(unit, wanted) == (by if by is None else pytest.approx(by))


def read(labels, doses, units=None):
    obs = pd.DataFrame({"condition": labels, "dose": doses, **({"dose_unit": units} if units else {})})
    found = find_layout(obs, Wishes())
    problems = list(found.problems)
    table = condition_table(obs, found.layout, problems)
    told = {problem.code: str(problem) for problem in problems}
    return [condition.label for condition in table.conditions], told, found.layout


@pytest.mark.parametrize("doses", [["0", "1 uM", "10 uM", "100 uM"], ["0", "1,0", "10,0", "100,0"], [0, 1, 10, 100]])
def test_doses_as_text_are_those_of_numbers(doses):
    assert read(["control", "drug", "drug", "drug"], doses)[0] == ["control", "drug@1", "drug@10", "drug@100"]


def test_a_column_of_units_tells_doses_apart_and_the_commonest_is_used():
    labels, told, layout = read(
        ["control", "x", "x", "x", "x"], [None, 1.0, 10.0, 1000.0, 1.0], ["uM", "uM", "uM", "nM", "nM"]
    )
    assert labels == ["control", "x@1", "x@10", "x@0.001"]
    assert (layout.unit_column, layout.unit) == ("dose_unit", "uM")
    assert told["dose-units"] == "Doses in nM (2) are converted to uM."


def test_the_same_number_in_two_units_is_two_doses():
    labels, _, layout = read(["control", "x", "x"], [1, 1, 1], ["uM", "uM", "nM"])
    assert layout.dose == "dose"
    assert labels == ["control", "x@1", "x@0.001"]


def test_units_that_cannot_be_compared_are_told_or_refused():
    labels, told, _ = read(["control", "drug", "drug", "IL2", "IL2"], ["", "1 uM", "10 uM", "5 ng/ml", "1 ug/ml"])
    assert labels == ["control", "drug@1", "drug@10", "IL2@5", "IL2@1000"]
    assert "each perturbation keeps its unit" in told["unlike-units"]
    told = read(["control", "drug", "drug"], ["", "1 uM", "10 ng/ml"])[1]
    assert "The doses of drug are in uM and in ng/ml" in told["dose"]


def test_doses_without_a_unit_among_those_with_one_are_told():
    labels, told, _ = read(["control", "x", "x", "x"], ["0", "1 uM", "2 uM", "4"])
    assert labels[1:] == ["x@1", "x@2", "x@4"]
    assert "1 cells have no unit" in told["dose-without-unit"]


def test_what_is_found_of_doses_is_found_again():
    obs = pd.DataFrame({"condition": ["control", "x", "x"], "dose": ["0", "1 uM", "10 nM"]})
    layout = find_layout(obs, Wishes()).layout
    assert find_layout(obs, Wishes.exactly(layout)).layout == layout
    other = pd.DataFrame({"condition": ["x", "x"], "dose": ["10 nM", "20 nM"]})
    table = condition_table(other, layout, [])
    assert [condition.label for condition in table.conditions] == ["x@0.01", "x@0.02"]


def test_the_name_of_a_column_gives_the_unit():
    obs = pd.DataFrame({"drug": ["DMSO", "a", "a", "b"], "dose_nM": [0, 10, 1000, 10]})
    found = find_layout(obs, Wishes())
    assert (found.layout.dose, found.layout.unit) == ("dose_nM", "nM")
    assert [unit_in_name(name) for name in ("dose_uM", "conc (ng/ml)", "dose", "dose_value", "m", "dose_m")] == [
        "uM", "ng/ml", "", "", "", "m",
    ]  # fmt: skip


def listed(*drugs):
    return str([(name, dose, unit) for name, dose, unit in drugs])


def test_a_list_of_drugs_with_their_doses_is_read_by_its_parts():
    labels = [
        listed(("DMSO_TF", 0.0, "uM")), listed(("(+)-JQ1", 0.5, "uM")), listed(("(+)-JQ1", 5.0, "uM")),
        listed(("(+)-JQ1", 500.0, "nM")), listed(("a", 0.5, "uM"), ("b", 5.0, "uM")),
    ]  # fmt: skip
    obs = pd.DataFrame({"drugname_drugconc": labels})
    found = find_layout(obs, Wishes())
    problems = list(found.problems)
    table = condition_table(obs, found.layout, problems)
    assert [c.label for c in table.conditions] == ["control", "(+)-JQ1@0.5", "(+)-JQ1@5", "a@0.5+b@5"]
    assert [problem.code for problem in problems if problem.severity is not Severity.NOTE] == ["few-cells"]


def test_a_list_of_drugs_gives_the_doses_of_a_column_of_drugs():
    obs = pd.DataFrame(
        {
            "drug": ["DMSO_TF", "a", "a"],
            "drugname_drugconc": [listed(("DMSO_TF", 0.0, "uM")), listed(("a", 0.5, "uM")), listed(("a", 5.0, "uM"))],
        }
    )
    found = find_layout(obs, Wishes())
    table = condition_table(obs, found.layout, [])
    assert [c.label for c in table.conditions] == ["control", "a@0.5", "a@5"]
