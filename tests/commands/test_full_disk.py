"""What commands do where a file cannot be written: one line that names it, and everything as it was before."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from primeflow_core.__main__ import main
from primeflow_core.errors import StorageError
from primeflow_core.models.checkpoint import write_tensors
from tests.full_disk import files_of_at_most, full_once

KIB = 1024
TOO_LARGE = "the file is larger than is allowed there"
ODD_NAMES = ("with blank .csv", "条件 分组.csv", "🧬 cells.csv", "-leading.csv", "--out.csv", "x" * 240 + ".csv")


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(capsys: pytest.CaptureFixture[str], command: list[str], size: int = 100) -> str:
    """The last line that ``command`` ends in where no file may grow beyond ``size`` bytes."""
    capsys.readouterr()
    with files_of_at_most(size):
        code = main(command)
    last = capsys.readouterr().err.splitlines()[-1]
    assert code == 2, last
    return last


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file, a split and a small model."""
    folder = tmp_path_factory.mktemp("made")
    assert main(["simulate", str(folder / "d.h5ad"), "--cells", "1200", "--genes", "120"]) == 0
    assert main(["split", str(folder / "d.h5ad"), "--task", "combo", "--out", str(folder / "split.csv")]) == 0
    assert main([*train(folder), str(folder / "model"), "--steps", "4"]) == 0
    return folder


def train(made: Path, recipe: str = "mlp-tiny") -> list[str]:
    data = [str(made / "d.h5ad"), "--split", str(made / "split.csv")]
    return ["train", *data, "--recipe", recipe, "--set", "batch_size=32", "--out"]


def generate(made: Path) -> list[str]:
    return ["generate", "--model", str(made / "model"), "--held-out", "test", "--cells", "8", "--out"]


@pytest.fixture(scope="module")
def predicted(made: Path) -> Path:
    assert main([*generate(made), str(made / "p.h5ad")]) == 0
    return made / "p.h5ad"


def writers(made: Path) -> dict[str, tuple[list[str], str]]:
    """By name: a command that ends before its output file, and the file's name."""
    data, model = str(made / "d.h5ad"), str(made / "model")
    screen = ["screen", "--model", model, "--candidates", "all-pairs", "--cells", "10", "--out"]
    evaluate = ["evaluate", "--prediction", str(made / "p.h5ad"), "--truth", data, "--out"]
    return {
        "simulate": (["simulate", "--cells", "1200", "--genes", "120"], "a.h5ad"),
        "split": (["split", data, "--task", "combo", "--out"], "a.csv"),
        "split packed": (["split", data, "--task", "combo", "--out"], "a.csv.gz"),
        "generate": (generate(made), "a.h5ad"),
        "evaluate": (evaluate, "a.csv"),
        "screen csv": (screen, "a.csv"),
        "screen parquet": (screen, "a.parquet"),
        "report": (["report", "--model", model, "--cells", "8", "--out"], "a.html"),
    }


@pytest.mark.parametrize(
    "name",
    [
        "simulate",
        "split",
        "split packed",
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in ("generate", "evaluate", "screen csv", "screen parquet", "report")
        ),
    ],
)
def test_a_file_without_room_is_named_and_the_old_one_stays(made, predicted, tmp_path, capsys, name):
    command, file = writers(made)[name]
    if not name.startswith("screen"):  # which refuses a file that it did not make
        (tmp_path / file).write_text("old")
    before = held(tmp_path)
    said = refusal(capsys, [*command, str(tmp_path / file)])
    assert str(tmp_path) in said
    assert TOO_LARGE in said
    after = held(tmp_path)
    assert after.get(file) == before.get(file)
    assert not [path for path in after if path.endswith(".partial")]


@pytest.mark.parametrize("size", [100, 8 * KIB])
def test_a_model_without_weights_is_not_left_behind(made, tmp_path, capsys, size):
    said = refusal(capsys, [*train(made), str(tmp_path / "model"), "--steps", "4"], size)
    assert "No weights were kept" in said
    assert list(tmp_path.iterdir()) == []
    assert main([*train(made), str(tmp_path / "model"), "--steps", "4"]) == 0


def test_what_was_saved_before_stands_and_can_be_resumed(made, tmp_path, capsys):
    model = tmp_path / "model"
    assert main([*train(made), str(model), "--steps", "8", "--minutes", "0.000001"]) == 0
    before = held(model)
    said = refusal(capsys, [*train(made), str(model), "--steps", "8", "--resume"], 8 * KIB)
    assert f"What was saved in {model} stands" in said
    kept = held(model)
    assert [kept[name] for name in before if name.endswith("safetensors")] == [
        before[name] for name in before if name.endswith("safetensors")
    ]
    assert main([*train(made), str(model), "--steps", "8", "--resume"]) == 0


def searches(made: Path) -> dict[str, list[str]]:
    """Commands that train several models into a folder, one after the other."""
    data = [str(made / "d.h5ad"), "--split", str(made / "split.csv")]
    return {
        "benchmark": ["benchmark", *data, "--recipes", "ridge,linear", "--seeds", "1", "--cells", "8", "--out"],
        "tune": ["tune", *data, "--recipe", "mlp-tiny", "--trials", "2", "--set", "steps=4", "--cells", "8", "--out"],
    }


