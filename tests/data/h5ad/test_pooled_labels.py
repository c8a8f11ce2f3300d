"""What one column puts together and another tells apart is warned of, or read by the other."""

import pandas as pd

from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.wishes import Wishes


def found_in(**columns):
    return find_layout(pd.DataFrame(columns), Wishes())


def told(found):
    return {problem.code: str(problem) for problem in found.problems}


GENES = ["NT"] * 4 + ["STAT1", "STAT1", "CUL3", "CUL3"]


def test_names_are_read_rather_than_a_word_for_all_that_is_perturbed():
    found = found_in(perturbation=["NT"] * 4 + ["KO"] * 4, gene=GENES)
    assert found.layout.condition == "gene"
    assert "pooled-labels" not in told(found)


def test_cytokines_are_read_rather_than_whether_there_was_one():
    found = found_in(treatment=["PBS"] * 4 + ["cytokine"] * 4, cytokine=["PBS"] * 4 + ["IL2", "IL2", "TNF", "TNF"])
    assert found.layout.condition == "cytokine"


def test_a_column_of_another_name_that_tells_one_label_apart_is_warned_of():
    found = found_in(condition=["NT"] * 4 + ["KO"] * 4, knocked_out=GENES)
    assert found.layout.condition == "condition"
    assert told(found)["pooled-labels"] == (
        "4 cells are read as one perturbation, 'KO'; obs column 'knocked_out' tells them apart: STAT1 (2), CUL3 (2). "
        "Choose it with --condition knocked_out."
    )


def test_guides_of_one_gene_and_coarser_columns_are_not_warned_of():
    guides = ["NT_1", "NT_2", "NT_1", "NT_2", "STAT1_1", "STAT1_2", "CUL3_1", "CUL3_2"]
    pathway = ["NT"] * 4 + ["interferon"] * 2 + ["ubiquitin"] * 2
    assert "pooled-labels" not in told(found_in(gene=GENES, guide_id=guides, pathway=pathway))
    pairs = ["ctrl"] * 4 + ["A+B"] * 4
    both = ["ctrl"] * 4 + ["A_1|B_1", "A_1|B_1", "A_2|B_1", "A_2|B_1"]
    assert "pooled-labels" not in told(found_in(condition=pairs, guides=both))


def test_batches_are_not_warned_of():
    assert "pooled-labels" not in told(found_in(gene=GENES, lane=["x", "y"] * 4, plate=["p", "q", "r", "s"] * 2))


def test_sciplex_products_and_their_doses_are_found():
    found = found_in(
        product_name=["Vehicle", "Vehicle", "Givinostat (ITF2357)", "(+)-JQ1"],
        dose=[0, 0, 10, 100],
        cell_type=["A549", "K562"] * 2,
    )
    assert (found.layout.condition, found.layout.control, found.layout.dose) == ("product_name", "Vehicle", "dose")
