"""Kill -9 at random moments of `train`: no broken model is ever left, and the resumed run ends as if never stopped."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from primeflow_core.data.h5ad.writing import write_cells
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import WEIGHTS
from primeflow_core.training.trainer import STATE
from tests.tiny import cells

KILLS = 10
# Two threads on two busy cores wait for each other longer than they compute.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """A data file and a split that train in a few seconds."""
    folder = tmp_path_factory.mktemp("screen")
    data = cells(per_condition=40)
    labels = [condition.label for condition in data.condition_list(np.arange(len(data)))]
    write_cells(
        folder / "data.h5ad", data.values, data.genes, labels, {"cell_type": ["k562"] * len(data)}, {}, names=data.names
    )
    parts = ["val" if i % 5 == 0 else "train" for i in range(len(data))]
    rows = "".join(f"{name},{part}\n" for name, part in zip(data.names, parts, strict=True))
    (folder / "split.csv").write_text("cell,split\n" + rows)
    return folder


def command(screen, out):
    small = ["channels=16", "channel_mult=[1,2]", "attention_at=[2]", "heads=2", "gene_features=8", "num_res_blocks=1"]
    pace = ["batch_size=8", "validate_every=20", "save_every=7", "log_every=3"]
    return [
        sys.executable, "-m", "primeflow_core", "train", str(screen / "data.h5ad"), "--recipe", "unet-tiny",
        "--split", str(screen / "split.csv"), "--out", str(out), "--steps", "1200", "--device", "cpu", "--resume",
        "--covariates", "cell_type", *(word for text in small + pace for word in ("--set", text)),
    ]  # fmt: skip


def run(arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done


def check_not_broken(out):
    """What a reader meets between two runs: no weights yet, or a model that loads whole."""
    if (out / WEIGHTS).exists():
        assert all(parameter.isfinite().all() for parameter in checkpoint.load(out).parameters())


@pytest.mark.slow
def test_killed_ten_times_and_resumed_equals_never_killed(screen, tmp_path):
    run(command(screen, tmp_path / "whole"))
    moments = random.Random(0)
    for attempt in range(KILLS):
        process = subprocess.Popen(
            command(screen, tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        )
        # The first kills come while the program still starts, the others anywhere in the training.
        _wait_for_training(process, tmp_path / "killed", attempt)
        time.sleep(moments.uniform(0.0, 0.7))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        check_not_broken(tmp_path / "killed")
    run(command(screen, tmp_path / "killed"))
    for name in (WEIGHTS, STATE):
        whole, killed = load_file(tmp_path / "whole" / name), load_file(tmp_path / "killed" / name)
        assert whole.keys() == killed.keys()
        assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert not list((tmp_path / "killed").rglob("*.partial"))


def _wait_for_training(process, out, attempt):
    """Wait until the log grows (a run that goes on has begun); not at all in the first two attempts."""
    log = out / "training" / "log.jsonl"
    before = log.stat().st_mtime_ns if log.exists() else 0
    until = time.monotonic() + 60
    while attempt >= 2 and process.poll() is None and time.monotonic() < until:
        if log.exists() and log.stat().st_mtime_ns != before:
            return
        time.sleep(0.01)
