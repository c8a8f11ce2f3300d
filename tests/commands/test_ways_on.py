"""A way on from every design: each command that `check` names works, and what cannot be done says why."""

import json
import os
import shlex
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from primeflow_core.__main__ import main
from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.models import checkpoint

MIRROR = Path(os.environ.get("PRIMEFLOW_MIRROR", "/nowhere"))
GENES = tuple(f"G{i}" for i in range(12))
QUICK = ["--recipe", "linear", "--steps", "3"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMEFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRIMEFLOW_MIRROR", raising=False)


def screen(path: Path, labels_of: dict[str, tuple[str, ...]], each: int = 90, column: str = "cell_type") -> Path:
    """Cells of {context: labels} with as many controls in each context."""
    told = [
        (one, context) for context, labels in labels_of.items() for one in ("control", *labels) for _ in range(each)
    ]
    labels, contexts = map(list, zip(*told, strict=True))
    values = np.random.default_rng(0).gamma(2.0, 0.4, (len(told), len(GENES))).astype(np.float32)
    values[np.array([label != "control" for label in labels]), :3] += 1
    write_anndata(path, as_anndata(values, GENES, labels, {column: contexts}, {}))
    return path


DESIGNS = {
    "singles in one context": ({"k562": ("A", "B", "C")}, "cell_type", {"cells"}),
    "one drug in two contexts": ({"k562": ("A",), "hela": ("A",)}, "cell_type", {"transfer", "named", "cells"}),
    "one drug in five donors": ({f"d{i}": ("A",) for i in range(5)}, "donor", {"transfer", "cells"}),
    "pairs": ({"k562": ("A", "B", "C", "A+B", "A+C", "B+C")}, "cell_type", {"combo", "named", "cells"}),
}


@pytest.mark.parametrize("design", DESIGNS)
def test_every_command_that_check_names_makes_a_split(design, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels_of, column, allowed = DESIGNS[design]
    data = screen(tmp_path / "my screen.h5ad", labels_of, column=column)
    assert main(["check", str(data), "--json"]) == 0
    told = [task for task in json.loads(capsys.readouterr().out)["tasks"] if task["command"]]
    assert {task["name"] for task in told} == allowed
    assert main(["check", str(data)]) == 0
    shown = capsys.readouterr().out
    for task in told:
        assert task["command"] in shown
        program, *words = shlex.split(task["command"])
        assert program == "primeflow"
        assert main(words) == 0
        parts = pd.read_csv("split.csv")["split"]
        assert {"train", "test"} <= set(parts)


def test_a_told_reading_stands_in_the_commands(tmp_path, capsys):
    data = screen(tmp_path / "s.h5ad", {"d1": ("A",), "d2": ("A",)}, column="who is it")
    assert main(["check", str(data), "--covariates", "who is it", "--no-normalise"]) == 0
    assert f"primeflow split {data} --task transfer --covariates 'who is it' --no-normalise --out split.csv" in (
        capsys.readouterr().out
    )


def test_train_without_a_split_chooses_one_says_it_and_resumes_with_it(tmp_path, capsys):
    data, out = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "A+B", "C", "A+C")}), tmp_path / "m"
    assert main(["train", str(data), *QUICK, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "No split given: chosen by train, seed 0. Held out: 1 condition that training never sees: A+" in said
    assert "1 of 1 held-out combination has every part alone in training" in said
    manifest = checkpoint.read_manifest(out)
    assert len(manifest.held_out) == 1
    assert manifest.provenance["split"].startswith("No split given: chosen by train, seed 0.")
    split = (out / "split.csv.gz").read_bytes()
    assert main(["train", str(data), *QUICK, "--out", str(out), "--resume"]) == 0
    assert f"The split is that of {out}." in capsys.readouterr().err
    assert (out / "split.csv.gz").read_bytes() == split
    assert main(["train", str(data), *QUICK, "--out", str(tmp_path / "n"), "--unlisted", "train"]) == 2
    assert "it needs --split" in capsys.readouterr().err


@pytest.mark.parametrize("design", DESIGNS)
def test_train_without_a_split_points_to_the_transfer_of_one_perturbation(design, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels_of, column, _ = DESIGNS[design]
    screen(tmp_path / "my screen.h5ad", labels_of, column=column)
    train = ["train", "my screen.h5ad", *QUICK, "--out"]
    assert main([*train, "m"]) == 0
    said = capsys.readouterr().err
    assert ("The only perturbation is A. The task transfer is made for that" in said) == ("one drug" in design)
    if "one drug" not in design:
        return
    command = next(line for line in said.splitlines() if "primeflow split" in line).partition("split.csv: ")[2]
    program, *words = shlex.split(command)
    assert program == "primeflow"
    assert main(words) == 0
    assert main([*train, "n", "--split", "split.csv"]) == 0
    assert "The only perturbation" not in capsys.readouterr().err
    assert len(checkpoint.read_manifest(Path("n")).tested_on) == 1


def test_a_training_that_is_resumed_says_where_it_is_and_what_it_cannot_do(tmp_path, capsys):
    data, out = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "A+B", "C", "A+C")}), tmp_path / "m"
    train = ["train", str(data), "--recipe", "linear", "--set", "decay=constant", "--out", str(out), "--steps"]
    assert main([*train, "3"]) == 0
    capsys.readouterr()
    assert main([*train, "3", "--resume"]) == 0
    said = capsys.readouterr().err
    assert "resumed after step 3" in said
    assert "Nothing is left to train: all 3 steps were taken before. More --steps train on from there." in said
    config = (out / "config.json").read_bytes()
    assert main([*train, "2", "--resume"]) == 2
    assert f"{out} has 3 steps behind it, and 2 are asked for" in capsys.readouterr().err
    assert (out / "config.json").read_bytes() == config
    assert main([*train, "5", "--resume"]) == 0
    said = capsys.readouterr().err
    assert "resumed after step 3" in said
    assert "Nothing is left" not in said
    assert main([*train, "5", "--resume", "--set", "batch_size=7"]) == 2
    assert "was trained with other settings (training.batch_size" in capsys.readouterr().err


