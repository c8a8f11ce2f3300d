"""Which conditions are screened, which are refused and why."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.errors import DataError, SettingError
from primeflow_core.model_store.available_conditions import Catalogue, Standing
from primeflow_core.models.checkpoint import read_manifest
from primeflow_core.screening import candidates as screening_candidates
from primeflow_core.screening.candidates import Asked, all_pairs, all_singles, all_triples, listed, read_file

SHIPPED = Path(__file__).parents[2] / "checkpoints"
K562 = (("cell_type", "k562"),)
A, B, C = ((("cell_type", f"sim-{letter}"),) for letter in "ABC")


@pytest.fixture(scope="module")
def real():
    """18 genes met alone in K562, 31 in all; no doses."""
    return read_manifest(SHIPPED / "perturbench-devel")


@pytest.fixture(scope="module")
def simulated():
    """40 perturbations in three contexts, eight of them drugs with doses up to 10."""
    return read_manifest(SHIPPED / "simulated-screen")


def labels(found):
    return [condition.label for condition in found.conditions]


def why(found):
    return {refusal.label: refusal.why for refusal in found.refused}


def test_all_pairs_are_those_of_perturbations_met_alone_in_the_context(real, simulated):
    alone = sorted(c.label for c in real.trained_on if len(c.perturbations) == 1)
    assert labels(all_pairs(real, [K562])) == [f"{a}+{b}" for a, b in combinations(alone, 2)]
    assert len(all_pairs(real, [K562]).conditions) == 153
    assert len(all_pairs(simulated, [A]).conditions) == 780
    assert len(all_pairs(simulated, [A, B]).conditions) == 780 + 105


def test_every_pair_has_known_parts_in_its_own_context(simulated):
    standing = Catalogue(simulated).standing
    known = {Standing.TRAINED, Standing.HELD_OUT, Standing.PARTS_SEEN}
    assert {standing(condition) for condition in all_pairs(simulated, [A, B, C]).conditions} <= known


def test_all_singles_are_those_of_training_also_where_they_are_known_from_elsewhere(real, simulated):
    assert labels(all_singles(real, [K562])) == list(real.vocabulary.perturbations)
    elsewhere = all_singles(simulated, [B])
    assert len(elsewhere.conditions) == 40
    assert Standing.PART_ELSEWHERE in {Catalogue(simulated).standing(c) for c in elsewhere.conditions}


def test_a_drug_takes_its_highest_dose_all_measured_ones_or_those_given(simulated):
    def of_drug(doses):
        return labels(all_singles(simulated, [A], doses, ["simdrug_01"]))

    assert of_drug("highest") == ["simdrug_01@10"]
    measured = [c.label for c in simulated.trained_on if c.label.startswith("simdrug_01@") and c.covariates == A]
    assert sorted(of_drug("all")) == sorted(measured)
    assert len(measured) > 1
    assert of_drug((0.5, 10.0)) == ["simdrug_01@0.5", "simdrug_01@10"]


def test_a_dose_beyond_what_was_measured_is_refused_and_genes_take_none(simulated):
    found = all_singles(simulated, [A], (1.0, 20.0), ["simdrug_01", "SIMG344"])
    assert labels(found) == ["SIMG344", "simdrug_01@1"]
    assert why(found) == {"simdrug_01@20": "simdrug_01 was measured up to dose 10; 20 is beyond that."}
    with pytest.raises(SettingError, match="above 0"):
        all_singles(simulated, [A], (0.0,))


def test_a_drug_is_not_paired_with_itself_at_another_dose(simulated):
    found = all_pairs(simulated, [A], "all", ["simdrug_01", "simdrug_02"]).conditions
    assert len(found) > 1
    assert all({part.name for part in c.perturbations} == {"simdrug_01", "simdrug_02"} for c in found)


def test_triples_combine_the_parts_named_by_any_name_once(real):
    found = all_triples(real, [K562], "highest", ["MEK6", "klf1", "MAP2K6", "HOXB9", "CEBPE", "FOXA9"])
    assert labels(found) == [
        "+".join(names) for names in combinations(["CEBPE", "HOXB9", "KLF1", "MAP2K6"], 3)
    ]  # fmt: skip
    assert "FOXA9 is not a perturbation" in why(found)["FOXA9"]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("MAP2K66+KLF1", "Did you mean MAP2K6?"),
        ("KLF1+KLF1", "twice"),
        ("MEK6+MAP2K6", "twice"),
        ("KLF1@3", "no doses"),
        ("KLF1+", "empty part"),
        ("control", "compared with"),
        ("KLF1+HOXB9+CEBPE+MAP2K6", "4 parts"),
    ],
)
def test_what_cannot_be_screened_is_refused_with_its_reason(real, label, reason):
    found = listed(real, [Asked(label), Asked("KLF1")], [K562])
    assert labels(found) == ["KLF1"]
    assert reason in why(found)[label]


def test_a_part_that_only_held_out_cells_met_is_refused(simulated):
    unseen = Condition((Perturbation("NEVER1"),), A)
    found = listed(replace(simulated, tested_on=(unseen,)), [Asked("never1")], [A])
    assert why(found) == {
        "never1": "NEVER1 was held out of training: the model never saw a cell of it and cannot predict it."
    }


def test_a_list_understands_aliases_any_order_and_a_dose_left_out(real, simulated):
    assert labels(listed(real, [Asked(" mek6+klf1 ")], [K562])) == ["KLF1+MAP2K6"]
    assert labels(listed(simulated, [Asked("simdrug_01+SIMG344")], [A])) == ["SIMG344+simdrug_01@10"]


def test_a_condition_asked_for_twice_is_screened_once_and_told(real):
    found = listed(real, [Asked("KLF1+MAP2K6"), Asked("MAP2K6+KLF1")], [K562])
    assert labels(found) == ["KLF1+MAP2K6"]
    assert "more than once" in why(found)["KLF1+MAP2K6"]


def test_a_line_states_its_own_context(simulated):
    found = listed(simulated, [Asked("SIMG344", B), Asked("SIMG344"), Asked("SIMG436", (("cell_type", "x"),))], [A, C])
    assert [condition.covariates for condition in found.conditions] == [B, A, C]
    assert "knows no cells of 'x'" in why(found)["SIMG436"]


def test_a_line_states_its_context_in_any_case(simulated):
    found = listed(simulated, [Asked("SIMG344", (("cell_type", "SIM-b"),))], [A])
    assert [condition.covariates for condition in found.conditions] == [B]
    assert not found.refused


def test_what_pairs_pass_over_is_known(real, simulated):
    found = all_pairs(real, [K562])
    parts = {part.name for condition in found.conditions for part in condition.perturbations}
    assert set(found.not_alone) == set(real.vocabulary.perturbations) - parts
    assert len(found.not_alone) == 13
    assert all_pairs(simulated, [A]).not_alone == all_pairs(simulated, [A, B]).not_alone == ()
    assert len(all_pairs(simulated, [B]).not_alone) == 25
    assert all_pairs(real, [K562], names=["KLF1", "CEBPE"]).not_alone == ()


def test_what_training_never_met_is_passed_over_and_known(simulated):
    unseen = replace(simulated, tested_on=(*simulated.tested_on, Condition((Perturbation("NEVER1"),), A)))
    assert all_singles(unseen, [A]).unseen == all_pairs(unseen, [A]).unseen == ("NEVER1",)
    assert "NEVER1" not in labels(all_singles(unseen, [A]))
    assert all_singles(simulated, [A]).unseen == ()


def test_a_refusal_names_no_list_that_is_not_there(real):
    found = listed(real, [Asked("FOXA9")], [K562])
    assert why(found)["FOXA9"].endswith("It knows 31.")


def test_a_csv_and_a_table_of_screen_read_alike(tmp_path):
    (tmp_path / "a.csv").write_text("note,perturbation,cell_type\nx, A+B ,k562\n\ny,C,\n", encoding="utf-8-sig")
    table = {"rank": [1, 2], "perturbation": ["A+B", "C"], "cell_type": ["k562", None]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    expected = (Asked("A+B", K562), Asked("C"))
    assert read_file(tmp_path / "a.csv", ["cell_type"]) == expected
    assert read_file(tmp_path / "a.parquet", ["cell_type"]) == expected
    assert read_file(tmp_path / "a.csv", []) == (Asked("A+B"), Asked("C"))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_is_separated_as_spreadsheets_do_it(tmp_path, separator):
    lines = ["note,perturbation,cell_type", "x,A+B,k562", "y,C,,,"]
    (tmp_path / "a.csv").write_text("\r\n".join(lines).replace(",", separator))
    assert read_file(tmp_path / "a.csv", ["cell_type"]) == (Asked("A+B", K562), Asked("C"))


def test_a_line_with_more_values_than_columns_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("perturbation\nC\n\nA,B\n")
    with pytest.raises(DataError, match=r"Line 4 of a.csv has more values .* A\+B"):
        read_file(tmp_path / "a.csv", [])


@pytest.mark.parametrize("path", ["", "folder", "none.csv"])
def test_what_is_no_file_is_told_with_the_words_that_stand_for_one(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"There is no file .* all-singles, all-pairs or all-triples"):
        read_file(Path(path), [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"gene\nA\n", "no column 'perturbation' .its columns: gene."),
        ("a.csv", b"\xff\xfe\x00", "not a readable csv"),
        ("a.parquet", b"PAR1", "not a readable parquet"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_file(tmp_path / name, [])
    with pytest.raises(DataError, match="There is no file"):
        read_file(tmp_path / f"none-{name}", [])


def test_too_many_candidates_are_refused(simulated, monkeypatch):
    monkeypatch.setattr(screening_candidates, "MOST_CANDIDATES", 100)
    with pytest.raises(SettingError, match="more than 100 candidates"):
        all_pairs(simulated, [A])


def test_a_long_list_is_looked_up_once_for_each_name(simulated, monkeypatch):
    asked_for = []
    resolve = Catalogue.resolve

    def counted(self, text, covariates=None):
        asked_for.append(text)
        return resolve(self, text, covariates)

    monkeypatch.setattr(Catalogue, "resolve", counted)
    pairs = [Asked(label) for label in labels(all_pairs(simulated, [A]))]
    found = listed(simulated, [*pairs, *[Asked(f"{asked.label}+NOSUCHGENE") for asked in pairs]], [A, B, C])
    assert len(found.conditions) == 3 * len(pairs) == 3 * 780
    assert len(found.refused) == len(pairs)
    assert sorted(asked_for) == sorted({*simulated.vocabulary.perturbations, "NOSUCHGENE"})
