"""order.json and the metadata of a ranking with each key damaged: the error names file, key and what to do."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.errors import DataError, SettingError
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.screen_file import SAID, read_screen, write_screen
from primeflow_core.screening.shards import ORDER, Parts
from tests import screens
from tests.damaged_json import Damage, check_refused, damages, whole_file_damages
from tests.screening.test_screen_file import screen_of

TARGET = Condition((Perturbation("T", 1.0),), screens.CONTEXT)
ASKED = screens.order(("A", "A+B"), checked=("C",), goal=Goal("target", target=TARGET))
PLAIN = ASKED.to_json()
PLAN = {f"plan.{name}" for name in PLAIN["plan"]}


def check_order(folder, damage):
    (folder / ORDER).write_bytes(damage.content)
    check_refused(damage, lambda: Parts.opened(folder), SettingError, str(folder / ORDER), "Run the command again")


@pytest.mark.parametrize("key", PLAIN)
def test_each_key_of_an_order(tmp_path, key):
    for damage in damages(json.loads(json.dumps(PLAIN)), key, PLAN):
        check_order(tmp_path, damage)


def test_a_damaged_order(tmp_path):
    for damage in whole_file_damages(PLAIN):
        check_order(tmp_path, damage)


@pytest.fixture(scope="module")
def ranking(tmp_path_factory):
    """The file of a ranking, and the text in its metadata as plain data."""
    file = tmp_path_factory.mktemp("ranking") / "hits.parquet"
    write_screen(file, screen_of())
    return file, json.loads(pq.read_schema(file).metadata[SAID])


def check_ranking(file, damage):
    """The text is read before the columns, so a file without columns shows the same error, and is written faster."""
    pq.write_table(pa.table({}).replace_schema_metadata({SAID: damage.content}), file)
    check_refused(damage, lambda: read_screen(file), DataError, str(file), "screen again")


def test_a_ranking_without_damage_is_read_up_to_its_columns(ranking, tmp_path):
    damage = Damage("none", "the columns rank, ", json.dumps(ranking[1]).encode())
    check_ranking(tmp_path / "hits.parquet", damage)


ABOUT = ("model", "recipe", "training_seed", "simulated", "covariates", "controls", "refused", "candidates", "versions")
ORDER_KEYS = ("model", "goal", "cells", "seeds", "plan", "resamples")
KEYS = (
    "format", "about", "trust", "next", "genes", "next.columns", "next.rows", "trust.what", "trust.simulated",
    "trust.goal", "trust.rows", "trust.refused", "trust.checked", "about.order",
    *(f"about.{name}" for name in ABOUT), *(f"about.order.{name}" for name in ORDER_KEYS),
)  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_each_key_of_a_ranking(ranking, tmp_path, monkeypatch, key):
    plain = ranking[1]
    optional = {f"about.order.plan.{name}" for name in PLAIN["plan"]}
    optional |= {f"about.versions.{name}" for name in plain["about"]["versions"]}
    others = {other for other in KEYS if other.startswith(f"{key}.")}
    (tmp_path / "hits.parquet").touch()
    for damage in damages(plain, key, optional, {"about.versions"}, others):
        read = pa.table({}).replace_schema_metadata({SAID: damage.content})
        monkeypatch.setattr(pq, "read_table", lambda path, read=read: read)  # many files take long to write and read
        check_refused(damage, lambda: read_screen(tmp_path / "hits.parquet"), DataError, "hits.parquet", "screen again")


def test_damaged_metadata_of_a_ranking(ranking, tmp_path):
    for damage in whole_file_damages(ranking[1]):
        check_ranking(tmp_path / "hits.parquet", damage)