@pytest.mark.parametrize("name", ["benchmark", "tune"])
def test_a_search_without_any_room_ends_in_one_line(made, tmp_path, capsys, name):
    said = refusal(capsys, [*searches(made)[name], str(tmp_path / "out")])
    assert TOO_LARGE in said
    assert str(tmp_path) in said
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["benchmark", "tune"])
def test_a_search_that_fills_the_disk_resumes_where_it_was(made, tmp_path, capsys, name):
    """The disk is full while the second model begins: the first one stays, byte for byte, and is not made again."""
    out = tmp_path / "out"
    with full_once(lambda: len(list(out.rglob("config.json"))) == 2):
        assert main([*searches(made)[name], str(out)]) == 2
    assert "the disk is full" in capsys.readouterr().err.splitlines()[-1]
    assert not list(out.rglob("*.partial"))
    assert not [found.parent for found in out.rglob("config.json") if not list(found.parent.glob("weights*"))]
    first = {path: content for path, content in held(out).items() if path.endswith("weights.safetensors")}
    assert len(first) == 1
    assert main([*searches(made)[name], str(out)]) == 0
    assert ", 1 of them finished" in capsys.readouterr().err
    after = held(out)
    assert [after.get(path, content) for path, content in first.items()] == list(first.values())
    if name == "tune":
        assert pd.read_csv(out / "trials.csv")["state"].tolist() == ["scored", "scored"]
    else:
        assert pd.read_csv(out / "benchmark.csv")["model"].tolist()[:2] == ["ridge", "linear"]


@pytest.mark.slow
def test_a_card_without_room_leaves_the_model_as_it_was(made, tmp_path, capsys):
    shutil.copytree(made / "model", tmp_path / "model")
    before = held(tmp_path)
    said = refusal(capsys, ["card", "--model", str(tmp_path / "model"), "--data", str(made / "d.h5ad"), "--cells", "8"])
    assert TOO_LARGE in said
    assert held(tmp_path) == before


def run(*command: str, out: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = f'"$0" -m primeflow_core "$@" {out}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *command], capture_output=True, text=True, cwd=folder, check=False
    )


@pytest.mark.parametrize(("out", "code", "says"), [
    (">/dev/full", 2, "standard output could not be written: the disk is full"),
    (">&-", 0, ""),
    ("| true; exit ${PIPESTATUS[0]}", 0, ""),
])  # fmt: skip
@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_nobody_takes_is_no_traceback(made, out, code, says, more):
    ended = run("check", "d.h5ad", *more, out=out, folder=made)
    assert ended.returncode == code, ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if "could not be written" in line]) == bool(says)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_every_kind_are_written_and_read(made, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert main(["split", str(made / "d.h5ad"), "--task", "combo", f"--out={name}"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, name[:-4] + ".reading.json"])
    assert (tmp_path / name).read_bytes() == (made / "split.csv").read_bytes()
    model = tmp_path / "model"
    assert main(["train", str(made / "d.h5ad"), f"--split={name}", "--recipe", "ridge", "--out", str(model)]) == 0


def test_a_name_that_is_too_long_is_said_before_any_work(made, tmp_path, capsys):
    split = ["split", str(made / "d.h5ad"), "--task", "combo", "--out", str(tmp_path / f"{'x' * 250}.csv")]
    for command in (["simulate", str(tmp_path / f"{'x' * 300}.h5ad")], split):
        assert main(command) == 2
        assert "the name is too long. Choose a shorter one" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanishes_is_named(made, tmp_path, monkeypatch, capsys):
    gone = tmp_path / "d.h5ad"
    shutil.copy(made / "d.h5ad", gone)
    from primeflow_core.commands import data

    before = data.read_given

    def late(*given, **more):
        gone.unlink()
        return before(*given, **more)

    monkeypatch.setattr(data, "read_given", late)
    assert main(["split", str(gone), "--task", "combo", "--out", str(tmp_path / "s.csv")]) == 2
    assert str(gone) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB; the tests that need it are skipped, and say so, where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command here")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full(made, small_disk, capsys):
    for command in (["simulate"], [*train(made), "--steps", "4"]):
        place = str(small_disk / "a.h5ad") if command == ["simulate"] else str(small_disk / "model")
        asked = [*command, place] if command == ["simulate"] else [*train(made), place, "--steps", "4"]
        assert main(asked) == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert "the disk is full" in last
        assert str(small_disk) in last
        assert list(small_disk.iterdir()) == []


def test_a_read_only_disk(made, small_disk, capsys):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for out in (small_disk / "s.csv", small_disk / "deep" / "s.csv"):
        assert main(["split", str(made / "d.h5ad"), "--task", "combo", "--out", str(out)]) == 2
        assert str(small_disk) in capsys.readouterr().err
    assert os.listdir(small_disk) == []
    assert (
        main(
            [
                "train",
                str(made / "d.h5ad"),
                "--split",
                str(made / "split.csv"),
                "--recipe",
                "ridge",
                "--out",
                str(small_disk / "m"),
            ]
        )
        == 2
    )
    assert os.strerror(errno.EROFS) in (said := capsys.readouterr().err) or "read-only" in said


@pytest.mark.parametrize("file", ["weights.safetensors", "student.safetensors", "training/state.safetensors"])
def test_tensors_without_room_are_the_products_own_error_and_the_old_file_stays(tmp_path, file):
    path = tmp_path / file
    write_tensors(path, {"a": torch.zeros(3)}, {})
    before = held(tmp_path)
    with files_of_at_most(8 * KIB), pytest.raises(StorageError, match=TOO_LARGE) as told:
        write_tensors(path, {"a": torch.zeros(10_000)}, {})
    assert told.value.filename == str(path)
    assert held(tmp_path) == before


def test_a_data_set_without_room_in_the_cache_is_told_once(mirror, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRIMEFLOW_MIRROR", str(mirror))
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path))
    said = refusal(capsys, ["fetch", "perturbench-devel"])
    assert f"perturbench-devel.h5ad could not be written: {TOO_LARGE}" in said
    assert held(tmp_path) == {}
