"""A csv of `evaluate` as a finding: both suites, their words, and what is no such csv."""

from pathlib import Path

import pytest

from primeflow_core.errors import DataError
from primeflow_core.evaluation.labelled import labelled
from primeflow_core.evaluation.pair import paired
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import table
from primeflow_core.evaluation.virtual_cell import virtual_cell_table
from primeflow_core.report.evaluation_finding import evaluation_finding
from tests.tiny import cells

PLAIN = "condition,cosine_logfc,cells\nA,0.5,20\nB,0.7,20\nmean,0.6,20\n"


def written(place: Path, text: str) -> Path:
    path = place / "m.csv"
    path.write_text(text)
    return path


def test_the_title_has_the_means_and_the_table_every_condition(tmp_path):
    found = evaluation_finding(written(tmp_path, PLAIN))
    assert found.title == "m.csv: mean over 2 conditions: Cosine of changes 0.6."
    assert list(found.tables[0].frame["condition"]) == ["A", "B", "mean"]
    assert found.tables[0].heading("cosine_logfc") == "Cosine of changes (larger is better)"
    assert found.methods.startswith("The metrics of m.csv compare predicted with measured cells: ")


def test_a_metric_without_a_value_is_left_out_of_the_title(tmp_path):
    found = evaluation_finding(written(tmp_path, "condition,cosine_logfc,rmse_mean\nA,0.5,\nmean,0.5,\n"))
    assert found.title == "m.csv: mean over 1 condition: Cosine of changes 0.5."
    none = evaluation_finding(written(tmp_path, "condition,rmse_mean\nA,\nmean,\n"))
    assert none.title.endswith("no metric has a value.")


def test_floor_and_ceiling_are_named_after_their_metric(tmp_path):
    text = PLAIN.replace("cells", "cosine_logfc_floor")
    (shown,) = evaluation_finding(written(tmp_path, text)).tables
    assert shown.heading("cosine_logfc_floor") == "Cosine of changes: floor"


@pytest.mark.parametrize(("suite", "said"), [(lambda pair: table(score(pair)), "RMSE"), (virtual_cell_table, "MAE")])
def test_what_evaluate_writes_is_read(tmp_path, suite, said):
    one = labelled(cells(per_condition=20))
    suite(paired(one, one, ("cell_type",))).to_csv(tmp_path / "s.csv", index=False)
    found = evaluation_finding(tmp_path / "s.csv")
    assert f"{said} " in found.title
    assert "mean over 3 conditions" in found.title


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as a csv"),
        ("gene,p\nA,0.1\n", "has no column 'condition'"),
        ("condition,p\nA,0.1\nmean,0.1\n", "holds no metrics"),
        ("condition,cosine_logfc\nA,0.1\n", "holds no metrics"),
        ("condition,cosine_logfc\nA,high\nmean,0.1\n", "not numbers"),
    ],
)
def test_what_is_no_such_csv_is_refused(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        evaluation_finding(written(tmp_path, text))
