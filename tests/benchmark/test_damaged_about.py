"""about.json of a benchmark with each key damaged: the error names the file, the key and what to do."""

import json
from dataclasses import asdict

import pytest

from primeflow_core.benchmark.about import About
from primeflow_core.benchmark.read_about import read_about
from primeflow_core.errors import DataError
from tests.damaged_json import check_refused, damages, whole_file_damages

ABOUT = About(
    title="small", data="screen.h5ad", simulated=True, split="held out by split.csv", command="primeflow benchmark",
    cells=100, seeds=(0, 1), part="test", data_sha256="d", split_sha256=("s",), recipes={"ridge": "Ridge"},
    versions={"python": "3.12"}, made="2026-11-22T10:00:00+00:00", refused={"ridge": {"A": "never seen"}},
    failed={"ridge-seed-0": "out of memory"},
)  # fmt: skip
PLAIN = json.loads(json.dumps(asdict(ABOUT)))
FREE = {"recipes", "versions", "refused", "refused.ridge", "failed"}
OPTIONAL = {"refused", "failed", "recipes.ridge", "versions.python", "refused.ridge", "refused.ridge.A",
            "failed.ridge-seed-0"}  # fmt: skip


def check(file, damage):
    file.write_bytes(damage.content)
    check_refused(damage, lambda: read_about(file), DataError, str(file), "Run `primeflow benchmark` again")


@pytest.mark.parametrize("key", PLAIN)
def test_each_key(tmp_path, key):
    for damage in damages(PLAIN, key, OPTIONAL, FREE):
        check(tmp_path / "about.json", damage)


def test_the_whole_file(tmp_path):
    for damage in whole_file_damages(PLAIN):
        check(tmp_path / "about.json", damage)


def test_undamaged(tmp_path):
    file = tmp_path / "about.json"
    file.write_text(json.dumps(PLAIN))
    assert read_about(file) == ABOUT
