"""`train` that is ended at any moment: no broken model is ever left, and the resumed run ends as if never stopped."""

import random
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from primeflow_core.data.h5ad.writing import as_anndata, write_anndata
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import WEIGHTS
from primeflow_core.training.trainer import LOG, STATE
from tests import forked
from tests.forked import forking
from tests.moments import interrupted
from tests.tiny import cells

STEPS, MANY_STEPS = 60, 1200
KILLS = 10
MOMENTS = (
    "killed/config.json written", "killed/config.json in place", "training/state.safetensors begun",
    "training/state.safetensors written", "training/state.safetensors in place", "killed/weights.safetensors begun",
    "training/log.jsonl written", "killed/weights.safetensors written", "training/log.jsonl in place",
    "killed/weights.safetensors in place", "training/state.safetensors written", "training/state.safetensors in place",
)  # fmt: skip


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A data file and a split that train in a few seconds."""
    folder = tmp_path_factory.mktemp("screen")
    data = cells(per_condition=40)
    labels = [condition.label for condition in data.condition_list(np.arange(len(data)))]
    write_anndata(
        folder / "data.h5ad",
        as_anndata(data.values, data.genes, labels, {"cell_type": ["k562"] * len(data)}, {}, names=data.names),
    )
    parts = ["val" if i % 5 == 0 else "train" for i in range(len(data))]
    rows = "".join(f"{name},{part}\n" for name, part in zip(data.names, parts, strict=True))
    (folder / "split.csv").write_text("cell,split\n" + rows)
    return folder


def command(screen, out, steps=STEPS):
    small = ["channels=16", "channel_mult=[1,2]", "attention_at=[2]", "heads=2", "gene_features=8", "num_res_blocks=1"]
    pace = ["batch_size=8", "validate_every=10", "save_every=7", "log_every=3"]
    return [
        "train", str(screen / "data.h5ad"), "--recipe", "unet-tiny", "--split", str(screen / "split.csv"),
        "--out", str(out), "--steps", str(steps), "--device", "cpu", "--resume", "--covariates", "cell_type",
        *(word for text in small + pace for word in ("--set", text)),
    ]  # fmt: skip


def check_not_broken(out):
    """What a reader meets between two runs: no weights yet, or a model that loads whole."""
    if (out / WEIGHTS).exists():
        assert all(parameter.isfinite().all() for parameter in checkpoint.load(out).parameters())


def check_same(out, whole):
    for name in (WEIGHTS, STATE):
        one, other = load_file(whole / name), load_file(out / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not list(out.rglob("*.partial"))


@pytest.mark.slow
def test_ended_at_each_moment_and_resumed_equals_never_ended(screen, tmp_path):
    out = tmp_path / "killed"
    interrupted(command(screen, tmp_path / "whole"), [])
    interrupted(command(screen, out), MOMENTS, lambda: check_not_broken(out))
    check_same(out, tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "steps"), [(2, STEPS), pytest.param(KILLS, MANY_STEPS, marks=pytest.mark.long)], ids=["twice", "often"]
)
def test_killed_and_resumed_equals_never_killed(screen, tmp_path, kills, steps):
    out, moments = tmp_path / "killed", random.Random(0)
    with forking() as start:
        assert start(forked.command, *command(screen, tmp_path / "whole", steps)).ended() == 0
        at_work = []
        for attempt in range(kills):
            process = start(forked.command, *command(screen, out, steps))
            # One of the many kills comes while the program still starts, the others anywhere in the training.
            if kills == 2 or attempt:
                wait_for_training(process, out)
            time.sleep(moments.uniform(0.0, 0.1 * steps / STEPS))
            at_work.append(process.kill())
            check_not_broken(out)
        assert any(at_work)
        last = start(forked.command, *command(screen, out, steps))
        assert last.ended() == 0, last.said
    check_same(out, tmp_path / "whole")


def wait_for_training(process, out):
    """Until the log grows: a run that goes on has begun."""
    log = out / LOG
    before = log.stat().st_mtime_ns if log.exists() else 0
    process.until(lambda: log.exists() and log.stat().st_mtime_ns != before)
