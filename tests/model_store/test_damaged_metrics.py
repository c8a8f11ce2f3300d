"""metrics.json with each key damaged: the error names the file, the key and what to do."""

import json

import pytest

from primeflow_core.errors import CheckpointError
from primeflow_core.model_store.held_out_metrics import read_validation
from primeflow_core.models.checkpoint import METRICS
from tests.damaged_json import check_refused, damages, whole_file_damages

MEAN = {"condition": "mean", "energy_distance": 1.0, "energy_distance_floor": 2.0, "energy_distance_ceiling": 0.5}
PLAIN = {
    "command": ["primeflow", "card"],
    "created": "2026-11-22T10:00:00+00:00",
    "versions": {"python": "3.12"},
    "data_sha256": "5e",
    "held_out": "conditions",
    "cells_per_condition": 100,
    "sampling": {},
    "scored": {"test": [MEAN, MEAN | {"condition": "A"}]},
    "zeros_tried_on_val": {"clip": [dict(MEAN)]},
    "rivals": {
        "test": [MEAN | {"rival": "ridge"}],
        "refused": [{"rival": "ridge", "condition": "A", "context": "k562", "why": "never seen"}],
    },
}
OPTIONAL = {
    *(set(PLAIN) - {"scored"}), "versions.python", "rivals.test",
    "rivals.test[0].rival", "rivals.refused", "scored.test", "zeros_tried_on_val.clip",
    *(f"rivals.test[0].{name}" for name in MEAN if name != "condition"),
    *(f"zeros_tried_on_val.clip[0].{name}" for name in MEAN if name != "condition"),
}  # fmt: skip
FREE = {"versions", "sampling", "scored", "scored.test[0]", "rivals", "rivals.test[0]", "zeros_tried_on_val",
        "zeros_tried_on_val.clip[0]"}  # fmt: skip


def check(folder, damage):
    (folder / METRICS).write_bytes(damage.content)
    check_refused(
        damage,
        lambda: read_validation(folder),
        CheckpointError,
        str(folder / METRICS),
        "make it again with `primeflow card`",
    )


@pytest.mark.parametrize("key", PLAIN)
def test_each_key(tmp_path, key):
    for damage in damages(PLAIN, key, OPTIONAL, FREE):
        check(tmp_path, damage)


def test_the_whole_file(tmp_path):
    for damage in whole_file_damages(PLAIN):
        check(tmp_path, damage)


def test_undamaged_and_without_what_older_versions_lack(tmp_path):
    for plain in (PLAIN, {"scored": PLAIN["scored"]}):
        (tmp_path / METRICS).write_text(json.dumps(plain))
        assert read_validation(tmp_path).conditions == 1
