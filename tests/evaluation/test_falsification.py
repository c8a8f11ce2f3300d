"""Genes that would falsify the model: power against printed tables, order and figures by hand, what is left out."""

import numpy as np
import pandas as pd
import pytest

from primeflow_core.errors import DataError
from primeflow_core.evaluation.falsification import cells_per_arm, falsifying_genes, power_of

PAIR = np.array([0.5, 1.5])


def cells(*means: float) -> np.ndarray:
    """Two cells, 0.5 on either side of each mean: deviation sqrt(0.5)."""
    return np.stack([np.array(means) - 0.5, np.array(means) + 0.5])


@pytest.mark.parametrize(("d", "expected"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17), (50.0, 2)])
def test_cells_for_eighty_percent_power_are_those_of_cohens_tables(d, expected):
    assert cells_per_arm(d) == expected


@pytest.mark.parametrize("d", [0.07, 0.33, 1.7])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_it_is_the_smallest_number(d, alpha):
    found = cells_per_arm(d, alpha)
    assert power_of(d, found, alpha) >= 0.8 > power_of(d, found - 1, alpha)


def test_without_an_effect_power_is_alpha_and_no_number_is_enough():
    assert power_of(0.0, 30, 0.05) == pytest.approx(0.05)
    assert cells_per_arm(0.0) is None
    assert cells_per_arm(1e-4) is None


def test_power_is_that_of_simulated_experiments():
    from scipy.stats import ttest_ind

    draw = np.random.default_rng(0)
    one, other = draw.normal(0.6, 1, (4000, 30)), draw.normal(0, 1, (4000, 30))
    found = np.mean(ttest_ind(one, other, axis=1).pvalue < 0.05)
    assert power_of(0.6, 30) == pytest.approx(found, abs=0.03)


def test_figures_by_hand():
    table = falsifying_genes(("up", "down"), cells(1.9, 0.9), np.array([0.9, 1.4]), cells(0.9, 0.9))
    assert table["gene"].tolist() == ["up", "down"]
    assert table["effect_size"].tolist() == pytest.approx([1 / np.sqrt(0.5), -0.5 / np.sqrt(0.5)])
    assert table["predicted_change"].tolist() == pytest.approx([1.0, 0.0])
    assert table["sum_change"].tolist() == pytest.approx([0.0, np.log2(1.5)])
    assert table["turning_point"].tolist() == pytest.approx([np.log2(1.5), np.log2(1.25)])
    # Two genes are looked at, so each is tested at 0.05 / 2.
    assert table["cells_per_arm"].tolist() == [cells_per_arm(np.sqrt(2), 0.025), cells_per_arm(np.sqrt(0.5), 0.025)]
    assert (
        table["sentence"]
        .tolist()[0]
        .startswith("up: measured above +0.58 log2 change, it speaks for the model; below, for the sum")
    )
    assert "measured below +0.32 log2 change" in table["sentence"].tolist()[1]


def test_the_five_largest_come_first_and_ties_go_by_name():
    genes = ("f", "b", "a", "d", "e", "c")
    means = np.full(6, 2.0)
    many = np.repeat(cells(*means), 5000, axis=0)
    table = falsifying_genes(genes, many, means - [0.1, 1, 1, 0.5, 0.2, 0.3], many)
    assert table["gene"].tolist() == ["a", "b", "d", "c", "e"]


def test_disagreements_within_the_error_of_the_sum_come_last_and_say_so():
    genes, means = ("big", "sure"), np.full(2, 2.0)
    many = np.repeat(cells(*means), 500, axis=0)
    table = falsifying_genes(genes, many, means - [1.0, 0.5], many, sum_error=np.array([0.6, 0.01]))
    assert table["gene"].tolist() == ["sure", "big"]
    assert table["clear"].tolist() == [True, False]
    doubt = "The single effects are known too little here to be sure that the two disagree."
    assert [sentence.endswith(doubt) for sentence in table["sentence"]] == [False, True]


def test_genes_that_hardly_any_cell_expresses_or_that_never_vary_are_left_out():
    draw = np.random.default_rng(0)
    predicted, controls = draw.gamma(2.0, 0.5, (40, 3)), draw.gamma(2.0, 0.5, (40, 3))
    predicted[4:, 0] = controls[3:, 0] = 0.0
    predicted[3, 0] = 0.0
    predicted[:, 1] = controls[:, 1] = 1.0
    assert falsifying_genes(("rare", "fixed", "kept"), predicted, np.zeros(3), controls)["gene"].tolist() == ["kept"]
    predicted[3, 0] = 1.0
    assert "rare" in falsifying_genes(("rare", "fixed", "kept"), predicted, np.zeros(3), controls)["gene"].tolist()


def test_where_both_expect_the_same_nothing_can_tell():
    table = falsifying_genes(("g",), cells(1.0), np.array([1.0]), cells(1.0))
    assert pd.isna(table.loc[0, "cells_per_arm"])
    assert table.loc[0, "sentence"] == "g: the model and the sum expect the same, so it cannot tell them apart."


def test_no_gene_at_all_gives_an_empty_table():
    silent = np.zeros((3, 2))
    table = falsifying_genes(("a", "b"), silent, np.zeros(2), silent)
    assert table.empty
    assert {"gene", "effect_size", "cells_per_arm", "sentence"} <= set(table.columns)


@pytest.mark.parametrize(
    ("predicted", "sum_mean", "controls", "message"),
    [
        (np.ones((3, 1)), PAIR, np.ones((3, 2)), r"predicted cells have shape \(3, 1\); expected 2"),
        (np.ones((3, 2)), PAIR, np.ones((1, 2)), "There are 1 control cells"),
        (np.ones((3, 2)), PAIR[:1], np.ones((3, 2)), r"sum of single effects has shape \(1,\); expected 2"),
    ],
)
def test_wrong_shapes_are_named(predicted, sum_mean, controls, message):
    with pytest.raises(DataError, match=message):
        falsifying_genes(("a", "b"), predicted, sum_mean, controls)