def test_the_steps_of_a_falling_learning_rate_cannot_change(tmp_path, capsys):
    data, out = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "A+B", "C", "A+C")}), tmp_path / "m"
    train = ["train", str(data), "--recipe", "linear", "--set", "decay=cosine", "--out", str(out), "--steps"]
    assert main([*train, "3"]) == 0
    capsys.readouterr()
    for steps in ("2", "4"):
        assert main([*train, steps, "--resume"]) == 2
        said = capsys.readouterr().err
        assert f"is a training of 3 steps, whose learning rate falls towards the last of them: {steps} steps" in said
        assert "Resume with --steps 3" in said
    assert main([*train, "3", "--resume"]) == 0
    assert "all 3 steps were taken before.\n" in capsys.readouterr().err


@pytest.fixture
def fitted(tmp_path):
    """A screen of singles in one context, the split of its cells, and a model."""
    data = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "C")}, each=160)
    assert main(["split", str(data), "--task", "cells", "--out", str(tmp_path / "split.csv")]) == 0
    train = ["train", str(data), "--split", str(tmp_path / "split.csv"), *QUICK, "--out", str(tmp_path / "m")]
    assert main(train) == 0
    return tmp_path


def test_held_out_cells_of_seen_conditions_are_called_so_by_every_command(fitted, capsys):
    words = "Cells of conditions that training sees too are held out (48 in val, 96 in test)"
    assert main(["split", str(fitted / "s.h5ad"), "--task", "cells", "--out", str(fitted / "split.csv")]) == 0
    assert words in capsys.readouterr().out
    again = ["--split", str(fitted / "split.csv"), *QUICK, "--out", str(fitted / "n")]
    assert main(["train", str(fitted / "s.h5ad"), *again]) == 0
    assert words in capsys.readouterr().err
    assert checkpoint.read_manifest(fitted / "m").held_out == ()
    cells, truth, split = str(fitted / "p.h5ad"), str(fitted / "s.h5ad"), str(fitted / "split.csv")
    assert main(["generate", "--model", str(fitted / "m"), "--held-out", "test", "--cells", "40", "--out", cells]) == 0
    assert "training held out cells of 3 conditions, no whole condition" in capsys.readouterr().err
    scores = ["--out", str(fitted / "scores.csv")]
    assert main(["evaluate", "--prediction", cells, "--truth", truth, "--split", split, *scores]) == 0
    assert "Their scores tell how well a model fits them, not whether it predicts new ones." in capsys.readouterr().err
    assert pd.read_csv(fitted / "scores.csv")["condition"].tolist() == ["A", "B", "C", "mean"]
    assert main(["card", "--model", str(fitted / "m"), "--cells", "30"]) == 0
    assert "## test: mean of held-out cells of 3 conditions seen in training" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            ["benchmark", "--recipes", "linear", "--seeds", "1"],
            "puts cells of conditions that training sees, and no con",
        ),
        (["tune", "--recipe", "linear", "--trials", "1"], "has no validation conditions that training does not know"),
    ],
)
def test_benchmark_and_tune_refuse_held_out_cells_before_any_training(fitted, capsys, command, said):
    name, *options = command
    asked = [name, str(fitted / "s.h5ad"), "--split", str(fitted / "split.csv"), *options, "--out", str(fitted / "out")]
    assert main(asked) == 2
    assert said in capsys.readouterr().err
    assert not list((fitted / "out").rglob("*.safetensors"))


