import pandas as pd
import pytest

from primeflow_core.data.h5ad.condition_parsing import condition_table
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.wishes import Wishes

MARKS = ["+", " + ", "_", "__", "&", ";", "|", " || ", "||", ",", ", ", "//", " and ", "-", "--", ":", "::", ".", "/"]


def read(labels):
    obs = pd.DataFrame({"condition": labels})
    found = find_layout(obs, Wishes())
    problems = list(found.problems)
    table = condition_table(obs, found.layout, problems)
    return [condition.label for condition in table.conditions], found.layout.separator, problems


@pytest.mark.parametrize("mark", MARKS)
def test_what_joins_known_singles_is_found_and_the_proposal_is_read(mark):
    singles = ["control", "KLF1", "MAP2K6", "SET"]
    labels, separator, problems = read([*singles, f"KLF1{mark}MAP2K6", f"SET{mark}KLF1"])
    assert separator is not None
    assert separator.strip() == mark.strip()
    assert labels == [*singles, "KLF1+MAP2K6", "KLF1+SET"]
    assert not [problem for problem in problems if problem.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "labels",
    [
        ["control", "HLA-A", "HLA-B", "A"],
        ["control", "MT-CO1", "MT-CO2"],
        ["control", "AC012345.1", "AC012345.2", "1"],
        ["control", "(+)-JQ1", "5-FU", "JQ1"],
        ["DMSO", "DMSO-24h", "Drug"],
        ["control", "ZAP70_1", "ZAP70_2"],
        ["control", "1,25-dihydroxyvitamin D3", "25-hydroxyvitamin D3"],
    ],
)
def test_names_are_never_split_where_a_part_is_no_known_single(labels):
    found, separator, _ = read(labels)
    assert separator is None
    assert found == ["control", *labels[1:]]


def test_labels_that_only_partly_fit_are_warned_of():
    _, separator, problems = read(["control", "A", "B", "A-B", "HLA-A"])
    assert separator is None
    told = next(problem for problem in problems if problem.code == "separator")
    assert told.severity is Severity.WARNING
    assert "'A-B'" in str(told)
    assert "--separator -" in str(told)
