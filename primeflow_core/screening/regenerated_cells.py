"""The predicted cells of a screen, made again identically for users who want to keep them; workers keep none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from primeflow_core.models import checkpoint
from primeflow_core.prediction.generation import generate, write_generated
from primeflow_core.runtime.atomic_files import check_can_write
from primeflow_core.screening.engine import one_thread
from primeflow_core.screening.screen_spec import ScreenOrder


def whole_cells(order: ScreenOrder, model: Path, folder: Path, on_done: Callable[[int], None]) -> int:
    """Write the cells of every shard and noise seed to an .h5ad of its own in ``folder``; returns how many files.

    Existing files are kept, so that a run that was killed resumes. ``on_done`` hears how many are. Raises
    CheckpointError, and SettingError where ``folder`` cannot be written to.
    """
    check_can_write(folder / "cells.h5ad")
    manifest, everything = checkpoint.read_manifest(model), order.everything
    predictor = checkpoint.load(model)
    wanted = [(number, seed) for number in range(len(order.shards)) for seed in order.seeds]
    for done, (number, seed) in enumerate(wanted, 1):
        path = folder / f"{order.fingerprint[:12]}-shard-{number:05d}-seed-{seed}.h5ad"
        if not path.is_file():
            plan = replace(order.plan, seed=seed)
            conditions = [everything[position] for position in order.shards[number]]
            labels = [condition.label for condition in conditions]
            with one_thread():
                generated = generate(predictor, conditions, labels, order.cells, plan, lambda _: None)
            write_generated(path, generated, manifest, plan)
        on_done(done)
    return len(wanted)
