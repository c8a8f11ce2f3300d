"""Differential expression of several sets of cells as one table."""

import numpy as np
import pytest

from primeflow_core.errors import DataError
from primeflow_core.prediction.group_differences import Contrast, differences

GENES = ("up", "flat", "down")


def cells(means: list[float], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(means, 0.1, (30, 3)).astype(np.float32)


def test_each_contrast_has_every_gene_and_its_own_direction():
    first = Contrast("1 A", GENES, cells([3, 1, 1], 0), cells([1, 1, 1], 1))
    second = Contrast("2 B", GENES, cells([1, 1, 1], 2), cells([3, 1, 3], 3))
    found = differences([first, second])
    assert list(found.table["contrast"]) == ["1 A"] * 3 + ["2 B"] * 3
    change = found.table.set_index(["contrast", "gene"])["log2_fold_change"]
    assert change["1 A", "up"] > 1 > 0 > change["2 B", "down"]
    assert found.nbytes > 0


def test_too_few_cells_are_said():
    with pytest.raises(DataError, match="needs 2"):
        differences([Contrast("A", GENES, cells([1, 1, 1], 0)[:1], cells([1, 1, 1], 1))])
