"""One gene, many names: what the bundled table says, and what it refuses to guess."""

import gzip
from collections import Counter
from importlib.resources import files

import pytest

from primeflow_core.data import gene_names
from primeflow_core.data.gene_names import aliases_of, current_symbol, key_of, kind_of_names, symbols_of


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("MAP2K6", "MAP2K6"),
        ("map2k6 ", "MAP2K6"),
        ("MKK6", "MAP2K6"),
        ("PRKMK6", "MAP2K6"),
        ("ENSG00000108984", "MAP2K6"),
        ("ensg00000108984.14", "MAP2K6"),
        ("MAP2K6_ENSG00000108984", "MAP2K6"),
        ("SEPT1", "SEPTIN1"),
        ("c1ORF112", "FIRRM"),
        ("PARK7", "PARK7"),
        ("p53", "TP53"),
    ],
)
def test_every_name_leads_to_the_current_symbol(name, symbol):
    assert current_symbol(name) == symbol


@pytest.mark.parametrize("name", ["", " ", "drug_03", "ENSG00000000000", "MAPK14B", "|", "MEK6|MKK6"])
def test_what_is_no_gene_has_no_symbol(name):
    assert current_symbol(name) is None
    assert symbols_of(name) == ()
    assert aliases_of(name) == ()


def test_a_name_of_several_genes_is_not_guessed():
    assert set(symbols_of("p38")) == {"AHSA1", "AIMP2", "MAPK14"}
    assert current_symbol("p38") is None


def test_a_current_symbol_beats_the_alias_of_another_gene():
    assert "AR" in aliases_of("AREG")
    assert current_symbol("AR") == "AR"


@pytest.fixture(scope="module")
def genes() -> list[list[str]]:
    """Symbol, aliases, previous symbols and number of each gene, as the file has them."""
    with gzip.open(files("primeflow_core.data") / "gene_names.tsv.gz", "rt", encoding="utf-8") as stream:
        return [line.rstrip("\n").split("\t") for line in stream]


def test_a_previous_symbol_beats_an_alias(genes):
    symbols = {key_of(gene[0]) for gene in genes}
    aliases = {key_of(name) for gene in genes for name in gene[1].split("|")}
    previous = [(key_of(name), gene[0]) for gene in genes for name in gene[2].split("|") if name]
    times = Counter(key for key, _ in previous)
    only_aliases = aliases - symbols
    both = [(key, symbol) for key, symbol in previous if key in only_aliases and times[key] == 1]
    assert len(both) > 100
    assert all(current_symbol(key) == symbol for key, symbol in both)


def test_every_symbol_and_every_ensembl_id_leads_to_its_gene(genes):
    assert len({key_of(gene[0]) for gene in genes}) == len(genes) > 40_000
    assert all(current_symbol(gene[0]) == gene[0] for gene in genes)
    assert all(current_symbol(f"ENSG{int(gene[3]):011}") == gene[0] for gene in genes if gene[3])


def test_aliases_leave_the_name_itself_out():
    assert aliases_of("MAP2K6") == ("MEK6", "MKK6", "SAPKK3", "MAPKK6", "PRKMK6")
    assert aliases_of("mkk6") == ("MAP2K6", "MEK6", "SAPKK3", "MAPKK6", "PRKMK6")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["KLF1", "mkk6", "what"], "symbol"),
        (["ENSG00000108984", "ENSG00000105610.7", "KLF1"], "ensembl"),
        (["ENSG00000108984.14", "ENSG00000105610.7", "KLF1"], "versioned ensembl"),
        (["ENSG00000182378.15_PAR_Y", "ENSG00000105610.7"], "versioned ensembl"),
        (["ENSMUSG00000020623", "ENSMUSG00000029580.14"], "foreign ensembl"),
        (["Actb", "Gapdh", "Xist", "mt-Co1", "H2-K1", "1700001O22Rik", "Gm10076"], "mouse"),
        (["C1orf112", "ACTB", "HLA-A", "MT-CO1"], "symbol"),
        (["gene_1", "gene_2", "KLF1"], "other"),
        ([], "other"),
    ],
)
def test_the_kind_of_names_is_that_of_most(names, kind):
    assert kind_of_names(names) == kind


def test_the_table_is_read_once(monkeypatch):
    gene_names._table.cache_clear()
    reads, kept = [], gzip.decompress
    monkeypatch.setattr(gene_names.gzip, "decompress", lambda packed: reads.append(packed) or kept(packed))
    for name in ("KLF1", "MKK6", "ENSG00000108984", "nothing"):
        current_symbol(name)
    assert len(reads) == 1
