"""Foreign files are read in a child: what spins or swells is refused soon, and a survey is made once."""

import os
import resource
import time

import h5py
import numpy as np
import pytest

from primeflow_core.data.h5ad import storage, survey
from primeflow_core.data.h5ad.known_content import note_known
from primeflow_core.data.h5ad.writing import is_simulated, read_provenance
from primeflow_core.errors import DataError, OverrunError, SettingError
from primeflow_core.runtime.memory import CHOSEN, most_for_a_file
from tests import hostile_files
from tests.own_files import brought

PLENTY = 4_000_000_000
SMALL = 100_000_000


def test_a_file_that_makes_hdf5_spin_is_refused(tmp_path):
    path = hostile_files.spinning(tmp_path)
    start = time.monotonic()
    with pytest.raises(OverrunError, match=r"^cells\.h5ad: .*took more than .* s.* and was stopped"):
        survey.survey(path)
    assert time.monotonic() - start < 30
    assert survey.survey(hostile_files.dense(tmp_path, 20, 10)).shape == (20, 10)


@pytest.mark.parametrize("made", [hostile_files.dense, hostile_files.long_texts])
def test_what_swells_is_refused_before_it_is_in_memory(tmp_path, made):
    path = made(tmp_path)
    assert path.stat().st_size < 2_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"takes 0\.[1-9] GB of memory or more when it is read; 0\.1 GB is the most"):
        survey.survey(path, most=SMALL)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < SMALL


@pytest.mark.parametrize("made", [hostile_files.dense, hostile_files.long_texts])
def test_what_fits_is_read_and_costs_no_more_than_said(tmp_path, made):
    path = made(tmp_path)
    found = survey.survey(path, most=PLENTY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with storage.opened(path) as file:
        values = storage.read_values(file, path)
    assert values.nnz == found.values.nonzero
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < found.cost + SMALL


def test_a_survey_is_made_once_until_the_file_changes(tmp_path, monkeypatch):
    path = brought(tmp_path)
    asked = []
    carried_out = survey.bounded
    monkeypatch.setattr(survey, "bounded", lambda *given: asked.append(given[2].__name__) or carried_out(*given))
    for _ in range(3):
        first = survey.survey(path)
    assert is_simulated(path) is False
    assert read_provenance(path) == {}
    assert asked == ["surveyed"]
    survey.survey(brought(tmp_path, np.ones((40, 10))))
    assert asked == ["surveyed"] * 2
    assert first.values.highest != 1


def test_only_a_file_of_known_content_is_read_without_a_child(tmp_path, monkeypatch):
    def no_child(*_, **__):
        raise AssertionError("a child was started")

    path = hostile_files.dense(tmp_path, 20, 10)
    monkeypatch.setattr(survey, "bounded", no_child)
    with pytest.raises(AssertionError, match="a child was started"):
        survey.survey(path)
    note_known(path)
    assert survey.survey(path).shape == (20, 10)
    os.utime(path, ns=(1, 1))
    with pytest.raises(AssertionError, match="a child was started"):
        survey.survey(path)


def test_a_survey_cannot_be_changed_by_who_asked_for_it(tmp_path):
    path = brought(tmp_path)
    found = survey.survey(path)
    found.obs["condition"] = "other"
    assert set(survey.survey(path).obs["condition"]) > {"control", "KLF1"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("False", False),
        ("no", False),
        ("0", False),
        ("", False),
        ("True", True),
        ("yes", True),
        (True, True),
        (0, False),
    ],
)
def test_text_is_no_flag(tmp_path, said, meant):
    path = brought(tmp_path)
    with h5py.File(path, "a") as file:
        file.require_group("uns")["simulated"] = said
    assert is_simulated(path) == meant


def test_a_file_without_values_in_x_may_be_kept(tmp_path):
    path = brought(tmp_path)
    with h5py.File(path, "a") as file:
        file.move("X", "layers/counts")
    survey.check(path, PLENTY)
    with pytest.raises(DataError, match="has no X"):
        survey.survey(path)


def test_the_most_can_be_chosen(monkeypatch):
    monkeypatch.setenv(CHOSEN, "0.5")
    assert most_for_a_file() == 500_000_000
    monkeypatch.delenv(CHOSEN)
    assert 0 < most_for_a_file() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("wrong", ["much", "0", "-1", "inf", "nan"])
def test_a_wrong_choice_is_named(monkeypatch, wrong):
    monkeypatch.setenv(CHOSEN, wrong)
    with pytest.raises(SettingError, match=f"PRIMEFLOW_MEMORY_GB is '{wrong}'"):
        most_for_a_file()


def test_a_layer_that_is_a_link_to_itself_is_damage_in_words(tmp_path):
    path = hostile_files.dense(tmp_path, 20, 10)
    with h5py.File(path, "a") as file:
        file.require_group("layers")["around"] = h5py.SoftLink("/layers/around")
    with pytest.raises(DataError, match="is damaged"):
        survey.survey(path)
