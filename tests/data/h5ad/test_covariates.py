import numpy as np
import pandas as pd
import pytest

from primeflow_core.data.h5ad.condition_parsing import condition_table
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.wishes import Wishes


def read(obs, **wishes):
    found = find_layout(obs, Wishes(**wishes))
    problems = list(found.problems)
    table = condition_table(obs, found.layout, problems)
    return found, table, {problem.code: problem for problem in problems}


def test_one_gene_by_two_kinds_is_kept_apart_where_each_has_controls():
    obs = pd.DataFrame(
        {"condition": ["control", "A", "B"] * 20, "perturbation_type": ["CRISPRa"] * 30 + ["CRISPRi"] * 30}
    )
    found, table, _ = read(obs)
    assert found.layout.covariates == ("perturbation_type",)
    assert len(table.conditions) == 6


def test_one_gene_by_two_kinds_is_warned_of_where_that_leaves_one_without_controls():
    kinds = ["CRISPRi", "CRISPRi", "CRISPRa"] * 20
    obs = pd.DataFrame({"condition": ["control", "A", "A"] * 20, "perturbation_type": kinds})
    found, table, told = read(obs)
    assert found.layout.covariates == ()
    assert len(table.conditions) == 2
    assert told["mixed-kinds"].severity is Severity.WARNING
    assert "CRISPRi (20), CRISPRa (20)" in str(told["mixed-kinds"])
    assert "--covariates perturbation_type; for CRISPRa there are no control cells" in str(told["mixed-kinds"])


def test_different_genes_by_different_kinds_need_no_word():
    kinds = ["none", "CRISPRi", "drug"] * 20
    obs = pd.DataFrame({"condition": ["control", "A", "D"] * 20, "perturbation_type": kinds})
    found, _, told = read(obs)
    assert found.layout.covariates == ()
    assert "mixed-kinds" not in told


def test_of_two_columns_with_controls_the_one_with_the_perturbations_is_read_and_the_other_told():
    obs = pd.DataFrame(
        {
            "perturbation": ["control", "A", "control", "B"] * 10,
            "condition": ["IFN", "IFN", "untreated", "untreated"] * 10,
        }
    )
    found, table, told = read(obs)
    assert (found.layout.condition, found.layout.covariates) == ("perturbation", ("condition",))
    assert len(table.conditions) == 4
    assert "IFN (20), untreated (20)" in str(told["two-columns"])
    assert "used as a covariate" in str(told["two-columns"])
    assert read(obs, condition="condition")[0].layout.condition == "condition"


def test_two_columns_that_say_the_same_need_no_word():
    obs = pd.DataFrame({"condition": ["ctrl", "A+ctrl", "B+ctrl"] * 10, "perturbation": ["control", "A", "B"] * 10})
    found, _, told = read(obs)
    assert found.layout.condition == "condition"
    assert "two-columns" not in told


@pytest.mark.parametrize("name", ["patient", "time", "cytokine", "replicate", "Genotype", "hours", "sex", "disease"])
def test_a_usual_column_that_is_left_out_is_listed_with_its_values_and_controls(name):
    obs = pd.DataFrame({"condition": ["control", "A"] * 20, name: ["x"] * 20 + ["y"] * 20})
    found, _, told = read(obs)
    assert found.possible[0].name == name
    assert f"{name} (2 values: x, y; controls in each)" in str(told["left-out"])
    assert "left-out" not in read(obs, covariates=(name,))[2]


def test_a_column_that_follows_from_the_conditions_is_not_listed():
    obs = pd.DataFrame({"condition": ["control", "A"] * 20, "time": ["0h", "24h"] * 20})
    assert "left-out" not in read(obs)[2]
    partly = pd.DataFrame({"condition": ["control", "A", "A"] * 10, "time": ["0h", "6h", "24h"] * 10})
    assert "time (3 values: 0h, 6h, 24h; controls in 1)" in str(read(partly)[2]["left-out"])


def test_a_mostly_empty_column_is_no_covariate_but_is_listed():
    batch = np.where(np.arange(40) < 10, "x", None)
    batch[10:14] = "y"
    found, table, told = read(pd.DataFrame({"condition": ["control", "A"] * 20, "batch": batch}))
    assert found.layout.covariates == ()
    assert len(table.rows) == 40
    assert "batch (2 values" in str(told["left-out"])
