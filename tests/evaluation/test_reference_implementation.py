"""Evaluation against an independent, naive reading of the metrics, and against the reference implementation's figures
on real cells."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from primeflow_core.data.datasets import open_cells
from primeflow_core.data.split_file import listed_parts
from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.distances import energy_distance, mmd
from primeflow_core.evaluation.genes import top_genes
from primeflow_core.evaluation.labelled import LabelledCells, labelled
from primeflow_core.evaluation.metrics.registry import ranked_metrics
from primeflow_core.evaluation.pair import paired
from primeflow_core.evaluation.scores import score
from primeflow_core.evaluation.table import evaluate
from tests.evaluation.from_cells import t_scores


def together(cells_by_label, genes, source="prediction"):
    """One group of labelled cells from a mapping label -> (n, G)."""
    labels = np.array([label for label, cells in cells_by_label.items() for _ in range(len(cells))], dtype=object)
    values = np.concatenate(list(cells_by_label.values())).astype(np.float32)
    names = np.array([f"c{i}" for i in range(len(labels))])
    return LabelledCells(sp.csr_matrix(values), tuple(genes), labels, (("k",),) * len(labels), names, source)


def naive_scores(one, other, controls, axes, centre, genes, k):
    """The five metrics of two float64 arrays, every term by the shortest way."""

    def distance(a, b):
        return cdist(a, b).mean() - cdist(a, a).mean() / 2 - cdist(b, b).mean() / 2

    def change(cells):
        return np.log2(cells.mean(0) + 0.1) - np.log2(controls.mean(0) + 0.1)

    def first(cells):
        spread = cells.var(0, ddof=1) / len(cells) + controls.var(0, ddof=1) / len(cells)
        t = np.divide(cells.mean(0) - controls.mean(0), np.sqrt(spread), out=np.zeros(len(genes)), where=spread > 0)
        return {gene for _, gene in sorted(zip(-np.abs(t).round(9), genes, strict=True))[:k]}

    a, b = change(one), change(other)
    return {
        "cosine_logfc": a @ b / np.linalg.norm(a) / np.linalg.norm(b),
        "rmse_mean": np.sqrt(((one.mean(0) - other.mean(0)) ** 2).mean()),
        "mmd_gex": distance(one, other),
        "mmd_pca": distance((one - centre) @ axes, (other - centre) @ axes),
        "deg_recall": len(first(one) & first(other)) / k,
    }


def sparse_cells(generator, cells, genes=40):
    values = generator.gamma(2.0, 1.0, (cells, genes)) * generator.uniform(0.5, 2, genes)
    return np.where(generator.random(values.shape) < 0.7, 0.0, values).astype(np.float32)


def test_the_whole_table_is_the_naive_one():
    generator = np.random.default_rng(7)
    genes = [f"g{i:02d}" for i in range(40)]
    truth = {label: sparse_cells(generator, n) for label, n in (("control", 30), ("A", 20), ("B", 25), ("A+B", 31))}
    predicted = {label: sparse_cells(generator, n) for label, n in (("A", 22), ("A+B", 17), ("B", 9))}
    table = evaluate(paired(together(predicted, genes), together(truth, genes), ["c"]), pcs=5, top_genes=8)
    table = table.set_index("condition")

    everything = np.concatenate(list(truth.values())).astype(np.float64)
    centre = everything.mean(0)
    axes = np.linalg.svd(everything - centre, full_matrices=False)[2][:5].T
    wide = {label: cells.astype(np.float64) for label, cells in truth.items()}
    names = ["A", "B", "A+B"]
    naive = [
        [naive_scores(predicted[i].astype(float), wide[j], wide["control"], axes, centre, genes, 8) for j in names]
        for i in names
    ]
    for metric, larger in ((one.name, one.larger_is_better) for one in ranked_metrics()):
        scores = np.array([[cell[metric] for cell in row] for row in naive])
        np.testing.assert_allclose(table.loc[names, metric], np.diagonal(scores), rtol=1e-9, atol=1e-12)
        for j, name in enumerate(names):
            column = -scores[:, j] if larger else scores[:, j]
            ahead = sum(value < column[j] - 1e-9 for value in column)
            level = sum(abs(value - column[j]) <= 1e-9 for value in column)
            assert table.loc[name, f"{metric}_rank"] == (ahead + (level - 1) / 2) / 2
        assert table.loc["mean", metric] == pytest.approx(np.diagonal(scores).mean())


def test_the_same_cells_for_every_condition_rank_in_the_middle():
    generator = np.random.default_rng(8)
    genes = [f"g{i:02d}" for i in range(40)]
    truth = {label: sparse_cells(generator, 20) for label in ("control", "A", "B", "C")}
    cells = sparse_cells(generator, 15)
    shuffled = {label: cells[generator.permutation(15)] for label in ("A", "B", "C")}
    table = evaluate(paired(together(shuffled, genes), together(truth, genes), ["c"]), pcs=5, top_genes=8)
    assert (table.filter(like="_rank") == 0.5).all(axis=None)


@pytest.fixture(scope="module")
def k562(mirror):
    """(reference cells of the test part, a function label -> training cells)."""
    truth = labelled(open_cells("perturbench-devel").within(["cell_type"]))
    parts = listed_parts(mirror / "k562-combo-split.csv")
    part = np.array([parts.get(name, "") for name in truth.names.tolist()])
    reference = truth.subset(np.flatnonzero(part == "test"))

    def trained(label):
        return truth.values[(part == "train") & (truth.labels == label)].toarray()

    return reference, trained


def scored(k562, predict):
    """The mean row for a prediction made by ``predict(label)`` of each of the five test pairs."""
    reference, _ = k562
    pairs = [label for label in dict.fromkeys(reference.labels.tolist()) if label != "control"]
    prediction = together({label: predict(label) for label in pairs}, reference.genes)
    grouped = LabelledCells(
        reference.values, reference.genes, reference.labels, (("k",),) * len(reference.labels), reference.names, "test"
    )
    pair = paired(prediction, grouped, ["cell_type"])
    assert len(pair.scored) == 5
    return evaluate(pair).iloc[-1]


def test_training_controls_as_prediction(k562):
    """PerturBench's own code gives .337, .352 and .48; ties move the recall."""
    _, trained = k562
    mean = scored(k562, lambda label: trained("control"))
    assert mean["mmd_gex"] == pytest.approx(0.337, abs=6e-4)
    assert mean["mmd_pca"] == pytest.approx(0.352, abs=6e-4)
    assert mean["deg_recall"] == pytest.approx(0.48, abs=0.03)
    assert (mean.filter(like="_rank") == 0.5).all()


