"""A screen's folder and who works in it: whoever is killed, and however many work, every shard is there once, the same.

The slow tests start real workers on a tiny model.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import distributed
import numpy as np
import psutil
import pyarrow as pa
import pytest
import torch
from distributed import LocalCluster

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError, SettingError
from primeflow_core.runtime import dask_workers
from primeflow_core.runtime.folder_lock import LOCK
from primeflow_core.screening import engine, screen_spec
from primeflow_core.screening.engine import one_thread, run_here, run_on_workers
from primeflow_core.screening.reference_cells import Reference, measured_reference
from primeflow_core.screening.screen_spec import ScreenOrder
from primeflow_core.screening.shards import Parts
from primeflow_core.screening.worker_context import WorkerContext, weights_of
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests import screens
from tests.forked import PATIENCE, forked_workers, forking
from tests.thread_workers import thread_workers
from tests.tiny import RECIPE

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(f"P{i}" for i in range(7))
PAIRS = tuple("+".join(pair) for pair in combinations(NAMES, 2))
FEW = 6


class NoReference:
    """Where a test does not look at it."""

    def write(self, path):
        path.write_bytes(b"")


class StandIn:
    """A bench whose scores are the positions; ``asked`` are those it was asked for."""

    def __init__(self, order):
        self.order, self.asked = order, []

    def screened(self, positions, checkpoint=lambda: None):
        for position in positions:
            checkpoint()
            self.asked.append(position)
        return rows_of(self.order, positions)


def rows_of(asked, positions):
    return screens.table_of(asked, [float(i) for i in range(len(asked.everything))]).take(list(positions))


@pytest.fixture
def asked():
    return screens.order(PAIRS[:FEW])


@pytest.fixture
def parts(asked, tmp_path):
    with Parts.begun(tmp_path / "hits.parquet", asked, NoReference()) as begun:
        yield begun


@pytest.fixture
def bench(asked, monkeypatch):
    found = StandIn(asked)
    monkeypatch.setattr(WorkerContext, "opened", staticmethod(lambda folder, model: found))
    engine._kept.cache_clear()
    yield found
    engine._kept.cache_clear()


def fill(parts, shards=None):
    for shard in range(len(parts.order.shards)) if shards is None else shards:
        parts.write(shard, rows_of(parts.order, parts.order.shards[shard]))


def numbers(table):
    """Columns without a NaN, which no comparison finds equal."""
    return table.select(["position", "perturbation", "score", "replicates", "by_seed", "change"]).to_pylist()


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != LOCK}


def test_shards_come_back_as_written_and_in_order(parts):
    assert parts.missing == list(range(FEW))
    fill(parts, (4, 1, 0, 5, 3, 2))
    assert parts.missing == []
    joined = pa.concat_tables(parts.rows())
    assert numbers(joined) == numbers(rows_of(parts.order, range(FEW)))
    assert joined.schema.metadata is None


def test_equal_rows_give_equal_bytes(parts, tmp_path):
    fill(parts)
    with Parts.begun(tmp_path / "again.parquet", parts.order, NoReference()) as again:
        # In other pieces, as another way of making them may leave them.
        for shard, positions in enumerate(parts.order.shards):
            pieces = [rows_of(parts.order, [position]) for position in positions]
            again.write(shard, pa.concat_tables(pieces))
        assert contents(again.folder) == contents(parts.folder)


def test_a_folder_of_the_same_screen_is_taken_up(parts, asked, tmp_path):
    fill(parts, (0, 3))
    (parts.folder / ".shard-00001.parquet.7.partial").write_bytes(b"half")
    parts.close()
    with Parts.begun(tmp_path / "hits.parquet", asked, NoReference()) as again:
        assert (again.present, again.missing) == ([0, 3], [1, 2, 4, 5])
        assert not list(again.folder.glob(".*.partial"))


@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "another"])
def test_a_damaged_shard_is_missing(parts, harm):
    fill(parts)
    path = parts.folder / "shard-00002.parquet"
    whole = path.read_bytes()
    middle = len(whole) // 4
    path.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 4]) + whole[middle + 4 :],
            "empty": b"",
            "another": (parts.folder / "shard-00003.parquet").read_bytes(),
        }[harm]
    )
    assert parts.missing == [2]
    with pytest.raises(DataError, match=r"shard-00002.*Run the same command again"):
        list(parts.rows())


def test_a_folder_of_another_screen_is_refused_and_named(parts, asked, tmp_path):
    other = replace(asked, candidates=asked.candidates[:2])
    parts.close()
    with pytest.raises(SettingError, match=r"6 candidates.*2 candidates.*Choose another --out"):
        Parts.begun(tmp_path / "hits.parquet", other, NoReference())
    with Parts.begun(tmp_path / "hits.parquet", asked, NoReference()) as again:
        assert again.missing == list(range(FEW))


def test_shards_of_another_version_are_refused(parts, asked, tmp_path, monkeypatch):
    parts.close()
    monkeypatch.setattr(screen_spec, "__version__", "0.0.1")
    with pytest.raises(SettingError, match="another screen"):
        Parts.begun(tmp_path / "hits.parquet", replace(asked), NoReference())
    with pytest.raises(SettingError, match="same version everywhere"):
        Parts.opened(parts.folder)


def test_two_processes_do_not_share_a_folder(parts, asked, tmp_path):
    with pytest.raises(SettingError, match="Another process works in"):
        Parts.begun(tmp_path / "hits.parquet", asked, NoReference())
    parts.close()
    Parts.begun(tmp_path / "hits.parquet", asked, NoReference()).close()


def test_a_folder_killed_before_its_order_was_whole_is_begun_anew(parts, asked, tmp_path):
    fill(parts, (0,))
    parts.close()
    (parts.folder / "fingerprint.txt").unlink()
    with Parts.begun(tmp_path / "hits.parquet", asked, NoReference()) as again:
        assert again.missing == list(range(FEW))


def test_a_fingerprint_that_is_no_text_is_told_from_the_order(parts, asked, tmp_path):
    fill(parts, (0, 3))
    parts.close()
    (parts.folder / "fingerprint.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match=r"another screen .*6 candidates, tiny"):
        Parts.begun(tmp_path / "hits.parquet", replace(asked, cells=11), NoReference())
    with Parts.begun(tmp_path / "hits.parquet", asked, NoReference()) as again:
        assert again.present == [0, 3]
        assert Parts.opened(again.folder).present == [0, 3]


def test_without_a_readable_fingerprint_and_order_a_folder_is_refused(parts, asked, tmp_path):
    parts.close()
    for name in ("fingerprint.txt", "order.json"):
        (parts.folder / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match=r"another screen \(unknown: its order cannot be read\).*delete that folder"):
        Parts.begun(tmp_path / "hits.parquet", asked, NoReference())


@pytest.mark.parametrize("name", ["order.json", "reference.npz"])
def test_what_workers_read_is_written_anew_when_a_screen_is_taken_up(parts, asked, tmp_path, name):
    fill(parts, (0,))
    parts.close()
    whole = contents(parts.folder)
    (parts.folder / name).write_bytes(b"damaged")
    with Parts.begun(tmp_path / "hits.parquet", asked, NoReference()) as again:
        assert contents(again.folder) == whole


def test_another_screen_says_how_it_differs(parts, asked, tmp_path):
    parts.close()
    with pytest.raises(SettingError, match=r"noise seeds 0, 1\).*1 candidate, tiny, effect, 10 cells .* seeds 0, 2"):
        Parts.begun(
            tmp_path / "hits.parquet", replace(asked, candidates=asked.candidates[:1], seeds=(0, 2)), NoReference()
        )


def test_a_folder_left_behind_is_that_of_the_very_screen(parts, asked, tmp_path):
    out = tmp_path / "hits.parquet"
    parts.close()
    assert Parts.left_behind(out, replace(asked, cells=11)) is None
    assert Parts.left_behind(tmp_path / "none.parquet", asked) is None
    found = Parts.left_behind(out, asked)
    assert found is not None
    found.remove()
    assert not parts.folder.exists()


def test_a_folder_of_something_else_is_left_alone(asked, tmp_path):
    folder = tmp_path / "hits.parquet.parts"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(SettingError, match=r"thesis\.txt"):
        Parts.begun(tmp_path / "hits.parquet", asked, NoReference())
    assert contents(folder) == {"thesis.txt": b"mine"}


def test_removed_but_for_what_is_not_of_a_screen(parts):
    fill(parts, (0,))
    (parts.folder / "notes.txt").write_text("mine")
    parts.remove()
    assert contents(parts.folder) == {"notes.txt": b"mine"}


def test_a_worker_that_outlives_its_screen_writes_nothing_into_the_next(parts, asked, tmp_path):
    late = Parts.opened(parts.folder)
    parts.remove()
    with Parts.begun(tmp_path / "hits.parquet", replace(asked, cells=11), NoReference()) as following:
        with pytest.raises(SettingError, match="no longer holds the screen"):
            fill(late)
        assert following.missing == list(range(FEW))


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path):
    with pytest.raises(SettingError, match="that all machines share"):
        Parts.opened(tmp_path / "elsewhere")


def test_what_every_shard_asks_of_a_long_order_is_worked_out_once(asked):
    assert asked.everything is asked.everything
    assert asked.shards is asked.shards


def test_a_worker_reads_its_screen_once_and_another_screen_anew(parts, bench, asked, tmp_path, monkeypatch):
    opened, read = Parts.opened, []
    monkeypatch.setattr(Parts, "opened", staticmethod(lambda folder: read.append(folder) or opened(folder)))
    assert [engine.screen_shard(str(parts.folder), "model", shard) for shard in range(FEW)] == list(range(FEW))
    assert (parts.missing, len(read)) == ([], 1)
    parts.remove()
    with Parts.begun(tmp_path / "hits.parquet", replace(asked, cells=11), NoReference()) as following:
        engine.screen_shard(str(following.folder), "model", 2)
        assert (following.present, len(read)) == ([2], 2)


def test_only_what_is_missing_is_screened(parts, bench):
    fill(parts, (1, 4))
    told = []
    run_here(parts, Path("model"), told.append)
    assert bench.asked == [0, 2, 3, 5]
    assert told == [2, 3, 4, 5, 6]
    assert parts.missing == []


def test_a_finished_screen_loads_no_model(parts, monkeypatch):
    fill(parts)
    monkeypatch.setattr(WorkerContext, "opened", None)
    told = []
    run_here(parts, Path("model"), told.append)
    run_on_workers(parts, Path("model"), told.append, workers=2)
    assert told == [FEW, FEW]


def test_finished_shards_stay_when_a_run_is_ended(parts, bench):
    def ended():
        if len(bench.asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_here(parts, Path("model"), lambda done: None, ended)
    assert parts.present == [0, 1]


def test_one_thread_and_then_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.setattr(engine, "local_workers", thread_workers)


@pytest.mark.usefixtures("threads")
def test_workers_screen_what_is_missing(parts, bench, monkeypatch):
    monkeypatch.setattr(engine, "SENT_AHEAD", 2)
    fill(parts, (1, 4))
    told = []
    run_on_workers(parts, Path("model"), told.append, workers=2)
    assert sorted(bench.asked) == [0, 2, 3, 5]
    assert told == [2, 3, 4, 5, 6]
    assert numbers(pa.concat_tables(parts.rows())) == numbers(rows_of(parts.order, range(FEW)))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("error", [DataError("No controls."), OSError(28, "No space left on device")])
def test_what_fails_on_a_worker_is_told_here(parts, bench, monkeypatch, error):
    def failing(positions):
        raise error

    monkeypatch.setattr(bench, "screened", failing)
    with pytest.raises(type(error), match=str(error.args[-1])):
        run_on_workers(parts, Path("model"), lambda done: None, workers=1)


@pytest.mark.parametrize("where", [{}, {"workers": 1, "scheduler": "tcp://127.0.0.1:1"}, {"workers": 0}])
def test_a_screen_runs_in_one_place(parts, where):
    with pytest.raises(SettingError):
        run_on_workers(parts, Path("model"), lambda done: None, **where)


def test_a_scheduler_that_does_not_answer(parts, monkeypatch):
    monkeypatch.setattr(dask_workers, "SECONDS_TO_ANSWER", 0.3)
    with pytest.raises(SettingError, match="No Dask scheduler answers"):
        run_on_workers(parts, Path("model"), lambda done: None, scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize("address", ["no address", "http://127.0.0.1:1", "127.0.0.1:8786", "tcp://host", ""])
def test_what_is_no_address_is_not_looked_for(parts, address, monkeypatch):
    monkeypatch.setattr(distributed, "Client", lambda *_, **__: pytest.fail("it was looked for"))
    with pytest.raises(SettingError, match="is not the address of a Dask scheduler"):
        run_on_workers(parts, Path("model"), lambda done: None, scheduler=address)


def test_workers_of_other_versions_are_refused():
    here = {"packages": {"primeflow": "2", "torch": "2.13", "numpy": "2"}}
    dask_workers.check_versions({"client": here, "workers": {"tcp://a:1": here}})
    for there, said in (({"primeflow": "1"}, r"primeflow 1 \(here 2\)"), ({"torch": None}, "torch missing")):
        other = {"packages": {**here["packages"], **there}}
        with pytest.raises(SettingError, match=f"tcp://b:2.*{said}"):
            dask_workers.check_versions({"client": here, "workers": {"tcp://a:1": here, "tcp://b:2": other}})


def test_the_slurm_example_writes_a_job_of_one_thread(tmp_path, capsys):
    pytest.importorskip("dask_jobqueue", reason="the optional extra slurm (dask-jobqueue) is not installed")
    from docs import slurm_screen

    job = ["--hours", "2", "--memory", "3GB", "--partition", "short", "--logs", str(tmp_path)]
    assert slurm_screen.main([*job, "--show"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/usr/bin/env bash")
    for line in ("#SBATCH -p short", "#SBATCH --cpus-per-task=1", "#SBATCH -t 02:00:00", "export OMP_NUM_THREADS=1"):
        assert line in script
    assert "--nthreads 1" in script
    assert sys.executable in script


def test_the_slurm_example_screens_on_its_own_scheduler(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="the optional extra slurm (dask-jobqueue) is not installed")
    from dask_jobqueue import SLURMCluster

    from docs import slurm_screen

    told = []
    monkeypatch.setattr(slurm_screen, "primeflow", lambda words: told.extend(words) or 0)
    monkeypatch.setattr(SLURMCluster, "adapt", lambda self, **jobs: told.append(jobs))
    assert (
        slurm_screen.main(["--jobs", "3", "--logs", str(tmp_path), "--", "--model", "m", "--out", "hits.parquet"]) == 0
    )
    jobs, *words, address = told
    assert jobs == {"minimum_jobs": 3, "maximum_jobs": 3}
    assert words == ["screen", "--model", "m", "--out", "hits.parquet", "--scheduler"]
    assert address.startswith("tcp://")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tiny model, the order of all its pairs, and its reference: what a process needs to screen."""
    folder = tmp_path_factory.mktemp("place")
    context = screens.CONTEXT
    conditions = (Condition((), context), *(Condition((Perturbation(name),), context) for name in NAMES))
    rng = np.random.default_rng(0)
    condition_of = np.repeat(np.arange(len(conditions)), 20)
    values = rng.gamma(2.0, 0.5, (len(condition_of), 11)) + 0.1 * condition_of[:, None]
    data = Cells(
        values.astype(np.float32), tuple(f"G{i}" for i in range(11)),
        np.array([f"cell{i}" for i in range(len(values))]), conditions, condition_of,
    )  # fmt: skip
    split = Split(data.names, np.array(["train" if i % 5 else "val" for i in range(len(data))]))
    model = folder / "model"
    recipe = replace(RECIPE, training=replace(RECIPE.training, steps=2))
    train(
        prepare(Source(data, split, "tiny", True), recipe, model, seed=0, device="cpu", resume=False, command=[]), model
    )
    pairs = tuple(screens.condition(label) for label in PAIRS)
    reference = measured_reference(data, model, data.genes, pairs, None)
    reference.write(folder / "reference.npz")
    asked = replace(screens.order(PAIRS), weights=weights_of(model), reference=reference.sha256)
    (folder / "order.json").write_text(json.dumps(asked.to_json()))
    return folder


