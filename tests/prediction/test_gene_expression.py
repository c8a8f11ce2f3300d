"""Expression of chosen genes by role and condition."""

import numpy as np
import pytest

from primeflow_core.figures.style import Role
from primeflow_core.prediction.gene_expression import CellsOfRole, expression_by_role, expression_table

GENES = ("a", "b", "c")
CELLS = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 0.0]], dtype=np.float32)


def test_values_of_a_gene_come_in_the_order_of_the_cells():
    found = expression_by_role(GENES, {Role.MEASURED: CELLS}, ["c", "a"])
    assert list(found) == ["c", "a"]
    assert found["c"][Role.MEASURED].tolist() == [2.0, 0.0]


def test_a_table_has_means_shares_and_changes():
    controls = np.full((4, 3), 0.9, dtype=np.float32)
    table = expression_table(GENES, [CellsOfRole("A", Role.PREDICTED, CELLS, controls)], ["b", "c"])
    assert list(table["gene"]) == ["b", "c"]
    assert set(table["condition"]) == {"A"}
    assert set(table["role"]) == {"predicted"}
    assert table["mean"].tolist() == [2.0, 1.0]
    assert table["percent"].tolist() == [100.0, 50.0]
    assert table["change"].tolist() == pytest.approx([np.log2(2.1), np.log2(1.1)], abs=1e-6)


def test_without_controls_there_is_no_change():
    table = expression_table(GENES, [CellsOfRole("A", Role.CONTROL, CELLS)], ["a"])
    assert table["change"].isna().all()
