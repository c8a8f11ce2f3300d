"""The command screen as a user meets it, on a tiny model of a tiny data set in two contexts."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main
from primeflow_core.commands.ranking_shown import show
from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.data.splits import Split
from primeflow_core.errors import SettingError
from primeflow_core.models import checkpoint
from primeflow_core.prediction.control_rows import control_rows, in_training
from primeflow_core.screening import engine, screen_run
from primeflow_core.screening import worker_context as screening_bench
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.screen_file import UNFINISHED, moves, read_screen, write_screen
from primeflow_core.screening.screen_request import Request, foreseen_seconds, prepared
from primeflow_core.screening.shards import Parts
from primeflow_core.training.run import Source, prepare
from primeflow_core.training.trainer import train
from tests import forked
from tests.forked import forked_workers, forking
from tests.moments import interrupted
from tests.tiny import RECIPE

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "checkpoints"
FEW = ["--cells", "10", "--sampler", "euler", "--steps", "1", "--precision", "float32"]
PARTS = ["--candidates", "all-pairs", "--parts", "A,B,E"]
GENES, HELD_OUT = 20, ("A+B", "A+C", "B+C", "B+D")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """``screen.h5ad``: five singles in k562 and hela, all pairs but B+E in k562, four of them held out; ``model``."""
    folder = tmp_path_factory.mktemp("screen")
    singles = {(label, context) for label in "ABCDE" for context in ("k562", "hela")}
    pairs = {(f"{a}+{b}", "k562") for a, b in combinations("ABCDE", 2)} - {("B+E", "k562")}
    told = [(label, context) for label, context in sorted(singles | pairs) for _ in range(16)]
    told += [("control", context) for context in ("k562", "hela") for _ in range(40)]
    values = np.random.default_rng(0).gamma(2.0, 0.4, (len(told), GENES)).astype(np.float32)
    for row, (label, _) in enumerate(told):
        for name in label.split("+") if label != "control" else ():
            values[row, 3 * "ABCDE".index(name) :][:3] += 1 + "ABCDE".index(name) / 4
    labels, contexts = map(list, zip(*told, strict=True))
    genes = tuple(f"G{i}" for i in range(GENES))
    write_anndata(folder / "screen.h5ad", as_anndata(values, genes, labels, {"cell_type": contexts}, {}))
    cells = read_cells(folder / "screen.h5ad", covariates=("cell_type",))
    in_test = [label in HELD_OUT or (label == "control" and i % 2 == 0) for i, label in enumerate(labels)]
    split = Split(cells.names, np.where(in_test, "test", "train"))
    source = Source(cells, split, "screen.h5ad", True)
    recipe = replace(RECIPE, training=replace(RECIPE.training, steps=3, validate_every=10))
    train(prepare(source, recipe, folder / "model", seed=0, device="cpu", resume=False, command=[]), folder / "model")
    return folder


def command(place, out, *more, data=True):
    named = ["--data", str(place / "screen.h5ad"), "--covariates", "cell_type"] if data else []
    return ["screen", "--model", str(place / "model"), "--out", str(out), *FEW, *named, *more]


def screen(place, out, *more, data=True):
    return main(command(place, out, *more, data=data))


@pytest.mark.slow
def test_pairs_are_ranked_with_trust_above_and_next_experiments_below(place, tmp_path, capsys):
    out = tmp_path / "hits.parquet"
    assert screen(place, out, *PARTS) == 0
    told = capsys.readouterr()
    found = read_screen(out)
    assert sorted(found.table["perturbation"]) == ["A+B", "A+E", "B+E"]
    assert list(found.table["rank"]) == [1, 2, 3]
    assert found.trust is not None
    assert found.trust.rows[0].conditions == 4
    assert "PREDICTED, SIMULATED" in told.out
    assert list(found.next["perturbation"]) == ["B+E"]
    places = [told.out.index(text) for text in ("4 held-out combinations", "sum of parts", "What to measure next")]
    assert places == sorted(places)
    assert "In k562; --covariate cell_type=VALUE" in told.err
    assert "3 candidates and 4 held-out conditions, 10 cells for each of 2 noise seeds" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["hits.parquet"]


def test_the_same_command_again_screens_nothing(place, tmp_path, capsys, monkeypatch):
    out = tmp_path / "hits.parquet"
    assert screen(place, out, *PARTS) == 0
    bytes_before, told = out.read_bytes(), capsys.readouterr().out
    screened = []
    predict = screening_bench.WorkerContext.screened
    monkeypatch.setattr(
        screening_bench.WorkerContext, "screened", lambda *given: screened.append(given) or predict(*given)
    )  # fmt: skip
    assert screen(place, out, *PARTS) == 0
    again = capsys.readouterr()
    assert "already holds this screen" in again.err
    assert again.out == told
    assert (out.read_bytes(), screened) == (bytes_before, [])


def test_another_order_and_a_file_of_something_else_are_refused_and_left_as_they_are(place, tmp_path, capsys):
    out, thesis = tmp_path / "hits.parquet", tmp_path / "thesis.parquet"
    assert screen(place, out, *PARTS) == 0
    thesis.write_text("mine")
    kept = out.read_bytes()
    capsys.readouterr()
    assert screen(place, out, *PARTS, "--seed", "5") == 2
    assert "holds the table of another screen (3 candidates, model: Which" in capsys.readouterr().err
    assert screen(place, thesis, *PARTS) == 2
    assert "is there and no table of a screen" in capsys.readouterr().err
    assert (out.read_bytes(), thesis.read_text()) == (kept, "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hits.parquet", "thesis.parquet"]


def test_a_csv_of_something_else_is_refused_and_that_of_a_screen_written_again(place, tmp_path, capsys):
    out = tmp_path / "hits.csv"
    out.write_text("mine\n")
    assert screen(place, out, *PARTS) == 2
    assert "there is no screen beside it" in capsys.readouterr().err
    assert out.read_text() == "mine\n"
    out.unlink()
    assert screen(place, out, *PARTS) == screen(place, out, *PARTS) == 0
    assert list(pd.read_csv(out)["rank"]) == [1, 2, 3]


@pytest.mark.slow
def test_what_moves_a_gene_out_of_this_screen_is_not_this_screen(place, tmp_path, capsys):
    out = tmp_path / "hits.parquet"
    assert screen(place, out, *PARTS, "--changes") == 0
    write_screen(out, moves(read_screen(out), "G1"))
    assert screen(place, out, *PARTS) == 2
    assert "What moves G1?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_ranking_that_was_cancelled_is_made_whole(place, tmp_path):
    out = tmp_path / "hits.parquet"
    assert screen(place, out, *PARTS) == 0
    whole, bytes_before = read_screen(out), out.read_bytes()
    cut = replace(whole, table=whole.table.head(1), about={**whole.about, UNFINISHED: [1, 3]})
    write_screen(out, cut)
    assert screen(place, out, *PARTS) == 0
    assert out.read_bytes() == bytes_before


@pytest.mark.slow
def test_a_folder_left_behind_beside_its_table_is_removed(place, tmp_path, monkeypatch):
    out = tmp_path / "hits.parquet"
    with monkeypatch.context() as patch:
        patch.setattr(Parts, "remove", Parts.close)
        assert screen(place, out, *PARTS) == 0
    assert (tmp_path / "hits.parquet.parts").is_dir()
    assert screen(place, out, *PARTS) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["hits.parquet"]


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on(place, tmp_path, capsys, monkeypatch):
    whole, resumed = tmp_path / "whole.parquet", tmp_path / "resumed.parquet"
    assert screen(place, whole, *PARTS) == 0
    screened = screening_bench.WorkerContext.screened
    calls = []

    def stopped(*given):
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return screened(*given)

    with monkeypatch.context() as patch:
        patch.setattr(screening_bench.WorkerContext, "screened", stopped)
        assert screen(place, resumed, *PARTS) == 130
    assert not resumed.exists()
    capsys.readouterr()
    assert screen(place, resumed, *PARTS) == 0
    assert "Resuming: 3 of 6 shards are done" in capsys.readouterr().err
    assert resumed.read_bytes() == whole.read_bytes()


MOMENTS = (
    "hits.parquet.parts/reference.npz written", "hits.parquet.parts/order.json in place",
    "hits.parquet.parts/fingerprint.txt written", "hits.parquet.parts/fingerprint.txt in place",
    "hits.parquet.parts/shard-00000.parquet begun", "hits.parquet.parts/shard-00000.parquet in place",
    "hits.parquet.parts/shard-00003.parquet written", "hits.parquet.parts/shard-00005.parquet in place",
    "killed/hits.parquet written", "killed/hits.parquet in place",
)  # fmt: skip


@pytest.mark.slow
def test_ended_at_each_moment_and_run_again_equals_never_ended(place, tmp_path):
    whole, out = tmp_path / "whole.parquet", tmp_path / "killed" / "hits.parquet"
    interrupted(command(place, whole, *PARTS), [])
    interrupted(command(place, out, *PARTS), MOMENTS)
    assert out.read_bytes() == whole.read_bytes()
    assert not Path(f"{out}.parts").exists()


def slow_command(*words):
    """A target: the command, which takes half a second over each shard, so that a kill is never too late."""
    screened = screening_bench.WorkerContext.screened

    def slowly(*given):
        time.sleep(0.5)
        return screened(*given)

    screening_bench.WorkerContext.screened = slowly
    forked.command(*words)


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 3])
def test_killed_and_run_again_equals_never_killed(place, tmp_path, shards):
    whole, out = tmp_path / "whole.parquet", tmp_path / "hits.parquet"
    with forking() as start:
        process = start(slow_command, *command(place, out, *PARTS))
        process.until(lambda: len(list(Path(f"{out}.parts").glob("shard-*"))) >= shards)
        assert process.kill()
    assert screen(place, whole, *PARTS) == screen(place, out, *PARTS) == 0
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_csv_stands_beside_parquet_and_a_table_is_screened_again_by_another_goal(place, tmp_path):
    assert screen(place, tmp_path / "hits.csv", *PARTS, "--changes") == 0
    found = read_screen(tmp_path / "hits.parquet")
    assert list(pd.read_csv(tmp_path / "hits.csv")["perturbation"]) == list(found.table["perturbation"])
    assert found.changes.shape == found.change_errors.shape == (3, len(found.genes))
    again = ["--candidates", str(tmp_path / "hits.parquet"), "--goal", "interaction"]
    assert screen(place, tmp_path / "more.parquet", *again) == 0
    more = read_screen(tmp_path / "more.parquet")
    assert set(more.table["perturbation"]) == set(found.table["perturbation"])
    assert more.about["order"]["goal"]["kind"] == "synergy"


@pytest.mark.parametrize(
    ("goal", "sentence"),
    [
        (["--goal", "target", "--target", "c+A"], "nearest to A+C"),
        (["--goal", "direction", "--target", "C"], "in the direction of C"),
        (["--goal", "moves", "--gene", "g1"], "What moves G1?"),
        (["--goal", "genes", "--raise", "G1,NOSUCH", "--lower", "LIST"], "raise G1 and lower G2, G3"),
    ],
)
def test_every_goal_ranks(place, tmp_path, capsys, goal, sentence):
    (tmp_path / "genes.txt").write_text("G2\nG3\n")
    goal = [str(tmp_path / "genes.txt") if word == "LIST" else word for word in goal]
    asked = ["--candidates", "all-singles", "--parts", "B,D", *goal]
    assert screen(place, tmp_path / "hits.parquet", *asked) == 0
    told = capsys.readouterr()
    assert sentence in told.out
    assert read_screen(tmp_path / "hits.parquet").table["rank"].notna().all()
    assert ("NOSUCH" in told.err) == ("genes" in goal)


def test_a_target_state_comes_from_a_file_too(place, tmp_path, capsys):
    cells = read_cells(place / "screen.h5ad", covariates=("cell_type",))
    values = cells.dense(np.arange(40))
    write_anndata(tmp_path / "state.h5ad", as_anndata(values, cells.genes, ["x"] * 40, {}, {}))
    asked = [*PARTS, "--goal", "target", "--target-data", str(tmp_path / "state.h5ad")]
    assert screen(place, tmp_path / "hits.parquet", *asked) == 0
    assert "nearest to state" in capsys.readouterr().out
    write_anndata(tmp_path / "state.h5ad", as_anndata(np.round(values * 10), cells.genes, ["x"] * 40, {}, {}))
    assert screen(place, tmp_path / "more.parquet", *asked) == 2
    said = capsys.readouterr().err
    assert "state.h5ad holds counts" in said
    assert "model was trained on values that were log-normalised already" in said
    write_anndata(tmp_path / "state.h5ad", as_anndata(values - 1, cells.genes, ["x"] * 40, {}, {}))
    assert screen(place, tmp_path / "more.parquet", *asked) == 2
    assert "Values are negative" in capsys.readouterr().err


def test_how_the_file_of_a_target_is_read_needs_one(place, tmp_path, capsys):
    asked = [*PARTS, "--goal", "target", "--target", "A", "--modality", "rna"]
    assert screen(place, tmp_path / "hits.parquet", *asked) == 2
    assert "--target-data" in capsys.readouterr().err


def test_contexts_are_chosen_by_covariate(place, tmp_path, capsys):
    asked = ["--candidates", "all-singles", "--parts", "A", "--covariate", "cell_type=K562"]
    assert screen(place, tmp_path / "b.parquet", *asked, "--covariate", "cell_type=hela") == 0
    assert sorted(read_screen(tmp_path / "b.parquet").table["cell_type"]) == ["hela", "k562"]
    assert screen(place, tmp_path / "all.parquet", *asked, "--covariate", "cell_type=all") == 0
    assert len(read_screen(tmp_path / "all.parquet").table) == 2
    assert screen(place, tmp_path / "first.parquet", *asked[:4]) == 0
    assert list(read_screen(tmp_path / "first.parquet").table["cell_type"]) == ["k562"]


@pytest.mark.slow
def test_whole_cells_are_kept_on_request_as_generate_makes_them(place, tmp_path):
    folder = tmp_path / "cells"
    assert screen(place, tmp_path / "hits.parquet", *PARTS, "--keep-cells", str(folder)) == 0
    files = sorted(folder.iterdir())
    assert len(files) == 6 * 2
    kept = anndata.read_h5ad(files[-1])
    told = read_screen(tmp_path / "hits.parquet").about["order"]
    plan = checkpoint.read_manifest(place / "model").sampling
    assert kept.n_obs == 10
    assert json.loads(kept.uns["provenance"])["sampling"]["seed"] == told["seeds"][-1] != plan.seed


def test_without_measured_cells_controls_are_predicted_and_nothing_is_checked(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    shutil.copytree(place / "model", tmp_path / "elsewhere" / "model")
    place = tmp_path / "elsewhere"
    assert screen(place, tmp_path / "hits.parquet", *PARTS, data=False) == 0
    told = capsys.readouterr()
    assert "measured from predicted control cells" in told.err
    said = " ".join(told.out.split())
    assert (
        "This ranking could not be checked against simulated cells: the cells of screen.h5ad are not on this machine."
        in said
    )
    assert "We cannot say how far to trust it" in said
    found = read_screen(tmp_path / "hits.parquet")
    assert (found.about["controls"], found.trust) == ("predicted", None)
    target = ["--goal", "target", "--target", "C"]
    assert screen(place, tmp_path / "more.parquet", *PARTS, *target, data=False) == 2
    assert "not on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "hits.h5ad"], "must end in .parquet or .csv"),
        (["--out", "/proc/nowhere/hits.parquet"], "cannot be made"),
        (["--model", "nowhere"], "is no model"),
        (["--workers", "0"], "--workers is 0"),
        (["--workers", "1", "--scheduler", "tcp://x:1"], "Give only one of them"),
        (["--next", "-1"], "--next is -1"),
        (["--goal", "target"], "needs --target"),
        (["--goal", "genes"], "needs --raise or --lower"),
        (["--goal", "moves"], "needs --gene"),
        (["--gene", "G1"], "does not belong to --goal effect"),
        (["--goal", "moves", "--gene", "NOSUCH"], "None of these genes"),
        (["--goal", "target", "--target", "NOSUCH"], "NOSUCH is not a perturbation"),
        (["--candidates", "none.csv"], "--parts belongs to"),
        (["--goal", "direction", "--target", "control"], "no direction leads to them"),
        (["--parts", "NOSUCH"], "no candidate left"),
        (["--covariate", "line=k562"], "has no covariate 'line'"),
        (["--covariate", "cell_type=a549"], "is not a cell_type this model knows"),
        (["--doses", "much"], "--doses 'much' must be"),
        (["--cells", "3"], "10 to 100,000 cells"),
        (["--noise-seeds", "1"], "--noise-seeds is 1; it must be 2 to 64"),
        (["--noise-seeds", "65"], "it must be 2 to 64"),
        (["--seed", "-1"], "--seed is -1; it must be 0 or more"),
        (["--seed", str(2**62)], "below 4,611,686,018,427,387,904"),
        (["--scheduler", "my cluster"], "is not the address of a Dask scheduler"),
        (["--goal", "genes", "--raise", "/dev/null/none,"], "None of these genes"),
        (["--goal", "genes", "--raise", ","], "names no gene"),
        (["--goal", "genes", "--raise", ",".join(f"NOSUCH{i}" for i in range(99))], "None of these genes"),
        (["--parts", ",".join(f"NOSUCH{i}" for i in range(99))], "no candidate left"),
        (["--goal", "synergy", "--candidates", "all-singles"], "ranks combinations"),
        (["--sampler", "student"], "no student yet"),
    ],
)
def test_what_cannot_be_screened_is_said_in_a_line_and_leaves_nothing(place, tmp_path, capsys, monkeypatch, more, said):
    monkeypatch.chdir(tmp_path)
    assert screen(place, "hits.parquet", *PARTS, *more) == 2
    told = capsys.readouterr().err
    assert said in told.splitlines()[-1]
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", ["", "folder", "none.csv"])
def test_what_is_no_file_of_candidates_is_named_with_what_there_is_to_say(place, tmp_path, capsys, monkeypatch, which):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert screen(place, "hits.parquet", "--candidates", which) == 2
    assert f"no file {which or '.'!r} of candidates" in (said := capsys.readouterr().err)
    assert "all-singles, all-pairs or all-triples" in said


def test_a_file_without_genes_and_a_file_for_a_folder_of_cells_are_refused(place, tmp_path, capsys):
    empty = tmp_path / "genes.txt"
    empty.write_text("\n")
    assert screen(place, tmp_path / "hits.parquet", *PARTS, "--goal", "genes", "--raise", str(empty)) == 2
    assert "names no gene" in capsys.readouterr().err
    assert screen(place, tmp_path / "hits.parquet", *PARTS, "--keep-cells", str(empty)) == 2
    assert "is a file; name a folder" in capsys.readouterr().err


def test_a_long_list_of_parts_is_no_name_of_a_file(place, tmp_path):
    parts = ",".join(["A", "B", *["a", "b"] * 200])
    assert screen(place, tmp_path / "hits.parquet", "--candidates", "all-pairs", "--parts", parts) == 0
    assert read_screen(tmp_path / "hits.parquet").table["perturbation"].tolist() == ["A+B"]


def test_a_model_without_a_readable_split_is_refused_before_anything_is_predicted(place, tmp_path, capsys, monkeypatch):
    shutil.copytree(place / "model", tmp_path / "model")
    (tmp_path / "model" / checkpoint.SPLIT).write_bytes(b"no gzip")
    monkeypatch.setattr(screening_bench.WorkerContext, "opened", lambda *_: pytest.fail("it began"))
    out = tmp_path / "hits.parquet"
    assert screen(place, out, *PARTS, "--model", str(tmp_path / "model")) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "does not tell which cells were for training: split.csv.gz is not a csv" in said
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.slow
def test_no_more_workers_start_than_there_are_cores(place, tmp_path, capsys, monkeypatch):
    asked = []

    def here(parts, model, on_done, *, workers, scheduler):
        asked.append(workers)
        engine.run_here(parts, model, on_done)

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(screen_run, "run_on_workers", here)
    assert screen(place, tmp_path / "a.parquet", *PARTS, "--workers", "2") == 0
    assert "cores" not in capsys.readouterr().err
    assert screen(place, tmp_path / "b.parquet", *PARTS, "--workers", "64") == 0
    assert "--workers 64 is more than this machine has cores; using 2 workers." in capsys.readouterr().err
    assert asked == [2, 2]


def test_one_of_a_kind_is_said_in_the_singular(place, tmp_path, capsys):
    asked = ["--candidates", "all-pairs", "--parts", "A,B", "--covariate", "cell_type=hela"]
    assert screen(place, tmp_path / "hits.parquet", *asked) == 0
    told = capsys.readouterr()
    assert "most? 1 candidate, 10 cells" in told.err
    assert "1 candidate ranked." in told.out
    assert "The only remaining candidate" in told.out


def test_a_candidate_that_contains_the_target_is_marked(place, tmp_path, capsys):
    asked = ["--candidates", "all-pairs", "--parts", "A,B,C,D", "--goal", "target", "--target", "D"]
    assert screen(place, tmp_path / "hits.parquet", *asked) == 0
    told = capsys.readouterr().out
    assert all(f"{pair} †" in told for pair in ("A+D", "B+D", "C+D"))
    assert "A+B †" not in told
    assert "† 3 of 6 candidates: contains the target, D" in told
    assert screen(place, tmp_path / "next.parquet", *PARTS, "--goal", "target", "--target", "E") == 0
    assert "It contains the target." in " ".join(capsys.readouterr().out.split())


def test_a_score_against_predicted_parts_is_marked(place, tmp_path, capsys):
    out = tmp_path / "hits.parquet"
    assert screen(place, out, *PARTS, "--goal", "synergy") == 0
    assert " *" not in capsys.readouterr().out
    found = read_screen(out)
    table = found.table.assign(magnitude=[np.nan, *found.table["magnitude"][1:]])
    show(replace(found, table=table), out)
    told = capsys.readouterr().out
    assert sum(line.count(" *") for line in told.splitlines()) == 2
    assert "* 1 of 3 candidates: against the parts as the model predicts them" in told
    assert "compare the two with care" in told


def test_what_all_pairs_passes_over_is_counted_and_named(tmp_path, capsys, monkeypatch):
    """More cells than a screen makes, so that it ends when all is said."""
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)
    asked = ["screen", "--model", str(SHIPPED / "perturbench-devel"), "--candidates", "all-pairs", "--cells", "3"]
    assert main([*asked, "--out", str(tmp_path / "hits.parquet")]) == 2
    said = "Not combined: 13 perturbations without a measurement alone in this context: BPGM, CBL, CEBPE,"
    assert said in capsys.readouterr().err


def test_what_is_refused_says_where_it_is_listed(place, tmp_path, capsys):
    listed, out = tmp_path / "pairs.csv", tmp_path / "hits.parquet"
    listed.write_text("perturbation\nA+B\n" + "".join(f"NO\x1b[2J{i}\n" for i in range(10)), encoding="utf-8")
    assert screen(place, out, "--candidates", str(listed)) == 0
    told = capsys.readouterr()
    assert "Left out 2 more; the file of --out names them all" in told.err
    assert "10 refused (named in the file" in told.out
    assert "see the list" not in told.err
    assert r"NO\x1b[2J0 is not a perturbation" in told.err
    assert "\x1b" not in told.err + told.out
    assert len(read_screen(out).about["refused"]) == 10


def test_candidates_are_never_overwritten(place, tmp_path, capsys):
    listed = tmp_path / "pairs.csv"
    listed.write_text("perturbation\nA+B\n")
    assert screen(place, listed, "--candidates", str(listed)) == 2
    assert "would overwrite the candidates" in capsys.readouterr().err
    assert listed.read_text() == "perturbation\nA+B\n"


@pytest.mark.slow
def test_another_number_of_next_experiments_is_chosen_anew_or_refused_in_words(place, tmp_path, capsys):
    out, asked = tmp_path / "hits.parquet", ["--candidates", "all-pairs", "--covariate", "cell_type=hela"]
    assert screen(place, out, *asked, "--next", "2") == 0
    capsys.readouterr()
    assert screen(place, out, *asked, "--next", "4") == 0
    assert "names 2 experiments to measure next, not 4" in capsys.readouterr().err
    assert screen(place, out, *asked, "--next", "2", "--changes") == 0
    capsys.readouterr()
    assert screen(place, out, *asked, "--next", "4", "--changes") == 0
    assert "nothing was computed again" in capsys.readouterr().err
    assert screen(place, tmp_path / "anew.parquet", *asked, "--next", "4", "--changes") == 0
    assert len(read_screen(out).next) == 4
    assert out.read_bytes() == (tmp_path / "anew.parquet").read_bytes()


def test_candidates_without_a_score_are_counted_with_the_reason(place, tmp_path, capsys):
    assert screen(place, tmp_path / "hits.parquet", *PARTS, "--goal", "moves", "--gene", "G1", "--changes") == 0
    assert "no score" not in capsys.readouterr().out
    found = read_screen(tmp_path / "hits.parquet")
    table = found.table.assign(score=[np.nan, *found.table["score"][1:]], rank=[pd.NA, 1, 2])
    show(replace(found, table=table), tmp_path / "hits.parquet")
    told = capsys.readouterr().out
    assert "1 of 3 candidates has no score, and so no rank: they target the gene itself." in told
    assert "2 candidates ranked" in told


@pytest.mark.parametrize("name", ["score", "rank", "size", "change", "place", "why", "position"])
def test_a_covariate_named_like_a_column_of_the_table_is_refused(place, monkeypatch, name):
    manifest = checkpoint.read_manifest(place / "model")
    vocabulary = replace(manifest.vocabulary, covariates=((name, ("k562", "hela")),))
    monkeypatch.setattr(checkpoint, "read_manifest", lambda folder: replace(manifest, vocabulary=vocabulary))
    request = Request(place / "model", Goal("effect"), (), manifest.sampling)
    with pytest.raises(SettingError, match=f"covariate '{name}' of"):
        prepared(request, None, lambda: pytest.fail("nothing is loaded"))


def test_a_target_from_a_file_is_measured_from_the_context_that_was_asked_for_first(place):
    manifest = checkpoint.read_manifest(place / "model")
    cells = read_cells(place / "screen.h5ad", covariates=("cell_type",))
    pairs = tuple(Condition(parse_perturbations("A+B"), (("cell_type", name),)) for name in ("hela", "k562"))
    goal = Goal("direction", target=Condition(parse_perturbations("state"), pairs[0].covariates))
    request = Request(place / "model", goal, pairs, manifest.sampling)
    order, reference = prepared(request, cells, lambda: None, cells.dense(np.arange(40)))
    assert {condition.context for condition in order.checked} == {"k562"}
    unused = control_rows(cells, pairs[0], in_training(cells, place / "model"))[1]
    assert np.array_equal(reference.target_controls, cells.dense(unused))


def test_the_time_foreseen_is_that_of_one_thread_a_worker_and_no_more_workers_than_cores(place, monkeypatch):
    manifest = checkpoint.read_manifest(place / "model")
    request = Request(place / "model", Goal("effect"), (), manifest.sampling)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    one, two, many = (foreseen_seconds(request, manifest, 1000, workers) for workers in (1, 2, 64))
    assert two == many
    loaded = 2 * two - one
    assert foreseen_seconds(request, manifest, 2000) - loaded == pytest.approx(2 * (one - loaded))
    assert loaded == pytest.approx(foreseen_seconds(request, manifest, 0))


def test_triples_need_their_parts(place, tmp_path, capsys):
    assert screen(place, tmp_path / "hits.parquet", "--candidates", "all-triples") == 2
    assert "needs --parts" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.slow
def test_the_command_on_workers_says_no_more_than_the_command_here(place, tmp_path):
    asked = ["--data", str(place / "screen.h5ad"), "--covariates", "cell_type", *FEW, *PARTS]
    words = ["screen", "--model", str(place / "model"), *asked]
    workers = subprocess.run(
        [sys.executable, "-m", "primeflow_core", *words, "--out", str(tmp_path / "a.parquet"), "--workers", "2"],
        capture_output=True, text=True, check=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    with forking() as start:
        here = start(forked.command, *words, "--out", str(tmp_path / "b.parquet"))
        assert here.ended() == 0
        assert _but_for_times(workers.stderr) == _but_for_times(here.said)


def _but_for_times(said):
    """Its lines; the time that is left is another one in every run."""
    return [line.split(" about ")[0] for line in said.splitlines()]


@pytest.mark.long
def test_pairs_of_real_cells_are_ranked_on_workers_as_here(mirror, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    model = SHIPPED / "perturbench-devel"
    asked = [
        "screen",
        "--model",
        str(model),
        "--candidates",
        "all-pairs",
        "--parts",
        "KLF1,MEK6,HOXB9",
        "--cells",
        "50",
    ]
    assert main([*asked, "--out", str(tmp_path / "here.parquet")]) == 0
    assert "held-out combinations" in capsys.readouterr().out
    with forked_workers():
        assert main([*asked, "--out", str(tmp_path / "workers.parquet"), "--workers", "2"]) == 0
    here, workers = ((tmp_path / name).read_bytes() for name in ("here.parquet", "workers.parquet"))
    assert here == workers
