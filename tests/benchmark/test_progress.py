"""What `benchmark` tells while it works, its lock, and its workers, without a process that is killed."""

import io
import json
import subprocess
import sys

import pandas as pd
import pytest
import torch

from primeflow_core.benchmark import run
from primeflow_core.benchmark.grid import Grid
from primeflow_core.benchmark.progress import Forecast, Stand, stand_of
from primeflow_core.benchmark.run import FinishedEntry, run_entries
from primeflow_core.benchmark.scored_entry import ScoredEntry
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.commands import terminal
from primeflow_core.commands.benchmark_progress import TrainingsLine, described
from primeflow_core.commands.terminal import ProgressLine
from primeflow_core.errors import DataError, SettingError
from primeflow_core.runtime.folder_lock import alone_in
from primeflow_core.training.recipes.registry import recipe_named
from primeflow_core.training.trainer import LOG
from tests.thread_workers import thread_workers


def store_of(folder, *names, seeds=(0, 1)):
    return BenchmarkStore(folder, Grid(tuple(map(recipe_named, names)), seeds, (1.0,), 16, "data", "split"))


def scored(seconds):
    row = {"condition": "A+B", "mmd_gex": 0.1, "model": "linear", "seed": 0, "guidance": 1.0}
    return ScoredEntry(pd.DataFrame([row]), (), seconds, 7)


def tell(store, entry, *lines):
    log = store.model(entry) / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))


def line(step, steps=100, seconds=0.0, left=0.0):
    return {"step": step, "steps": steps, "seconds": seconds, "seconds_left": left, "loss": 1.0}


def test_the_last_whole_line_of_a_log_says_how_far_a_training_is(tmp_path):
    store = store_of(tmp_path, "linear")
    entry = store.grid.entries[0]
    assert stand_of(store.model(entry)) is None
    tell(store, entry, *(line(step, seconds=step / 10) for step in range(200)), '{"step": 2')
    assert stand_of(store.model(entry)) == Stand(199, 100, 19.9, 0.0)
    tell(store, entry, "torn\n", "[1]\n")
    assert stand_of(store.model(entry)) is None


def test_the_time_left_is_that_of_the_recipe_where_it_is_known(tmp_path):
    store = store_of(tmp_path, "linear", "cpa", seeds=(0, 1, 2))
    for entry in store.grid.entries:
        if entry.seed == 0:
            store.keep(entry, scored({"linear": 10.0, "cpa": 100.0}[entry.recipe.name]))
    waiting = store.missing
    forecast = Forecast(store)
    assert forecast.left({}, 0.0, 1) == pytest.approx(220)
    assert forecast.left({}, 0.0, 2) == pytest.approx(110)
    running = forecast.runs(waiting[:1], 0.0)
    assert forecast.left(running, 4.0, 1) == pytest.approx(216)
    forecast.ended(waiting[0], 30.0, failed=False)  # linear: 10 and 30 seconds, of which the mean is expected
    assert forecast.left({}, 30.0, 1) == pytest.approx(20 + 200)


def test_a_running_training_foretells_the_others_of_its_recipe_and_bounds_the_time_left(tmp_path):
    store = store_of(tmp_path, "linear", seeds=(0, 1, 2))
    first, second, _ = store.missing
    forecast = Forecast(store)
    assert forecast.left(forecast.runs([first], 0.0), 5.0, 1) is None
    tell(store, first, line(20, seconds=20.0, left=80.0))
    running = forecast.runs([first], 20.0)
    assert forecast.left(running, 20.0, 1) == pytest.approx(80 + 200)
    running = forecast.runs([first, second], 20.0)
    assert forecast.left(running, 20.0, 100) == pytest.approx(100), "no sooner than the longest that runs"
    for entry in store.missing:
        forecast.ended(entry, 50.0, failed=True)
    assert forecast.left({}, 50.0, 1) in (None, 0.0)


def test_what_runs_is_said_in_words():
    stands = {"cpa-seed-0": Stand(1200, 4000, 1, 1), "ridge-seed-0": None, "linear-seed-1": Stand(9, 9, 1, 0)}
    told = described(stands, 125.0)
    assert told == "about 2:05 left; cpa-seed-0 step 1,200 of 4,000, ridge-seed-0 starts, linear-seed-1 is scored"
    assert described({}, None) == ""


