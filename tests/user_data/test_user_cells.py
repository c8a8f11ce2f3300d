from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primeflow_core.data.conditions import Condition, Perturbation, Vocabulary
from primeflow_core.data.datasets import dataset_named
from primeflow_core.data.h5ad.scale import log_normalised
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.data.repair import Repair
from primeflow_core.errors import DataError
from primeflow_core.model_store.condition_matching import LEFT_OUT, UNKNOWN, ConditionMatch
from primeflow_core.prediction.measured_comparison import background, compared
from primeflow_core.user_data.uploads import BroughtFile
from primeflow_core.user_data.user_cells import Draft, Fixes, Own, OwnShelf, Purpose, aligned, known_fixes, read_own
from tests.own_files import ENSEMBL, GENES, K562, LABELS, brought, counts, known, logged, manifest, table

MODEL = manifest()


def own(path: Path, fixes: Fixes | None = None, purpose: Purpose = Purpose.TRUTH, context: str = "") -> Own:
    return Own(path, sha256_of(path), path.name, fixes or Fixes(), purpose, "little", ((context, K562),))


def test_truth_is_in_the_words_and_the_order_of_the_model(tmp_path):
    shuffled = np.random.default_rng(1).permutation(len(GENES))
    names = tuple(ENSEMBL[i] for i in shuffled)
    labels = [label.replace("KLF1", "klf1").replace("CEBPA", "CEBP") for label in LABELS]
    x = np.log1p(counts())
    cells = aligned(own(brought(tmp_path, x[:, shuffled], table(labels), names)), MODEL)
    assert cells.genes == GENES
    assert set(cells.conditions) == {known(), known("KLF1"), known("CEBPA"), known("CEBPA", "KLF1")}
    np.testing.assert_allclose(cells.dense(), x[: len(LABELS) - 4], rtol=1e-6)
    np.testing.assert_array_equal(cells.where(known("KLF1")), np.arange(12, 20))
    assert cells.source == "cells.h5ad"
    assert cells.layout.covariates == ("cell_type",)


def test_only_controls_are_cells_to_start_from(tmp_path):
    cells = aligned(own(brought(tmp_path), purpose=Purpose.CONTEXT), MODEL)
    assert cells.conditions == (known(),)
    assert len(cells) == 12


def test_they_can_be_compared_with_predictions(tmp_path):
    cells = aligned(own(brought(tmp_path)), MODEL)
    there = background(cells, GENES, known(), tmp_path)
    assert len(there.controls) == 12
    measured = cells.dense(cells.where(known("KLF1")))
    found = compared(measured, measured, there, GENES, top=3)
    assert found.agreement["cosine_logfc"].value > 0.5


def test_counts_are_normalised_over_all_genes_of_the_file_and_missing_genes_are_zero(tmp_path):
    names = (*GENES[:8], "EXTRA1", "EXTRA2")
    path = brought(tmp_path, counts(), names=names)
    cells = aligned(own(path, Fixes(repair=Repair(normalise=True))), MODEL)
    normalised = log_normalised(read_own(own(path, Fixes(repair=Repair(normalise=True)))).values).shape
    assert normalised == (40, 10)
    totals = counts().sum(axis=1)
    expected = np.log1p(counts() * (np.median(totals) / totals)[:, None])[:36, :8]
    np.testing.assert_allclose(cells.dense()[:, :8], expected, rtol=1e-5)
    assert not cells.dense()[:, 8:].any()


def test_too_few_genes_are_refused_with_numbers(tmp_path):
    path = brought(tmp_path, names=(*GENES[:5], *(f"other{i}" for i in range(5))))
    with pytest.raises(DataError, match=r"5 of 10 model genes are in cells\.h5ad; 80% are needed"):
        aligned(own(path), MODEL)


def test_contexts_that_stand_for_none_are_left_out_and_two_of_one_become_one(tmp_path):
    lines = (["k562-a"] * 6 + ["k562-b"] * 6 + ["other"] * 8) * 2
    labels = ["control"] * 20 + ["KLF1"] * 20
    path = brought(tmp_path, obs=table(labels, cell_type=lines))
    both = replace(own(path), stands_for=(("k562-a", K562), ("k562-b", K562)))
    cells = aligned(both, MODEL)
    assert cells.conditions == (known(), known("KLF1"))
    assert np.bincount(cells.condition_of).tolist() == [12, 12]


def test_the_fingerprint_changes_with_every_choice(tmp_path):
    first = own(brought(tmp_path, counts()), Fixes(repair=Repair(normalise=True)))
    others = (
        replace(first, purpose=Purpose.CONTEXT),
        replace(first, fixes=replace(first.fixes, wishes=Wishes(control="KLF1"))),
        replace(first, fixes=replace(first.fixes, repair=Repair(normalise=True, distinct=True))),
    )
    prints = {aligned(entry, MODEL).sha256 for entry in (first, *others)}
    assert len(prints) == 4
    assert aligned(first, MODEL).sha256 in prints
    assert sha256_of(first.file) not in prints


def test_a_file_that_is_gone_says_so(tmp_path):
    gone = own(brought(tmp_path))
    gone.file.unlink()
    with pytest.raises(DataError, match=r"cells\.h5ad is no longer kept on this machine"):
        aligned(gone, MODEL)


