"""What is kept in the repository of measurements and models names no folder of the machine that made it."""

import re
from pathlib import Path

import pytest

from benchmarks.quality import settings_of

ROOT = Path(__file__).resolve().parents[2]
KEPT = sorted([*ROOT.glob("benchmarks/results/*.json"), *ROOT.glob("checkpoints/*/*.json")])
ABSOLUTE = re.compile(r'"(/|~/|[A-Za-z]:\\\\)[^"]*"')


def test_absolute_paths_are_recognised():
    for text in ('"split": "/data/split.csv"', '"~/split.csv"', r'"C:\\data"'):
        assert ABSOLUTE.search(text)
    assert not ABSOLUTE.search('"split": "data/split.csv", "what": "a / b"')


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_kept_json_holds_no_absolute_path(path):
    assert not ABSOLUTE.search(path.read_text(encoding="utf-8"))


def test_settings_of_a_benchmark_name_files_without_their_folders():
    given = {"data": "/somewhere/screen.h5ad", "split": Path("/else/split.csv"), "seeds": [0, 1], "unlisted": None}
    assert settings_of(given) == {"data": "screen.h5ad", "split": "split.csv", "seeds": "[0, 1]", "unlisted": "None"}