def test_away_from_a_terminal_a_line_a_minute_tells_what_runs(tmp_path, capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    store = store_of(tmp_path, "linear")
    shown = TrainingsLine(store, 1)
    tell(store, store.missing[0], line(20, seconds=20.0, left=80.0))
    for now[0] in range(100, 281):
        shown.running(store.missing[:1])
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert said[0].startswith("trainings: 0 of 2 about ")
    assert said[0].endswith("linear-seed-0 step 20 of 100")
    shown.ended(FinishedEntry(store.missing[0]))
    assert capsys.readouterr().err.startswith("trainings: 1 of 2 about ")
    shown.close()


def test_on_a_terminal_one_line_is_drawn_anew_although_nothing_ended(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(terminal.sys, "stderr", screen)
    bar = ProgressLine("trainings", 5, tells_time=True)
    bar.at(1, "about 2:00 left; a step 1 of 9")
    bar.at(1, "about 1:59 left; a step 2 of 9")
    shown = screen.getvalue()
    assert "about 1:59 left; a step 2 of 9" in shown
    assert "\n" not in shown
    assert "1/5" in shown
    assert "it/s" not in shown
    bar.close()


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.setattr(run, "local_workers", thread_workers)


@pytest.mark.usefixtures("threads")
def test_no_more_entries_run_than_there_are_workers_and_all_end(tmp_path, monkeypatch):
    store, told = store_of(tmp_path, "linear", "cpa", "additive"), []
    monkeypatch.setattr(run, "TOLD_EVERY", 0.0)
    monkeypatch.setattr(run, "LOOKED_EVERY", 0.01)
    monkeypatch.setattr(run, "run_entry", lambda store, entry, read, command: FinishedEntry(entry))
    ended = list(run_entries(store, lambda: None, [], 2, told.append))
    assert {one.entry.name for one in ended} == {entry.name for entry in store.grid.entries}
    assert told
    assert max(map(len, told)) <= 2


def test_what_runs_here_is_told_at_once_and_while_it_lasts(tmp_path, monkeypatch):
    store, told = store_of(tmp_path, "linear", "cpa", seeds=(0,)), []
    monkeypatch.setattr(run, "TOLD_EVERY", 0.01)

    def slow(store, entry, read, command):
        until = len(told) + 3
        while len(told) < until:
            torch.zeros(1)
        return FinishedEntry(entry)

    monkeypatch.setattr(run, "run_entry", slow)
    assert len(list(run_entries(store, lambda: None, [], None, told.append))) == 2
    names = [entry.name for (entry,) in told]
    assert names[0] == "linear-seed-0"
    assert names[-1] == "cpa-seed-0"
    assert names.count("linear-seed-0") >= 3


def test_data_are_read_only_where_something_is_missing(tmp_path):
    store = store_of(tmp_path, "linear", seeds=(0,))
    store.keep(store.grid.entries[0], scored(1.0))
    assert list(run_entries(store, lambda: pytest.fail("it was read"), [])) == []


def test_two_in_one_folder_are_refused_until_the_first_has_ended(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from primeflow_core.runtime.folder_lock import alone_in\n"
        "with alone_in(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(SettingError, match="Another process works in"), alone_in(tmp_path):
            pytest.fail("both are in")
        other.kill()
    with alone_in(tmp_path):
        pass


def test_what_a_killed_run_left_half_written_is_deleted(tmp_path):
    store = store_of(tmp_path, "linear")
    left = [tmp_path / ".benchmark.csv.1.partial", tmp_path / "scores" / ".linear-seed-0.parquet.1.partial"]
    for file in left:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"PAR1")
    store.keep(store.grid.entries[0], scored(1.0))
    store.clear_beginnings()
    assert not any(file.exists() for file in left)
    assert store.missing == store.grid.entries[1:]


def test_scores_that_are_cut_short_are_named(tmp_path):
    store = store_of(tmp_path, "linear", seeds=(0,))
    store.keep(store.grid.entries[0], scored(1.0))
    file = tmp_path / "scores" / "linear-seed-0.parquet"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(DataError, match="is damaged"):
        Forecast(store)