def test_sum_of_single_effects_as_prediction(k562):
    """The reference's controls moved by both single shifts, cut at 0: .119 and .114 by PerturBench's own code.

    Its recall, .37, is lower than ours: without variance in controls and prediction its t is rounding.
    """
    reference, trained = k562
    base = reference.values[reference.labels == "control"].toarray()

    def moved(label):
        shift = sum(trained(part).mean(axis=0) - trained("control").mean(axis=0) for part in label.split("+"))
        return np.maximum(base + shift, 0)

    mean = scored(k562, moved)
    assert mean["mmd_gex"] == pytest.approx(0.119, abs=6e-4)
    assert mean["mmd_pca"] == pytest.approx(0.114, abs=6e-4)
    assert 0.37 <= mean["deg_recall"] <= 0.55


def test_mix_of_the_singles_cells_as_prediction(k562):
    """100 cells drawn from both singles: .106, .107 and .57 by PerturBench's own code, another draw."""
    _, trained = k562
    generator = np.random.default_rng(0)

    def mixed(label):
        both = np.concatenate([trained(part) for part in label.split("+")])
        return both[generator.choice(len(both), 100, replace=False)]

    mean = scored(k562, mixed)
    assert mean["mmd_gex"] == pytest.approx(0.106, abs=0.012)
    assert mean["mmd_pca"] == pytest.approx(0.107, abs=0.012)
    assert mean["deg_recall"] == pytest.approx(0.57, abs=0.08)


def test_half_against_half_is_the_ceiling(k562, mirror):
    """.068, .061 and .55 by PerturBench's own code on one halving, nearly all of it the bias of 50 cells.

    Single halvings of these cells range from .064 to .081, so the mean over several lies beside that one.
    """
    reference, trained = k562
    truth = labelled(open_cells("perturbench-devel").within(["cell_type"]))
    cells = truth.values[truth.labels == "KLF1+MAP2K6"].toarray()
    assert 0.055 < mmd(cells[::2], cells[1::2]) < 0.075
    assert energy_distance(cells[::2], cells[1::2]) == pytest.approx(0, abs=0.02)
    mean = bounds(score(paired(reference, reference, ["cell_type"])), {("k562",): trained("control")}).iloc[-1]
    assert mean["mmd_gex_ceiling"] == pytest.approx(0.068, abs=0.01)
    assert mean["mmd_pca_ceiling"] == pytest.approx(0.061, abs=0.01)
    assert mean["deg_recall_ceiling"] == pytest.approx(0.55, abs=0.08)
    assert mean["energy_distance_ceiling"] == pytest.approx(0, abs=0.02)
    assert mean["mmd_gex_floor"] == pytest.approx(0.337, abs=6e-4)


def test_the_order_of_real_cells_and_genes_moves_no_top_gene(k562):
    reference, trained = k562
    generator = np.random.default_rng(1)
    for label in ("KLF1", "MAP2K3", "TGFBR2"):
        cells, controls = trained(label), trained("control")
        found = top_genes(t_scores(cells, controls), reference.genes, 50)
        rows, columns = generator.permutation(len(cells)), generator.permutation(len(reference.genes))
        again = t_scores(np.ascontiguousarray(cells[rows][:, columns]), controls[::-1][:, columns])
        assert top_genes(again, [reference.genes[i] for i in columns], 50) == found
