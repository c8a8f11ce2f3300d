"""The files of a benchmark's scores, damaged: the error names the file, the key and what to do."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from primeflow_core.benchmark.store import ABOUT, BenchmarkStore
from primeflow_core.errors import DataError
from tests.benchmark.test_run import grid, scored
from tests.damaged_json import Damage, check_refused, damages, whole_file_damages

PLAIN = {"fingerprint": "", "seconds": 2.0, "parameters": 7, "refused": [["C", "unknown"]]}


@pytest.fixture
def store(tmp_path):
    made = BenchmarkStore(tmp_path, grid("additive", seeds=(0,)))
    made.keep(made.grid.entries[0], scored())
    return made


def check(store, folder, damage):
    file = store.folder / folder / "additive-seed-0.parquet"
    pq.write_table(pa.table({}).replace_schema_metadata({ABOUT: damage.content}), file)
    check_refused(
        damage, lambda: store.read(store.grid.entries[0]), DataError, str(file), "Delete it, and run the same"
    )


def plain(store):
    return PLAIN | {"fingerprint": store.grid.fingerprint(store.grid.entries[0])}


@pytest.mark.parametrize("key", PLAIN)
def test_each_key_of_scores(store, key):
    for damage in damages(plain(store), key):
        check(store, "scores", damage)


def test_damaged_metadata_of_scores(store):
    for damage in whole_file_damages(plain(store)):
        check(store, "scores", damage)


def test_damaged_metadata_of_a_picture(store):
    told = {"fingerprint": plain(store)["fingerprint"]}
    for damage in (*damages(told, "fingerprint"), *whole_file_damages(told)):
        if damage.how != "an unknown key":  # only the fingerprint of a picture is read
            check(store, "pictures", damage)


@pytest.mark.parametrize("folder", ["scores", "pictures"])
def test_bytes_that_are_no_parquet_or_half_of_one(store, folder):
    file = store.folder / folder / "additive-seed-0.parquet"
    whole = file.read_bytes()
    for content in (b"", b"PAR1", whole[:-20], whole[:4] + b"\xff" * (len(whole) - 12) + whole[-8:]):
        file.write_bytes(content)
        check_refused(Damage("bytes", "", b""), store.picture, DataError, str(file), "Delete it, and run the same")


def test_scores_of_other_settings_are_not_damaged(store):
    file = store.folder / "scores" / "additive-seed-0.parquet"
    text = json.dumps({"fingerprint": "other", "colour": "of another version"}).encode()
    pq.write_table(pa.table({}).replace_schema_metadata({ABOUT: text}), file)
    assert store.read(store.grid.entries[0]) is None
