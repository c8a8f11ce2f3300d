"""`benchmark` that is ended at any moment, with all that it started: the same command goes on, and ends with the same
table. Ctrl+C ends it quickly, and two in one folder are refused.
"""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from primeflow_core.benchmark import run
from primeflow_core.benchmark.grid import Grid
from primeflow_core.benchmark.store import BenchmarkStore
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.split_file import TEST
from primeflow_core.data.splits import held_out_split
from primeflow_core.runtime import dask_workers
from primeflow_core.runtime.atomic_files import PARTIAL
from primeflow_core.training.recipes.registry import recipe_named
from tests import forked
from tests.forked import forked_workers, forking
from tests.moments import interrupted
from tests.tiny import cells, condition

STEPS = 60
MOMENTS = (
    "linear-seed-0/config.json in place", "linear-seed-0/weights.safetensors written",
    "training/state.safetensors in place", "pictures/linear-seed-0.parquet written",
    "pictures/linear-seed-0.parquet in place", "scores/linear-seed-0.parquet begun",
    "scores/linear-seed-0.parquet written", "scores/linear-seed-0.parquet in place",
    "primeflow-mlp-plus-tiny-seed-0/weights.safetensors in place", "training/state.safetensors written",
    "scores/primeflow-mlp-plus-tiny-seed-1.parquet written", "scores/cpa-seed-1.parquet in place",
    "out/benchmark.csv written",
    "out/benchmark.csv in place", "out/benchmark.html written", "out/cells.parquet in place",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """``d.h5ad`` and ``split.csv``, on which six trainings take a few seconds."""
    folder = tmp_path_factory.mktemp("bench")
    data = cells(per_condition=40)
    labels = [one.label for one in data.condition_list(np.arange(len(data)))]
    write_anndata(
        folder / "d.h5ad", as_anndata(data.dense(), data.genes, labels, {"cell_type": ["k562"] * len(data)}, {})
    )
    read = read_cells(folder / "d.h5ad")
    pair = next(one for one in read.conditions if one.label == condition("A", "B").label)
    held_out_split(read, {pair: TEST}, seed=0).write(folder / "split.csv")
    return folder


def command(place, out, *more, steps=STEPS):
    pace = [f"steps={steps}", "batch_size=16", "validate_every=20", "save_every=7", "log_every=3"]
    return [
        "benchmark", str(place / "d.h5ad"), "--split", str(place / "split.csv"), "--recipes",
        "linear,primeflow-mlp-plus-tiny,cpa",
        "--seeds", "2", "--cells", "16", "--out", str(out), *(word for text in pace for word in ("--set", text)), *more,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def started():
    """A function that starts the command in a process of its own."""
    with forking() as start:
        yield lambda *given, **options: start(forked.command, *command(*given, **options))


def table(out):
    """All but the time that it took, as it is written."""
    return pd.read_csv(Path(out) / "benchmark.csv", dtype=str).drop(columns="seconds")


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    interrupted(command(place, out), [])
    return table(out)


def logs(out):
    return {log: log.stat().st_size for log in Path(out).glob("models/*/training/log.jsonl")}


def half_written(out):
    return [file for file in Path(out).rglob(f".*{PARTIAL}") if "training" not in file.parts]


def moments(out, seen):
    """What is waited for before each kill, given the logs that were ``seen`` when the process started."""
    return (
        lambda: Path(out).exists(),
        lambda: len(logs(out)) > len(seen),
        lambda: half_written(out),
        lambda: any((Path(out) / "scores").glob(f".*{PARTIAL}")),
        lambda: any(size > seen.get(log, 0) for log, size in logs(out).items()),
        lambda: len(list((Path(out) / "scores").glob("*.parquet"))) >= 4,
        lambda: any(Path(out).glob(f".*{PARTIAL}")) or (Path(out) / "benchmark.csv").exists(),
    )


@pytest.mark.slow
def test_ended_at_each_moment_and_run_again_equals_never_ended(place, whole, tmp_path):
    out = tmp_path / "out"
    interrupted(command(place, out), MOMENTS)
    pd.testing.assert_frame_equal(table(out), whole)
    assert not half_written(out)


HERE, WORKERS = (), ("--workers", "2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "kills"),
    [
        pytest.param(HERE, (1, 4), id="here"),
        pytest.param(WORKERS, (4,), id="workers", marks=pytest.mark.long),
        pytest.param(HERE, range(7), id="often-here", marks=pytest.mark.long),
        pytest.param(WORKERS, (1, 3, 4, 6), id="often-on-workers", marks=pytest.mark.long),
    ],
)
def test_killed_and_run_again_equals_never_killed(place, whole, started, tmp_path, more, kills):
    out, delays = tmp_path / "out", random.Random(0)
    at_work = []
    for number in kills:
        seen = logs(out)
        process = started(place, out, *more)
        process.until(moments(out, seen)[number])
        time.sleep(delays.choice((0.0, delays.uniform(0, 0.3))) if len(kills) > 2 else 0.0)
        at_work.append(process.kill())
    assert sum(at_work) >= max(1, len(kills) - 2)
    interrupted(command(place, out), [])
    pd.testing.assert_frame_equal(table(out), whole)
    assert not half_written(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [pytest.param(HERE, id="here"), pytest.param(WORKERS, id="workers", marks=pytest.mark.long)]
)
def test_ctrl_c_ends_it_quickly_and_quietly(place, started, tmp_path, more):
    out = tmp_path / "out"
    process = started(place, out, *more, steps=200_000)
    process.until(lambda: len(logs(out)) >= (2 if more else 1))
    started_by_it = psutil.Process(process.pid).children(recursive=True)
    process.signal_group(signal.SIGINT)
    # The training that it interrupts takes an hour.
    assert process.ended() == 130, process.said
    assert "finished parts are kept" in process.said
    assert not any(word in process.said for word in ("Traceback", "Nanny", "Worker"))
    _, alive = psutil.wait_procs(started_by_it, timeout=forked.PATIENCE)
    assert not alive


def dies(store, entry, read, command):
    if entry.recipe.name == "cpa":
        os._exit(1)
    return run.FinishedEntry(entry)


@pytest.mark.slow
def test_a_training_whose_workers_die_is_told_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "run_entry", dies)
    monkeypatch.setattr(dask_workers, "LOSSES", 0)
    store = BenchmarkStore(
        tmp_path, Grid((recipe_named("cpa"), recipe_named("linear")), (0,), (1.0,), 16, "data", "split")
    )
    with forked_workers():
        failed = {one.entry.name: one.failed for one in run.run_entries(store, list, [], 1)}
    assert failed["linear-seed-0"] == ""
    assert "fewer workers" in failed["cpa-seed-0"]


@pytest.mark.slow
def test_a_second_benchmark_in_the_folder_is_refused_and_the_first_goes_on(place, started, tmp_path):
    out = tmp_path / "out"
    first = started(place, out, steps=200_000)
    first.until(lambda: logs(out))
    second = started(place, out)
    assert second.ended() == 2
    assert "Another process works in" in second.said
    assert "Traceback" not in second.said
    assert first.kill()