def screen(place, out, **where):
    """Begin or resume the screen of ``place``; its files stay, to be looked at."""
    asked = ScreenOrder.from_json(json.loads((Path(place) / "order.json").read_text()))
    with Parts.begun(Path(out), asked, Reference.read(Path(place) / "reference.npz")) as parts:
        if where:
            run_on_workers(parts, Path(place) / "model", lambda done: None, **where)
        else:
            run_here(parts, Path(place) / "model", lambda done: None)
    return parts.folder


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """The files of a screen that nothing happened to, in one process."""
    return contents(screen(place, tmp_path_factory.mktemp("whole") / "hits.parquet"))


@pytest.fixture
def start():
    with forking() as begin:
        yield begin


def screen_on_workers(place, out, count):
    """A target: ``screen`` in a process of its own, with workers."""
    screen(place, out, workers=count)


def wait_for(process, out, shards):
    """Until so many shards are there; returns the processes that ``process`` started."""
    process.until(lambda: len(list(Path(f"{out}.parts").glob("shard-*"))) >= shards)
    assert process.running, process.said
    return psutil.Process(process.pid).children(recursive=True)


def check_gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive


@pytest.mark.slow
def test_two_workers_make_the_same_bytes(place, whole, tmp_path, capfd):
    with forked_workers():
        assert contents(screen(place, tmp_path / "hits.parquet", workers=2)) == whole
    assert sum(name.startswith("shard-") for name in whole) == len(PAIRS)
    said = "".join(capfd.readouterr()).lower()
    assert not any(word in said for word in ("nanny", "scheduler", "worker process", "traceback"))


