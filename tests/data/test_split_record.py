"""What is stored beside a split file comes back, and damage is named."""

import json

import pytest

from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.data.split_record import SplitRecord, place_of, read_record
from primeflow_core.errors import DataError

READING = Reading(
    Layout("guide", ("line",), "NTC", "_", "conc"),
    Repair("layers/counts", True, 3250.5, "symbol", distinct=True),
    "counts",
)
RECORD = SplitRecord("screen.h5ad", "0" * 64, READING, ("primeflow", "split"))


@pytest.mark.parametrize("name", ["split.csv", "split.csv.gz", "mein split.csv", "split"])
def test_a_record_comes_back(tmp_path, name):
    RECORD.write(tmp_path / name)
    assert read_record(tmp_path / name) == RECORD


def test_the_record_stands_beside_its_split(tmp_path):
    assert place_of(tmp_path / "s.csv.gz") == tmp_path / "s.reading.json"
    assert read_record(tmp_path / "other.csv") is None


def spoilt(**changes):
    return {**json.loads(json.dumps({"data": "d", "data_sha256": "0", "reading": READING.to_json()})), **changes}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "it is not JSON"),
        ("[]", "object"),
        (json.dumps({**spoilt(), "reading": {**READING.to_json(), "format": 2}}), r"reading\.format is 2; it must be"),
        (json.dumps({**spoilt(), "extra": 1}), "the key extra"),
        (json.dumps({**spoilt(), "data": 5}), "data is 5; it must be a text"),
        (json.dumps({"data": "d"}), "the key data_sha256 is missing"),
        ("[" * 200_000, "nested too deeply"),
        ('{"data": NaN}', "NaN"),
    ],
)
def test_a_damaged_record_is_named(tmp_path, content, reason):
    place_of(tmp_path / "s.csv").write_text(content)
    with pytest.raises(DataError, match=rf"s\.reading\.json, which says how the data of s\.csv are read.*{reason}"):
        read_record(tmp_path / "s.csv")


@pytest.mark.parametrize("key", ["layout", "repair", "format"])
def test_a_missing_key_of_a_reading_is_named(key):
    plain = READING.to_json()
    del plain[key]
    with pytest.raises(DataError, match=f"the key {key} is missing"):
        Reading.from_json(plain)
    assert Reading.from_json(READING.to_json()) == READING
