"""Kill -9 of `benchmark` and all that it started, at any moment: the same command goes on, and ends with the same
table. Ctrl+C ends it quickly, and two in one folder are refused.
"""

import os
import random
import signal
import subprocess
import sys
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
from primeflow_core.data.h5ad.writing import write_cells
from primeflow_core.data.splits import TEST, held_out_split
from primeflow_core.runtime import dask_workers
from primeflow_core.runtime.atomic_files import PARTIAL
from primeflow_core.training.recipes.registry import recipe_named
from tests.tiny import cells, condition

ROOT = Path(__file__).resolve().parents[2]
# Sums hang on the number of threads, and two of them on two busy cores wait for each other.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
PATIENCE = 120


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """``d.h5ad`` and ``split.csv``, on which six trainings take a few seconds."""
    folder = tmp_path_factory.mktemp("bench")
    data = cells(per_condition=40)
    labels = [one.label for one in data.condition_list(np.arange(len(data)))]
    write_cells(folder / "d.h5ad", data.dense(), data.genes, labels, {"cell_type": ["k562"] * len(data)}, {})
    read = read_cells(folder / "d.h5ad")
    pair = next(one for one in read.conditions if one.label == condition("A", "B").label)
    held_out_split(read, {pair: TEST}, seed=0).write(folder / "split.csv")
    return folder


def command(place, out, *more, steps=150):
    pace = [f"steps={steps}", "batch_size=16", "validate_every=25", "save_every=7", "log_every=3"]
    return [
        sys.executable, "-m", "primeflow_core", "benchmark", str(place / "d.h5ad"), "--split",
        str(place / "split.csv"), "--recipes", "linear,mlp-tiny,cpa", "--seeds", "2", "--cells", "16",
        "--out", str(out), *(word for text in pace for word in ("--set", text)), *more,
    ]  # fmt: skip


def started(*given, **options):
    return subprocess.Popen(
        command(*given, **options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT,
        start_new_session=True,
    )  # fmt: skip


def finished(*given):
    process = started(*given)
    told = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 0, told
    return table(given[1])


def table(out):
    """All but the time that it took, as it is written."""
    return pd.read_csv(Path(out) / "benchmark.csv", dtype=str).drop(columns="seconds")


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    return finished(place, tmp_path_factory.mktemp("whole") / "out")


def until(process, happened):
    """Wait for it; at once where the process ends before."""
    last = time.monotonic() + PATIENCE
    while process.poll() is None and not happened():
        if time.monotonic() > last:
            pytest.fail("the benchmark hangs")
        time.sleep(0.002)


def killed(process):
    """The process and its workers, at once. Says whether it was still at work."""
    at_work = process.poll() is None
    if at_work:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    return at_work


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
@pytest.mark.parametrize(
    ("more", "kills"), [((), range(7)), (("--workers", "2"), (1, 3, 4, 6))], ids=["here", "workers"]
)
def test_killed_at_any_moment_and_run_again_equals_never_killed(place, whole, tmp_path, more, kills):
    out, delays = tmp_path / "out", random.Random(0)
    at_work = []
    for number in kills:
        seen = logs(out)
        process = started(place, out, *more)
        until(process, moments(out, seen)[number])
        time.sleep(delays.choice((0.0, delays.uniform(0, 0.3))))
        at_work.append(killed(process))
    assert sum(at_work) >= len(kills) - 2
    pd.testing.assert_frame_equal(finished(place, out, *more), whole)
    assert not half_written(out)


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["here", "workers"])
def test_ctrl_c_ends_it_quickly_and_quietly(place, tmp_path, more):
    out = tmp_path / "out"
    process = started(place, out, *more, steps=200_000)
    until(process, lambda: len(logs(out)) >= (2 if more else 1))
    started_by_it = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=60)[1].decode()
    assert time.monotonic() - began < 15
    assert process.returncode == 130, told
    assert "what was finished before stands" in told
    assert not any(word in told for word in ("Traceback", "Nanny", "Worker"))
    _, alive = psutil.wait_procs(started_by_it, timeout=10)
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
    failed = {one.entry.name: one.failed for one in run.run_entries(store, list, [], 1)}
    assert failed["linear-seed-0"] == ""
    assert "fewer workers" in failed["cpa-seed-0"]


@pytest.mark.slow
def test_a_second_benchmark_in_the_folder_is_refused_and_the_first_goes_on(place, tmp_path):
    out = tmp_path / "out"
    first = started(place, out, steps=200_000)
    until(first, lambda: logs(out))
    second = started(place, out)
    told = second.communicate(timeout=60)[1].decode()
    assert second.returncode == 2
    assert "Another process works in" in told
    assert "Traceback" not in told
    assert killed(first)
