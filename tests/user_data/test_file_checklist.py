import gzip
import re
from dataclasses import replace

import anndata
import h5py
import numpy as np
import pytest

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.data.h5ad.issues import Severity
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.data.layout import Layout
from primeflow_core.data.repair import Repair
from primeflow_core.data.simulated_screen import EXAMPLE_FILE, example_h5ad
from primeflow_core.user_data.checklist_row import CheckMark, Mend, mended
from primeflow_core.user_data.file_checklist import checklist
from primeflow_core.user_data.uploads import BroughtFile
from primeflow_core.user_data.user_cells import Fixes, Own, Purpose, aligned
from tests.own_files import ENSEMBL, GENES, K562, LABELS, brought, counts, known, manifest, table

MODEL = manifest()


def looked_at(path, fixes=None, name="cells.h5ad", model=MODEL):
    return checklist(BroughtFile(path, sha256_of(path), name), fixes or Fixes(), model)


def row(found, subject):
    return next(entry for entry in found.rows if entry.subject == subject)


def test_a_good_file_is_ready_and_says_what_is_in_it(tmp_path):
    found = looked_at(brought(tmp_path))
    assert found.ready
    doubtful = [entry.subject for entry in found.rows if entry.mark is CheckMark.DOUBT]
    assert doubtful == ["Perturbations", "Known"]
    assert "4 of 5 conditions have fewer than 10 cells" in row(found, "Perturbations").text
    assert row(found, "Genes").text == "10 of 10 model genes are in your file."
    assert row(found, "Control").text == "12 cells labelled 'control'."
    assert row(found, "Context").text == "Used: all cells as k562."
    assert row(found, "Known").text == "The model knows 3 of your 4 perturbed conditions."
    assert found.stands_for == (("", K562),)
    assert {entry.condition.label: entry.cells for entry in found.known} == {"KLF1": 8, "CEBPA": 8, "CEBPA+KLF1": 8}


