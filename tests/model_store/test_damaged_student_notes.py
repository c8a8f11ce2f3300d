"""The notes of a student with each key damaged: the error names the file, the key and what to do."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from primeflow_core.errors import CheckpointError
from primeflow_core.model_store.student_notes import read_student
from primeflow_core.models.checkpoint import STUDENT_WEIGHTS
from tests.damaged_json import Damage, check_refused, damages, whole_file_damages

ROW = {"conditions": "held out", "guidance": 1.0, "teacher": 0.1, "student": 0.2, "spread": 0.01, "controls": 0.5}
NOTES = {"command": "primeflow distill", "seed": "0", "settings": '{"steps": 1200, "groups": 4}',
         "judged": json.dumps([ROW]), "created": "2026-11-22T10:00:00+00:00"}  # fmt: skip


def keep(folder, notes):
    save_file({"weight": np.zeros(1, np.float16)}, folder / STUDENT_WEIGHTS, notes)


def check(folder, damage, notes):
    keep(folder, notes)
    check_refused(
        damage,
        lambda: read_student(folder),
        CheckpointError,
        str(folder / STUDENT_WEIGHTS),
        "Run `primeflow distill` again",
    )


def of_rows(damage):
    """The damage of ``{"judged": [row]}``, as the text under ``judged``."""
    return damage.content.decode().removeprefix('{"judged": ').removesuffix("}")


@pytest.mark.parametrize("key", ["command", "seed", "settings", "judged"])
def test_a_missing_note(tmp_path, key):
    notes = {name: text for name, text in NOTES.items() if name != key}
    check(tmp_path, Damage(f"{key} missing", key, b""), notes)


@pytest.mark.parametrize("name", ROW)
def test_each_key_of_a_row(tmp_path, name):
    plain = {"judged": [ROW]}
    for damage in damages(plain, "judged", without=[f"judged[0].{other}" for other in ROW if other != name]):
        if damage.content.startswith(b'{"judged": '):
            check(tmp_path, damage, NOTES | {"judged": of_rows(damage)})


def test_damaged_settings(tmp_path):
    for damage in (*damages({"steps": 1}, "steps"), *whole_file_damages({"steps": 1})):
        if damage.how not in ("not UTF-8", "an unknown key"):  # not in a text; other versions have other settings
            check(tmp_path, damage, NOTES | {"settings": damage.content.decode()})


def test_undamaged_and_without_a_student(tmp_path):
    assert read_student(tmp_path) is None
    keep(tmp_path, NOTES)
    found = read_student(tmp_path)
    assert (found.command, found.seed, found.steps, found.judged[0].teacher) == ("primeflow distill", "0", 1200, 0.1)


def test_a_damaged_file_of_weights(tmp_path):
    (tmp_path / STUDENT_WEIGHTS).write_bytes(b"nothing")
    check_refused(Damage("no weights", "", b""), lambda: read_student(tmp_path), CheckpointError, STUDENT_WEIGHTS)
