import numpy as np
import pandas as pd
import pytest

from primeflow_core.data.gene_matching import gene_columns, match_genes
from tests.own_files import ENSEMBL, GENES


@pytest.mark.parametrize(
    ("names", "translated", "kind"),
    [
        (GENES, 0, "symbol"),
        (tuple(name.lower() for name in GENES), 10, "symbol"),
        (ENSEMBL, 10, "ensembl"),
    ],
)
def test_genes_are_found_under_any_name(names, translated, kind):
    order = np.random.default_rng(0).permutation(len(names))
    match = match_genes([names[i] for i in order], GENES)
    np.testing.assert_array_equal(match.columns, np.argsort(order))
    assert (match.found, match.translated, match.kind) == (10, translated, kind)
    assert match.enough


def test_a_name_as_written_beats_one_that_means_the_same():
    match = match_genes(["p53", "tp53", "TP53"], ["TP53"])
    assert match.columns.tolist() == [2]
    assert match_genes(["p53"], ["TP53"]).columns.tolist() == [0]


def test_an_older_symbol_of_the_model_is_found_too():
    assert match_genes(["MARCHF1"], ["MARCH1"]).columns.tolist() == [0]


@pytest.mark.parametrize(("found", "enough"), [(8, True), (7, False), (0, False)])
def test_four_fifths_of_the_genes_are_enough(found, enough):
    names = [*GENES[:found], "foo", "bar"]
    match = match_genes(names, GENES)
    assert match.found == found
    assert match.enough is enough
    assert (match.columns[found:] == -1).all()


def test_columns_of_names_are_ordered_by_what_they_find():
    var = pd.DataFrame({"n": range(10), "symbol": GENES, "same": ["x"] * 10}, index=[f"p{i}" for i in range(10)])
    assert list(gene_columns(var, GENES).items()) == [("symbol", 10), (None, 0)]


def test_mouse_genes_stand_for_no_human_gene_and_the_other_way_round():
    mouse = tuple(name.capitalize() for name in GENES)
    for names, genes in ((mouse, GENES), (GENES, mouse), (("ENSMUSG00000029580",) * 10, GENES)):
        assert match_genes(names, genes).found == 0
    assert match_genes(mouse, GENES).kind == "mouse"
    assert match_genes(mouse, mouse).found == 10


def test_ids_with_versions_are_found_whatever_the_version():
    ids = [f"{name.split('.')[0]}.{i}" for i, name in enumerate(ENSEMBL)]
    assert match_genes(ids, GENES).found == 10
    assert match_genes(ids, ["ENSG00000141510", "ENSG00000105610.99"]).found == 2
    assert match_genes(["ENSG00009999999.1"], ["ENSG00009999999"]).found == 1