PROBLEMS = {
    "not logged": ({"x": counts() * 20.25}, "Values", r"not on the log scale\. Normalise now\?", Mend.NORMALISE),
    "scaled": ({"x": counts() - 5}, "Values", "are scaled. Upload them as they were before scaling", None),
    "Ensembl ids of other genes": (
        {"names": tuple(f"ENSG{i:011d}" for i in range(10)), "symbol": list(GENES)}, "Genes",
        r"^0 of 10 model genes are in your file \(your names look like Ensembl ids\)\. Choose the column with symbols",
        Mend.GENE_COLUMN,
    ),
    "another model's genes": (
        {"names": tuple(f"foo{i}" for i in range(10))}, "Genes", "0 of 10 .* is this the right model", None,
    ),
    "no condition": (
        {"obs": table().rename(columns={"condition": "guide"})}, "Perturbations", "Which one does", Mend.CONDITION,
    ),
    "no control": (
        {"obs": table([label.replace("control", "nobody") for label in LABELS])}, "Control",
        "labels seen: nobody, .* Which cells are unperturbed", Mend.CONTROL,
    ),
    "only controls": ({"obs": table(["control"] * 40)}, "Perturbations", "the cells you start from", Mend.UNTREATED),
    "few controls": ({"obs": table(["control"] * 3 + ["KLF1"] * 37)}, "Control", "8 are the fewest", Mend.CONTROL),
    "unknown context": (
        {"obs": table((["control"] * 10 + ["KLF1"] * 10) * 2, cell_type=["a"] * 20 + ["b"] * 20)}, "Context",
        "Which of the model's cells are yours", Mend.CONTEXTS,
    ),
    "a broken dose": (
        {"obs": table(dose=["1"] * 20 + ["much"] * 20)}, "Perturbations", "Leave the doses out", Mend.NO_DOSE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_problem_has_a_row_that_says_what_to_choose(tmp_path, name):
    contents, subject, text, mend = PROBLEMS[name]
    found = looked_at(brought(tmp_path, **contents))
    wrong = row(found, subject)
    assert not found.ready
    assert wrong.mark is CheckMark.BAD
    assert re.search(text, wrong.text), wrong.text
    assert wrong.mends[:1] == ((mend,) if mend else ())
    assert "--" not in " ".join(entry.text for entry in found.rows)


FIXES = {
    "not logged": Fixes(repair=Repair(normalise=True)),
    "Ensembl ids of other genes": Fixes(repair=Repair(gene_column="symbol")),
    "no condition": Fixes(wishes=Wishes(condition="guide")),
    "no control": Fixes(wishes=Wishes(control="nobody")),
    "only controls": Fixes(repair=Repair(untreated=True)),
    "unknown context": Fixes(contexts=(("a", "k562"), ("b", None))),
    "a broken dose": Fixes(wishes=Wishes(dose="none")),
}


@pytest.mark.parametrize("name", FIXES)
def test_what_was_offered_mends_it_and_the_cells_can_be_read(tmp_path, name):
    contents, subject, _, _ = PROBLEMS[name]
    path = brought(tmp_path, **contents)
    found = looked_at(path, FIXES[name])
    assert row(found, subject).mark is not CheckMark.BAD
    assert found.ready, [entry for entry in found.rows if entry.mark is CheckMark.BAD]
    own = Own(path, sha256_of(path), path.name, FIXES[name], Purpose.CONTEXT, "little", found.stands_for)
    assert aligned(own, MODEL).conditions == (known(),)


def test_genes_found_by_their_ensembl_ids_are_told(tmp_path):
    found = looked_at(brought(tmp_path, names=ENSEMBL))
    assert "10 of them under another name or as an Ensembl id" in row(found, "Genes").text


def test_missing_genes_within_bounds_are_a_note(tmp_path):
    found = looked_at(brought(tmp_path, names=(*GENES[:9], "foo")))
    assert row(found, "Genes").mark is CheckMark.DOUBT
    assert "The other 1 count as 0" in row(found, "Genes").text
    assert found.ready


def test_a_context_without_controls_is_left_out(tmp_path):
    lines = ["k562"] * 20 + ["hap1"] * 20
    labels = (["control"] * 10 + ["KLF1"] * 10) + ["KLF1"] * 20
    found = looked_at(
        brought(tmp_path, obs=table(labels, cell_type=lines)),
        Fixes(wishes=Wishes(covariates=("cell_type",)), contexts=(("hap1", "k562"),)),
    )
    assert found.ready
    assert {entry.standing for entry in found.conditions} >= {"control", "known: seen in training"}


def test_what_cannot_be_read_has_one_row(tmp_path):
    path = tmp_path / ("0" * 64 + ".h5ad")
    path.write_bytes(gzip.compress(b"x"))
    found = looked_at(path)
    assert [entry.subject for entry in found.rows] == ["Readable"]
    assert found.rows[0].text.startswith("cells.h5ad, unpacked: cells is in no format that is read here.")
    assert not found.ready


def test_counts_are_converted_and_the_row_says_so(tmp_path):
    found = looked_at(brought(tmp_path, counts()))
    assert row(found, "Values").mark is CheckMark.GOOD
    assert "Counts, converted to the log scale" in row(found, "Values").text
    assert found.ready


def test_mends_without_a_choice_change_the_fixes():
    assert mended(Fixes(), Mend.NORMALISE).repair.normalise
    assert mended(Fixes(), Mend.DISTINCT).repair.distinct
    assert mended(Fixes(), Mend.NO_DOSE).wishes.dose == "none"
    once = mended(Fixes(), Mend.UNTREATED)
    assert once.repair.untreated
    assert mended(once, Mend.UNTREATED) == Fixes()
    assert mended(Fixes(), Mend.CONTROL) == Fixes()


def test_the_example_is_simulated_and_ready_for_a_model_of_its_genes(tmp_path):
    path = tmp_path / EXAMPLE_FILE
    path.write_bytes(example_h5ad())
    genes = tuple(f"SIMG{i:03d}" for i in range(1, 501))
    found = checklist(
        BroughtFile(path, sha256_of(path), EXAMPLE_FILE),
        Fixes(contexts=(("sim-A", "k562"),)),
        replace(MODEL, genes=genes, simulated=True),
    )
    assert found.simulated
    assert found.ready
    assert path.stat().st_size < 1_000_000


def test_simulated_cells_are_refused_for_a_model_of_measured_ones_and_the_reverse(tmp_path):
    path = brought(tmp_path)
    other_way = looked_at(path, model=replace(MODEL, simulated=True))
    with h5py.File(path, "a") as file:
        file["uns/simulated"] = True
    simulated = looked_at(path)
    for found, text in ((simulated, "Your cells are simulated"), (other_way, "learned from simulated cells")):
        assert row(found, "Origin").mark is CheckMark.BAD
        assert text in row(found, "Origin").text
        assert not found.ready
        assert found.trainable
    assert looked_at(path, model=replace(MODEL, simulated=True)).ready


def test_a_context_of_two_covariates_is_found_by_its_whole_name_or_by_both_parts(tmp_path):
    covariates = (("cell_type", "k562"), ("treatment", "ifnb"))
    trained = tuple(replace(condition, covariates=covariates) for condition in MODEL.trained_on)
    other = tuple(replace(condition, covariates=(covariates[0], ("treatment", "none"))) for condition in trained)
    both = (*trained, *other)
    model = replace(
        MODEL, trained_on=both, tested_on=(), vocabulary=Vocabulary.from_conditions(both),
        layout=Layout(covariates=("cell_type", "treatment")),
    )  # fmt: skip
    labels = (["control"] * 10 + ["KLF1"] * 10) * 2
    by_both = brought(tmp_path, obs=table(labels, treatment=["IFNb"] * 20 + ["none"] * 20))
    wishes = Fixes(wishes=Wishes(covariates=("cell_type", "treatment")))
    stands_for = dict(looked_at(by_both, wishes, model=model).stands_for)
    assert stands_for["K562 · IFNb"] == covariates
    assert len(stands_for) == 2
    by_one = brought(tmp_path, obs=table(labels, treatment=["ifnb"] * 20 + ["none"] * 20))
    stands_for = dict(looked_at(by_one, Fixes(wishes=Wishes(covariates=("treatment",))), model=model).stands_for)
    assert stands_for["ifnb"] == covariates


DOUBTS = {
    "spellings of control": ({"obs": table([*LABELS[1:], "CONTROL"])}, "Control", r"control \(11\), CONTROL \(1\)"),
    "cells without a label": ({"obs": table([*LABELS[:-1], "unassigned"])}, "Perturbations", "'unassigned' 1"),
    "two kinds of one gene": (
        {"obs": table(perturbation_type=["CRISPRi"] * 15 + ["CRISPRa"] * 25)}, "Perturbations", "differ in obs column",
    ),
    "an unclear scale": ({"x": np.sqrt(counts())}, "Values", "nothing in them shows it"),
    "a context without control": (
        {"obs": table(cell_type=["K562"] * 12 + ["K562", "RPE1"] * 14)}, "Context", "No control cells for RPE1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBTS)
def test_each_warning_of_the_inspection_stands_in_a_row(tmp_path, name):
    contents, subject, text = DOUBTS[name]
    found = looked_at(brought(tmp_path, **contents))
    assert any(entry.subject == subject and re.search(text, entry.text) for entry in found.rows), found.rows
    said = " ".join(entry.text for entry in found.rows if entry.mark is not CheckMark.GOOD)
    warnings = [problem for problem in found.inspection.problems if problem.severity is Severity.WARNING]
    assert warnings
    assert all(problem.text in said for problem in warnings)
    assert "--" not in said


def test_mouse_genes_are_named_and_none_is_offered(tmp_path):
    genes = row(looked_at(brought(tmp_path, names=tuple(name.capitalize() for name in GENES))), "Genes")
    assert genes.mark is CheckMark.BAD
    assert genes.text.startswith("0 of 10 model genes are in your file (these look like mouse genes).")


def in_layers(folder, x=None):
    path = brought(folder)
    adata = anndata.read_h5ad(path)
    adata.layers["logged"] = adata.X.copy()
    adata.X = x
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize("x", [None, np.full((40, 10), -1.0, np.float32)], ids=["no X", "scaled X"])
def test_values_of_a_layer_are_offered_and_read(tmp_path, x):
    path = in_layers(tmp_path, x)
    found = looked_at(path)
    wrong = row(found, "Values")
    assert wrong.mark is CheckMark.BAD
    assert wrong.mends == (Mend.MATRIX,)
    assert "--" not in wrong.text
    assert "layers/logged" in found.matrices
    mended = looked_at(path, Fixes(repair=Repair(matrix="layers/logged")))
    assert mended.ready
    assert row(mended, "Values").text.startswith("Log-normalised, read from layer logged, up to")
