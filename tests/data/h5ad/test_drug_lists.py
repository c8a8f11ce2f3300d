"""Lists of drugs written as text are read whole or not at all."""

import pytest

from primeflow_core.data.h5ad.drug_lists import LONGEST, ListedDrug, listed_drugs


def test_every_drug_is_read_with_its_dose():
    text = """[('Dabrafenib', 0.5, 'uM'), ("5'-drug (S)", 10, 'nM')]"""
    assert listed_drugs(text) == (ListedDrug("Dabrafenib", "0.5 uM"), ListedDrug("5'-drug (S)", "10 nM"))


@pytest.mark.parametrize(
    "text",
    [
        "KLF1+MAP2K6",
        "[('A', 0.5, 'uM'), ('B', 'high', 'uM')]",
        "[('A', 0.5, 'uM'), B]",
        "[('A', 0.5)]",
        "[('A', True, 'uM')]",
        "[('', 0.5, 'uM')]",
        "[('A', 0.5, 'uM')",
        "[(" * 900,
        "[('" + "A" * LONGEST + "', 0.5, 'uM')]",
        "[('A', 0.5, 'uM'), __import__('os').getcwd()]",
    ],
)
def test_what_is_no_such_list_loses_no_part(text):
    assert listed_drugs(text) == ()