def test_another_model_is_refused(tmp_path):
    other = replace(MODEL, vocabulary=Vocabulary.from_conditions([Condition((), (("cell_type", "hap1"),))]))
    with pytest.raises(DataError, match="was checked against another model"):
        aligned(own(brought(tmp_path)), other)


def test_nothing_known_is_refused(tmp_path):
    path = brought(tmp_path)
    with pytest.raises(DataError, match="has no cells that little knows"):
        aligned(own(path, context="elsewhere"), MODEL)


def test_repeated_names_are_made_distinct_when_the_owner_says_so(tmp_path):
    names = ("GATA1", "GATA1", *GENES[1:])
    obs = table().set_axis(["same", "same", *(f"c{i}" for i in range(38))])
    with pytest.warns(UserWarning, match="not unique"):
        path = brought(tmp_path, obs=obs, names=names)
    with pytest.raises(DataError, match="used more than once"):
        read_own(own(path))
    cells = read_own(own(path, Fixes(repair=Repair(distinct=True))))
    assert cells.genes == GENES
    assert cells.names[:2].tolist() == ["same", "same-1"]
    np.testing.assert_allclose(cells.dense(), logged(counts(40, 11))[:, [0, *range(2, 11)]], rtol=1e-6)


def test_a_file_of_untreated_cells_can_be_started_from(tmp_path):
    path = brought(tmp_path, obs=table().drop(columns="condition"))
    cells = aligned(own(path, Fixes(repair=Repair(untreated=True)), Purpose.CONTEXT), MODEL)
    assert cells.conditions == (known(),)
    assert len(cells) == 40


def test_doses_that_the_model_does_not_know_are_not_guessed():
    match = ConditionMatch(MODEL, {"": K562})
    assert match.meant(Condition((Perturbation("KLF1", 2.0),))) is None
    assert match.meant(Condition((Perturbation("klf1"),))) == known("KLF1")
    unknown, left_out = match.described(
        [Condition((Perturbation("XYZ9"),)), Condition((Perturbation("KLF1"),), (("line", "b"),))], [3, 4]
    )
    assert (unknown.standing, left_out.standing) == (UNKNOWN, LEFT_OUT)
    assert left_out.cells == 4


def test_the_shelf_gives_by_token_only_and_lets_the_oldest_go(tmp_path):
    shelf, cells = OwnShelf(most=2), own(brought(tmp_path))
    tokens = [shelf.put(replace(cells, name=f"{i}.h5ad")) for i in range(3)]
    assert shelf.get(tokens[0]) is None
    found = shelf.get(tokens[1])
    assert found is not None
    assert found.name == "1.h5ad"
    assert shelf.get("") is None
    assert all(len(token) >= 20 for token in tokens)
    assert shelf.holds(cells.sha256)
    for token in tokens:
        shelf.forget(token)
    assert not shelf.holds(cells.sha256)


def test_a_draft_holds_its_file_until_it_is_given_up_or_long_unasked(tmp_path):
    path, now = brought(tmp_path), [0.0]
    shelf = OwnShelf(held_for=100, clock=lambda: now[0])
    cells = own(path)
    draft = Draft(BroughtFile(path, cells.sha256, "a.h5ad"))
    mine, theirs = shelf.put(draft), shelf.put(draft)
    assert shelf.get(mine) is None
    assert shelf.draft(mine) == draft
    changed = replace(draft, fixes=Fixes(repair=Repair(normalise=True)))
    assert shelf.put(changed, mine) == mine
    assert shelf.draft(mine) == changed
    shelf.forget(mine)
    assert shelf.give_up(cells.sha256) == ()
    now[0] = 99.0
    assert shelf.draft(theirs) == draft
    now[0] = 198.0
    assert shelf.holds(cells.sha256)
    now[0] = 200.0
    assert not shelf.holds(cells.sha256)
    assert shelf.give_up("other") == tuple(sorted(("other", cells.sha256)))
    assert shelf.give_up("other") == ("other",)


def test_a_file_that_is_brought_again_is_no_longer_given_up(tmp_path):
    path, now = brought(tmp_path), [0.0]
    shelf = OwnShelf(held_for=100, clock=lambda: now[0])
    cells = own(path)
    shelf.put(cells)
    assert shelf.give_up(cells.sha256) == ()
    shelf.put(cells)
    now[0] = 200.0
    assert shelf.give_up("other") == ("other",)


def test_a_file_that_a_model_learned_from_is_read_as_its_training_read_it():
    assert known_fixes("2" * 64, [MODEL]) == Fixes()
    learned = replace(
        MODEL, data_sha256="1" * 64, layout=replace(MODEL.layout, condition="guide", separator=None),
        provenance={"reading": {"normalise": True, "gene_column": "symbol"}},
    )  # fmt: skip
    found = known_fixes("1" * 64, [MODEL, learned])
    assert (found.wishes.condition, found.wishes.separator) == ("guide", "none")
    assert found.repair == Repair(normalise=True, gene_column="symbol")


def test_a_file_that_is_a_named_data_set_is_read_as_that():
    immune = dataset_named("kang18-ifnb-pbmc")
    assert immune.sha256 is not None
    found = known_fixes(immune.sha256, [])
    assert (found.wishes.condition, found.wishes.covariates) == ("group_id", ("cluster_id",))
    assert found.repair.normalise
