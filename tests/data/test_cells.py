import numpy as np
import pytest
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations

CONDITIONS = tuple(Condition(parse_perturbations(label)) for label in ("A", "control", "A+B"))


def made(*, sparse=True):
    values = np.arange(15, dtype=np.float32).reshape(5, 3)
    return Cells(
        sp.csr_matrix(values) if sparse else values,
        ("g1", "g2", "g3"),
        np.array([f"c{i}" for i in range(5)]),
        CONDITIONS,
        np.array([0, 1, 2, 0, 1]),
        kinds=("up", "", "up"),
        labels=("A", "control", "B+A"),
        label_order=("control", "B+A", "A"),
    )


@pytest.mark.parametrize("sparse", [True, False])
def test_dense_gives_the_rows_asked_as_float32(sparse):
    cells = made(sparse=sparse)
    rows = cells.dense(np.array([4, 0]))
    np.testing.assert_array_equal(rows, [[12, 13, 14], [0, 1, 2]])
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    assert cells.dense().shape == (len(cells), 3)


def test_where_finds_the_cells_of_a_condition_in_file_order():
    np.testing.assert_array_equal(made().where(CONDITIONS[0]), [0, 3])
    assert len(made().where(Condition(parse_perturbations("C")))) == 0


@pytest.mark.parametrize("sparse", [True, False])
def test_a_subset_keeps_only_the_conditions_it_has(sparse):
    cells = made(sparse=sparse).subset(np.array([4, 2]))
    assert cells.conditions == CONDITIONS[1:]
    assert cells.kinds == ("", "up")
    assert cells.labels == ("control", "B+A")
    assert cells.label_order == ("control", "B+A", "A")
    assert cells.names.tolist() == ["c4", "c2"]
    assert cells.condition_list([0, 1]) == [CONDITIONS[1], CONDITIONS[2]]
    np.testing.assert_array_equal(cells.dense(), [[12, 13, 14], [6, 7, 8]])
