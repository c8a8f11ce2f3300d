"""Quality on held-out conditions: a recipe trained with several seeds, and every baseline; mean and deviation.

    python -m benchmarks.quality perturbench-devel --split k562-combo-split.csv --unlisted train \\
        --recipe unet-tiny --seeds 0 1 2 3 4 --work runs/quality --out benchmarks/results/quality.json

Every training stands in a folder of its own under --work; one that was finished, or killed, is taken up again.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import cores, print_table, save
from primeflow_core.data.conditions import Condition
from primeflow_core.data.data_file import data_file
from primeflow_core.models.flow.solvers.registry import solver_named, solver_names
from primeflow_core.models.sampling_plan import STUDENT, ZEROS, SamplingPlan

MODEL = "primeflow"
SHOWN = ("mmd_gex", "mmd_pca", "deg_recall", "deg_recall_rank", "cosine_logfc", "rmse_mean", "energy_distance")
SEEN = 12


@dataclass(frozen=True)
class Job:
    """One training and what is asked of it."""

    data: str
    split: Path
    unlisted: str | None
    recipe: str
    settings: tuple[str, ...]
    folder: Path
    seed: int
    part: str
    cells: int
    plan: SamplingPlan
    distilled: bool


def scores_of(job: Job) -> pd.DataFrame:
    """Train, or take up what is there, then score: the rows of the part, and of some conditions seen in training."""
    import torch

    from primeflow_core.models import checkpoint
    from primeflow_core.training.distillation.apprenticeship import apprentice
    from primeflow_core.training.distillation.teaching import DistillationConfig
    from primeflow_core.training.recipes.registry import adjusted, recipe_named
    from primeflow_core.training.run import Source, prepare
    from primeflow_core.training.trainer import train

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    file = data_file(job.data)
    cells, split = read(job)
    recipe = adjusted(recipe_named(job.recipe), job.settings)
    command = ["benchmarks.quality", job.data, "--recipe", job.recipe, *job.settings]
    source = Source(cells, split, file.name, file.simulated)
    trainer = prepare(source, recipe, job.folder, seed=job.seed, device="cpu", resume=True, command=command)
    train(trainer, job.folder)
    if job.distilled and not (job.folder / checkpoint.STUDENT_WEIGHTS).is_file():
        apprentice(job.folder, cells, DistillationConfig(), job.seed, "cpu", command, lambda what, done, of: None)
    predictor, manifest = checkpoint.load(job.folder), checkpoint.read_manifest(job.folder)
    asked = manifest.tested_on if job.part == "test" else manifest.validated_on
    perturbed = [condition for condition in manifest.trained_on if not condition.is_control]
    seen = [perturbed[i] for i in np.unique(np.linspace(0, len(perturbed) - 1, SEEN).astype(int))]
    parts = {job.part: asked, "seen in training": seen}
    tables = [
        scored(job, predictor, cells, split, part, conditions).assign(part=part) for part, conditions in parts.items()
    ]
    return pd.concat(tables, ignore_index=True).assign(what=MODEL, seed=job.seed)


def scored(
    job: Job, predictor: Any, cells: Any, split: Any, part: str, conditions: Sequence[Condition]
) -> pd.DataFrame:
    from primeflow_core.data.split_file import TRAIN
    from primeflow_core.evaluation.held_out_reference import truth
    from primeflow_core.evaluation.scores import score
    from primeflow_core.evaluation.table import table

    plan = replace(job.plan, seed=job.seed)
    made = {condition: predictor.predict(condition, job.cells, plan) for condition in conditions}
    measured = truth(cells, split, part if part == job.part else TRAIN)
    return table(score(measured.pair(made, MODEL)), also=("energy_distance",))


def baselines_of(job: Job) -> pd.DataFrame:
    from primeflow_core.data.splits import held_out
    from primeflow_core.models.baselines.held_out_scores import baseline_table

    cells, split = read(job)
    conditions = [one.condition for one in held_out(cells, split) if one.part == job.part]
    scores = baseline_table(cells, split, job.part, conditions, job.cells, seed=job.seed).scores
    return scores.rename(columns={"baseline": "what"}).assign(part=job.part, seed=job.seed)


def read(job: Job) -> tuple[Any, Any]:
    from primeflow_core.data import datasets
    from primeflow_core.data.h5ad.reading import read_cells
    from primeflow_core.data.splits import read_split

    file = data_file(job.data)
    cells = datasets.open_cells(job.data) if file.dataset is not None else read_cells(file.path)
    return cells, read_split(job.split, cells, job.unlisted)


@contextmanager
def threads_each(jobs: int) -> Iterator[None]:
    """The cores divided among processes: more threads than cores wait for each other."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // jobs))
    yield
    if before is None:
        del os.environ["OMP_NUM_THREADS"]
    else:
        os.environ["OMP_NUM_THREADS"] = before


def summary(scores: pd.DataFrame) -> list[dict[str, object]]:
    """Of each predictor and part the mean over conditions: its mean and standard deviation over seeds."""
    rows = []
    means = scores[scores["condition"] == "mean"]
    for (part, what), group in means.groupby(["part", "what"], sort=False):
        row: dict[str, object] = {"part": part, "what": what, "seeds": group["seed"].nunique()}
        for name in SHOWN:
            spread = group[name].std() if len(group) > 1 else float("nan")
            row[name] = f"{group[name].mean():.4f} ± {spread:.4f}"
        rows.append(row)
    return rows


def settings_of(given: Mapping[str, object]) -> dict[str, str]:
    """The arguments as texts; files by name, since their folders are those of one machine."""
    files = {"data"} | {name for name, value in given.items() if isinstance(value, Path)}
    return {name: Path(str(value)).name if name in files else str(value) for name, value in given.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help=".h5ad, or a named data set")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--unlisted", choices=("train", "leave-out"))
    parser.add_argument("--recipe", default="unet-tiny")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--part", choices=("val", "test"), default="val")
    parser.add_argument("--cells", type=int, default=200, help="predicted cells a condition (default: %(default)s)")
    parser.add_argument("--sampler", choices=solver_names(), default=STUDENT, help="student teaches one to each model")
    parser.add_argument("--steps", type=int, help="default: the usual number of the sampler")
    parser.add_argument("--zeros", choices=ZEROS, default="smallest")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time (default: %(default)s)")
    parser.add_argument("--work", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    given = parser.parse_args()
    plan = SamplingPlan(given.sampler, given.steps or solver_named(given.sampler).usual_steps, zeros=given.zeros)
    jobs = [
        Job(
            given.data, given.split, given.unlisted, given.recipe, tuple(given.settings),
            given.work / f"seed-{seed}", seed, given.part, given.cells, plan, given.sampler == STUDENT,
        )
        for seed in given.seeds
    ]  # fmt: skip
    with threads_each(given.jobs), multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        tables = pool.map(scores_of, jobs, chunksize=1) + pool.map(baselines_of, jobs, chunksize=1)
    scores = pd.concat(tables, ignore_index=True)
    rows = summary(scores)
    print_table(rows)
    records = json.loads(scores.to_json(orient="records"))
    save(given.out, {"settings": settings_of(vars(given)), "summary": rows, "rows": records})


if __name__ == "__main__":
    main()