def test_what_no_model_can_predict_is_said_by_split_and_train_and_refused_by_benchmark(tmp_path, capsys):
    words = "No model can predict the held-out B: training has no cell of B."
    screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "STAT3", "A+STAT3")})
    held = ["--task", "named", "--hold-out", "B", "--out", str(tmp_path / "split.csv")]
    assert main(["split", str(tmp_path / "s.h5ad"), *held]) == 0
    assert words in capsys.readouterr().out
    data, split, out = (str(tmp_path / name) for name in ("s.h5ad", "split.csv", "m"))
    assert main(["train", data, "--split", split, *QUICK, "--out", out]) == 0
    assert words in capsys.readouterr().err
    bench = ["--recipes", "linear", "--seeds", "1", "--out", str(tmp_path / "bench")]
    assert main(["benchmark", data, "--split", split, *bench]) == 2
    assert words in capsys.readouterr().err
    assert not list((tmp_path / "bench").rglob("*.safetensors"))
    cells = ["--cells", "8", "--out", str(tmp_path / "p.h5ad")]
    assert main(["generate", "--model", out, "--held-out", "test", *cells]) == 2
    assert words in capsys.readouterr().err
    asked = ["--perturbation", "B"]
    assert main(["generate", "--model", out, *asked, *cells]) == 2
    said = capsys.readouterr().err
    assert "B was held out of training: the model never saw a cell of it and cannot predict it." in said
    assert "Did you mean" not in said
    assert main(["generate", "--model", out, "--held-out", "val", *cells]) == 2
    assert "held nothing out for val" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_split_that_puts_no_control_into_a_part_is_blamed_not_the_file(tmp_path, capsys, part):
    data = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "A+B")}, each=100)
    parts = ["train"] * 300 + [part] * 100
    names = anndata.read_h5ad(data).obs_names.tolist()
    pd.DataFrame({"cell": names, "split": parts}).to_csv(tmp_path / "split.csv", index=False)
    split, out = ["--split", str(tmp_path / "split.csv")], ["--out", str(tmp_path / "m")]
    said = f"puts none of the 100 control cells into {part}"
    assert main(["train", str(data), *split, *QUICK, *out]) == 0
    capsys.readouterr()
    assert main(["card", "--model", str(tmp_path / "m")]) == 2
    assert said in capsys.readouterr().err
    command = ["tune", "--recipe", "linear", "--trials", "1"] if part == "val" else ["benchmark", "--recipes", "linear"]
    name, *options = command
    assert main([name, str(data), *split, *options, "--out", str(tmp_path / "o")]) == 2
    assert said in capsys.readouterr().err


def test_a_model_of_singles_ranks_pairs_with_a_caution_and_proposes_no_synergy(tmp_path, capsys):
    data, out = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "C", "D")}), tmp_path / "m"
    assert main(["train", str(data), *QUICK, "--out", str(out)]) == 0
    capsys.readouterr()
    ranking = ["screen", "--model", str(out), "--candidates", "all-pairs", "--cells", "10", "--out"]
    assert main([*ranking, str(tmp_path / "r.parquet")]) == 0
    told = capsys.readouterr().out
    assert "m never saw a combination in training" in told
    assert not any(word in told.lower().replace("nothing about synergy", "") for word in ("synerg", "suppress"))
    assert set(pd.read_parquet(tmp_path / "r.parquet")["interaction"]) == {""}
    for goal in ("synergy", "interaction", "suppression"):
        assert main([*ranking, str(tmp_path / "g.parquet"), "--goal", goal]) == 2
        assert "it cannot tell what a combination does beyond the sum of its parts" in capsys.readouterr().err
    singles = ["screen", "--model", str(out), "--candidates", "all-singles", "--cells", "10", "--out"]
    assert main([*singles, str(tmp_path / "s.parquet")]) == 0
    assert "never saw a combination" not in capsys.readouterr().out


def test_names_with_blanks_go_from_split_to_train(tmp_path):
    data = screen(tmp_path / "s.h5ad", {"k562": ("A", "B", "A+B", "B+C", "A+C", "C")})
    adata = anndata.read_h5ad(data)
    adata.obs_names = [f" cell {i} " for i in range(adata.n_obs)]
    adata.write_h5ad(data)
    split = str(tmp_path / "split.csv")
    assert main(["split", str(data), "--task", "combo", "--out", split]) == 0
    assert main(["train", str(data), "--split", split, *QUICK, "--out", str(tmp_path / "m")]) == 0


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("kang18-ifnb-pbmc", {"transfer", "named", "cells"}),
        ("gbm_panobinostat_5000x300", {"transfer", "cells"}),
        ("perturbench-devel", {"combo", "transfer", "named", "cells"}),
    ],
)
def test_every_command_that_check_names_works_on_a_real_set(name, allowed, tmp_path, capsys, monkeypatch):
    data = MIRROR / f"{name}.h5ad"
    if not data.is_file():
        pytest.skip(f"set PRIMEFLOW_MIRROR to a folder with {data.name}")
    monkeypatch.chdir(tmp_path)
    assert main(["check", str(data), "--json"]) == 0
    told = [task for task in json.loads(capsys.readouterr().out)["tasks"] if task["command"]]
    assert {task["name"] for task in told} == allowed
    for task in told:
        assert main(shlex.split(task["command"])[1:]) == 0
        said = capsys.readouterr().out
        assert ("A model can predict" in said) == (task["name"] != "cells")
        if task["name"] == "transfer":
            assert "No model can predict" not in said
