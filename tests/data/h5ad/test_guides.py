import pandas as pd
import pytest

from primeflow_core.data.h5ad.condition_parsing import condition_table
from primeflow_core.data.h5ad.guides import gene_of_guide
from primeflow_core.data.h5ad.obs_columns import find_layout
from primeflow_core.data.h5ad.wishes import Wishes


@pytest.mark.parametrize(
    ("label", "gene"),
    [
        ("ZAP70_1", "ZAP70"), ("ZAP70_g1", "ZAP70"), ("sgZAP70-2", "ZAP70"), ("sgZAP70_2", "ZAP70"),
        ("ZAP70g1", "ZAP70"), ("ZAP70_P1P2", "ZAP70"), ("9903_ZAP70_P1P2_ENSG00000115085", "ZAP70"),
        ("sgGATA1", "GATA1"), ("sgGATA1-3", "GATA1"), ("ZAP70-sg2", "ZAP70"), ("HLA-A_2", "HLA-A"),
    ],
)  # fmt: skip
def test_a_guide_is_read_as_its_gene(label, gene):
    assert gene_of_guide(label) == gene


@pytest.mark.parametrize(
    "label",
    ["GATA1", "NKX2-1", "HLA-A", "MT-CO1", "AC012345.1", "drug_03", "gene_07", "SGK1", "5-FU", "(+)-JQ1", "A+B"],
)
def test_symbols_and_drugs_are_no_guides(label):
    assert gene_of_guide(label) == label


LABELS = ["control", "ZAP70_1", "ZAP70_2", "LCK_1", "LCK_2", "CD3E_1"] * 2


def test_guides_of_one_gene_are_told_and_merged_on_request():
    obs = pd.DataFrame({"condition": LABELS})
    found = find_layout(obs, Wishes())
    told = next(str(problem) for problem in found.problems if problem.code == "guides")
    assert "ZAP70_1, ZAP70_2 look like guides of one gene, ZAP70; so do those of 2 genes" in told
    assert "--merge-guides" in told
    merged = find_layout(obs, Wishes(merge_guides=True)).layout
    assert merged.guides
    assert find_layout(obs, Wishes.exactly(merged)).layout == merged
    labels = [[c.label for c in condition_table(obs, one, []).conditions] for one in (found.layout, merged)]
    assert labels == [LABELS[:6], ["control", "ZAP70", "LCK", "CD3E"]]


@pytest.mark.parametrize(
    "labels", [["control", "drug_1", "Drug1", "Drug2"], ["control", "GATA1", "GATA2"], ["NTC_1", "NTC_2", "A"]]
)
def test_other_numbered_labels_are_not_called_guides(labels):
    assert "guides" not in [p.code for p in find_layout(pd.DataFrame({"condition": labels}), Wishes()).problems]


def test_two_guides_of_one_gene_in_a_cell_are_that_gene():
    obs = pd.DataFrame({"condition": ["ctrl", "A", "A+A", "B", "A+B", "B+A"]})
    problems = []
    layout = find_layout(obs, Wishes()).layout
    table = condition_table(obs, layout, problems)
    assert [condition.label for condition in table.conditions] == ["control", "A", "B", "A+B"]
    assert table.condition_of.tolist() == [0, 1, 1, 2, 3, 3]
    assert "A+A (1): a perturbation named twice is read once" in next(
        str(p) for p in problems if p.code == "repeated-parts"
    )