@pytest.mark.slow
def test_a_running_scheduler_makes_the_same_bytes(place, whole, tmp_path):
    with (
        forked_workers(),
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
    ):
        folder = screen(place, tmp_path / "hits.parquet", scheduler=cluster.scheduler_address)
    assert contents(folder) == whole


@pytest.mark.long
def test_a_worker_killed_in_the_middle_loses_nothing(place, whole, start, tmp_path):
    process = start(screen_on_workers, place, tmp_path / "hits.parquet", 1)
    workers = [one for one in wait_for(process, tmp_path / "hits.parquet", 5) if "spawn_main" in str(one.cmdline())]
    assert len(workers) == 1
    workers[0].kill()
    assert (process.ended(), process.said) == (0, "")
    assert contents(tmp_path / "hits.parquet.parts") == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments", [(6,), pytest.param((1, 6, 13), marks=pytest.mark.long)], ids=["once", "three-times"]
)
def test_killed_and_resumed_equals_never_killed(place, whole, start, tmp_path, moments):
    out = tmp_path / "hits.parquet"
    for shards in moments:
        process = start(screen_on_workers, place, out, 2)
        started_by_it = wait_for(process, out, shards)
        os.kill(process.pid, signal.SIGKILL)
        process.ended()
        check_gone(started_by_it)
    assert contents(screen(place, out)) == whole


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_quietly(place, start, tmp_path):
    process = start(screen_on_workers, place, tmp_path / "hits.parquet", 2)
    started_by_it = wait_for(process, tmp_path / "hits.parquet", 3)
    process.signal_group(signal.SIGINT)
    assert process.ended() == 1
    assert process.said.count("Traceback") == 1
    assert process.said.splitlines()[-1] == "KeyboardInterrupt"
    assert "Nanny" not in process.said
    check_gone(started_by_it)


def dies(folder, model, shard):
    os._exit(1)


@pytest.mark.slow
def test_workers_that_always_die_are_given_up(place, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "screen_shard", dies)
    monkeypatch.setattr(dask_workers, "LOSSES", 1)
    with forked_workers(), pytest.raises(SettingError, match="fewer workers"):
        screen(place, tmp_path / "hits.parquet", workers=1)
