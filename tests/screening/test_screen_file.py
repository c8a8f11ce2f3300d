"""The file of a finished screen: what it keeps, that it comes back, damaged ones; what moves a gene."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from primeflow_core.errors import DataError, SettingError
from primeflow_core.models.checkpoint import read_manifest
from primeflow_core.screening.next_experiments import next_experiments
from primeflow_core.screening.ranking import best_first, matrix, ranked
from primeflow_core.screening.screen_file import SAID, Screen, about, moves, read_screen, write_screen
from tests import screens
from tests.screening.test_trust import TRUTH, told

NAMES = ("KLF1+CEBPA", "A+C", "B+C", "C+D")
GENES = ("KLF1", "HBG2", "CD34")
CHANGES = np.array([[3.0, 1.0, 0.5], [0.5, -2.0, 0.0], [-1.0, 0.1, 0.0], [0.0, 0.0, 0.1]])


def screen_of(*, changes: bool = True, scores=(1.0, 4.0, np.nan, 2.0)) -> Screen:
    asked = screens.order(NAMES)
    rows = screens.table_of(asked, scores, screens.noise(4, 0.5), changes=CHANGES)
    table = ranked(rows, asked, lambda c: "each part seen alone")
    rows = rows.take(best_first(rows, asked))
    kept, errors = (matrix(rows, name).astype(np.float16) for name in ("change", "change_error"))
    if not changes:
        kept = errors = np.zeros((0, 0), np.float16)
    manifest = read_manifest(Path("checkpoints/perturbench-devel"))
    said = about(asked, manifest, [("Z", "Z is no name")], "measured")
    found = next_experiments(table, kept, 2, asked.goal)
    return Screen(table, said, told(TRUTH), found, GENES if changes else (), kept, errors)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "hits.parquet"
    write_screen(path, screen_of())
    return path


@pytest.mark.parametrize("changes", [True, False])
def test_a_screen_comes_back(tmp_path, changes):
    screen = screen_of(changes=changes)
    write_screen(tmp_path / "hits.parquet", screen)
    back = read_screen(tmp_path / "hits.parquet")
    pd.testing.assert_frame_equal(back.table, screen.table)
    pd.testing.assert_frame_equal(back.next, screen.next)
    assert back.about == screen.about
    assert back.trust == screen.trust
    assert back.genes == screen.genes
    np.testing.assert_array_equal(back.changes, screen.changes)
    np.testing.assert_array_equal(back.change_errors, screen.change_errors)
    assert back.goal == screens.EFFECT


def test_a_screen_without_trust_or_next_experiments_comes_back(tmp_path):
    screen = screen_of()
    write_screen(tmp_path / "hits.parquet", replace(screen, trust=None, next=screen.next.head(0)))
    back = read_screen(tmp_path / "hits.parquet")
    assert back.trust is None
    pd.testing.assert_frame_equal(back.next, screen.next.head(0))


def test_equal_screens_have_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_screen(tmp_path / name, screen_of())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_other_programs_read_the_table(file):
    table = pd.read_parquet(file)
    assert list(table)[:5] == ["rank", "rank_low", "rank_high", "tier", "perturbation"]
    assert list(table)[-2:] == ["change", "change_error"]
    np.testing.assert_array_equal(table["change"][0], screen_of().changes[0])


def test_the_file_says_where_it_comes_from_and_not_when(file):
    said = json.loads(pq.read_schema(file).metadata[SAID])["about"]
    assert (said["model"], said["controls"], said["simulated"]) == ("perturbench-devel", "measured", False)
    assert said["sentence"] == "Which candidates change the cells most?"
    assert said["refused"] == [["Z", "Z is no name"]]
    assert (said["candidates"], said["order"]["cells"]) == (4, 10)
    assert "candidates" not in said["order"]


def test_text_of_a_file_stays_text(tmp_path):
    screen = screen_of()
    evil = "<script>+../../x"
    table = screen.table.assign(perturbation=[evil] * 4)
    write_screen(tmp_path / "hits.parquet", replace(screen, table=table))
    assert read_screen(tmp_path / "hits.parquet").table["perturbation"].tolist() == [evil] * 4


def rewritten(file: Path, change) -> None:
    read = pq.read_table(file)
    pq.write_table(change(read), file)


def said_with(read: pa.Table, **changed) -> pa.Table:
    said = json.loads(read.schema.metadata[SAID]) | changed
    return read.replace_schema_metadata({SAID: json.dumps(said).encode()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda read: read.drop_columns(["score", "tier"]), "the columns tier, score are missing"),
        (lambda read: read.set_column(0, "rank", pa.array(["1"] * 4)), "the columns rank are of another type"),
        (lambda read: read.replace_schema_metadata(None), "it does not describe a screen"),
        (lambda read: read.replace_schema_metadata({SAID: b"{"}), "Expecting property name"),
        (lambda read: said_with(read, format=9), "format 9 and this version of PRiMeFlow reads format 1"),
        (lambda read: said_with(read, about={}), "the key about.kind is missing"),
        (lambda read: said_with(read, genes=["only one"]), "must have 1 number in each row"),
        (lambda read: said_with(read, trust={"rows": []}), "the key trust.what is missing"),
        (lambda read: said_with(read, next={"columns": ["place"], "rows": []}), "it must be place, perturbation"),
    ],
)
def test_a_file_that_no_screen_wrote_is_refused_with_its_name_and_what_to_do(file, change, message):
    rewritten(file, change)
    with pytest.raises(DataError, match=message) as refused:
        read_screen(file)
    assert str(file) in str(refused.value)
    assert "screen again" in str(refused.value)


def test_half_a_file_and_none_are_refused(file):
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be read as a ranking"):
        read_screen(file)
    file.write_text("perturbation,score\n")
    with pytest.raises(DataError, match="cannot be read as a ranking"):
        read_screen(file)
    with pytest.raises(DataError, match="There is no file"):
        read_screen(file.with_name("other.parquet"))


def test_what_moves_a_gene_is_ranked_by_size_either_way():
    found = moves(screen_of(), "HBG2")
    assert found.table["perturbation"].tolist() == ["A+C", "KLF1+CEBPA", "B+C", "C+D"]
    assert found.table["score"].tolist() == pytest.approx([-2, 1, 0.1, 0], abs=1e-3)
    assert found.table["tier"].tolist() == [1, 2, 3, 3]
    assert found.goal.kind == "moves"
    assert found.about["sentence"] == "What moves HBG2?"
    assert found.trust is None
    np.testing.assert_array_equal(found.changes[0], CHANGES[1].astype(np.float16))


def test_the_interval_of_a_change_is_that_of_its_error():
    found = moves(screen_of(), "HBG2").table
    assert (found["high"] - found["low"]).to_numpy() == pytest.approx(2 * 1.96 * 0.1, rel=0.25)


@pytest.mark.parametrize("name", ["KLF1", "klf1", "EKLF", "ENSG00000105610"])
def test_a_candidate_that_targets_the_gene_has_no_score_whatever_the_gene_is_called(name):
    table = moves(screen_of(), name).table
    assert table["perturbation"].tolist() == ["B+C", "A+C", "C+D", "KLF1+CEBPA"]
    assert table["score"].isna().tolist() == [False, False, False, True]


def test_moves_twice_is_the_same_and_needs_changes_and_a_gene_that_is_there():
    pd.testing.assert_frame_equal(moves(screen_of(), "CD34").table, moves(screen_of(), "CD34").table)
    with pytest.raises(SettingError, match="Screen again with --changes"):
        moves(screen_of(changes=False), "CD34")
    with pytest.raises(SettingError, match="NOGENE is not one of the 3 genes"):
        moves(screen_of(), "NOGENE")


def test_what_moves_a_gene_comes_back_from_its_own_file(tmp_path):
    found = moves(screen_of(), "HBG2")
    write_screen(tmp_path / "hits.parquet", found)
    back = read_screen(tmp_path / "hits.parquet")
    pd.testing.assert_frame_equal(back.table, found.table)
    pd.testing.assert_frame_equal(back.next, found.next)
