"""What people type or paste, found among the names that a model or a file has."""

import pytest

from primeflow_core.data.gene_search import NameSearch, found_genes

NAMES = ("KLF1", "MAP2K6", "MAPK14", "C1orf112", "ENSG00000105610.7", "drug_03", "CEBPA", "CEBPB")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("KLF1", "KLF1"),
        (" klf1 ", "KLF1"),
        ("mkk6", "MAP2K6"),
        ("ENSG00000108984", "MAP2K6"),
        ("FIRRM", "C1orf112"),
        ("ENSG00000105610", "ENSG00000105610.7"),
        ("DRUG_03", "drug_03"),
    ],
)
def test_a_name_is_found_however_it_is_written(typed, name):
    assert NameSearch(NAMES).find(typed) == name


@pytest.mark.parametrize("typed", ["", "TP53", "p38", "drug_3"])
def test_what_is_not_there_is_not_found(typed):
    assert NameSearch(NAMES).find(typed) is None


def test_a_name_as_written_wins_over_another_case_and_another_gene():
    search = NameSearch(("abc", "ABC", "MKK6", "MAP2K6"))
    assert [search.find(name) for name in ("ABC", "abc", "Abc", "MKK6", "MEK6")] == [
        "ABC", "abc", "abc", "MKK6", "MAP2K6",
    ]  # fmt: skip


def test_two_old_names_of_one_gene_are_not_told_apart():
    assert NameSearch(("MKK6", "MEK6")).find("MAP2K6") is None


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("p38", ("MAPK14",)),
        ("cebp", ("CEBPA", "CEBPB")),
        ("MAPK14B", ("MAPK14",)),
        ("qqqqqq", ()),
        ("", ()),
    ],
)
def test_suggestions(typed, names):
    assert NameSearch(NAMES).suggestions(typed)[: len(names) or None] == names


def test_suggestions_are_few_and_differ():
    found = NameSearch([f"GENE{i}" for i in range(40)]).suggestions("gene")
    assert len(found) == len(set(found)) == 3


@pytest.mark.parametrize("between", [" ", ",", ";", "\n", "\t", ", ", "\r\n", ";;"])
def test_a_pasted_list_is_cut_at_any_separator(between):
    assert found_genes(between.join(["klf1", "MKK6", "nope"]), NAMES) == (("KLF1", "MAP2K6"), ("nope",))


def test_a_pasted_list_keeps_its_order_and_no_repeats():
    found = found_genes("'MEK6', \"klf1\"; mkk6 KLF1\nNope nope, TP53 ,", NAMES)
    assert found.matched == ("MAP2K6", "KLF1")
    assert found.unknown == ("Nope", "TP53")


def test_nothing_typed_finds_nothing():
    assert found_genes(" \n, ;", NAMES) == ((), ())
