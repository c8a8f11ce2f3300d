"""Speed of sampling against the plain way, in the same run, with what it costs in quality.

Plain: eager float32, 100 Euler steps, and for guidance weights other than 1 two separate passes. Quality: the unbiased
energy distance to measured cells of conditions seen in training and of held-out ones, over seeds of the noise.

    python -m benchmarks.sampling --model checkpoints/perturbench-devel --data perturbench-devel \\
        --out benchmarks/results/sampling.json
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Measured, in_fresh_process, peak, print_table, save
from primeflow_core.data import datasets
from primeflow_core.data.conditions import Condition
from primeflow_core.data.data_file import data_file
from primeflow_core.data.h5ad.reading import read_cells
from primeflow_core.data.split_file import TEST, TRAIN
from primeflow_core.data.splits import read_split
from primeflow_core.evaluation.distances import energy_distance
from primeflow_core.models import checkpoint
from primeflow_core.models.flow.primeflow import PRiMeFlow
from primeflow_core.models.flow.unet import UNetConfig, UNetField
from primeflow_core.models.sampling_plan import EXPONENTIAL, STUDENT, SamplingPlan
from primeflow_core.models.space import to_expression
from primeflow_core.prediction.prediction_job import evaluations
from primeflow_core.training.recipes.registry import recipe_named

PLAIN_STEPS = 100
GUIDANCES = (1.0, 3.0)
SEEN = 6
PARTS = ("speed", "quality", "memory", "growth")


def plain(predictor: PRiMeFlow, condition: Condition, cells: int, guidance: float, seed: int, zeros: str) -> np.ndarray:
    """Cells made as the equations are written."""
    encoded = torch.from_numpy(predictor.vocabulary.encode([condition])).expand(cells, -1)
    x_t = torch.randn(cells, len(predictor.genes), generator=torch.Generator().manual_seed(seed))
    kept, dropped = torch.zeros(cells, dtype=torch.bool), torch.ones(cells, dtype=torch.bool)
    with torch.inference_mode():
        for step in range(PLAIN_STEPS):
            t = torch.full((cells,), step / PLAIN_STEPS)
            velocity = predictor.velocity(x_t, t, encoded, kept)
            if guidance != 1:
                null = predictor.velocity(x_t, t, encoded, dropped)
                velocity = null + guidance * (velocity - null)
            x_t = x_t + velocity / PLAIN_STEPS
        return to_expression(x_t, predictor.smallest, zeros).numpy()


@dataclass(frozen=True)
class Way:
    """A named way to make cells; ``evaluations`` of the field for one cell, by guidance weight."""

    name: str
    make: Callable[[PRiMeFlow, Condition, int, float, int], np.ndarray]
    evaluations: Callable[[float], int]


def planned(plan: SamplingPlan) -> Callable[[PRiMeFlow, Condition, int, float, int], np.ndarray]:
    return lambda predictor, condition, cells, guidance, seed: predictor.predict(
        condition, cells, replace(plan, guidance=guidance, seed=seed)
    )


def ways(default: SamplingPlan, predictor: PRiMeFlow) -> tuple[Way, ...]:
    asked = [
        ("adams-bashforth", 10), ("adams-bashforth", 6), ("midpoint", 3),
        (EXPONENTIAL, 6), (EXPONENTIAL, 4), (EXPONENTIAL, 3), (EXPONENTIAL, 2), (EXPONENTIAL, 1), (STUDENT, 1),
    ]  # fmt: skip
    plans = [
        (f"{sampler} {steps}", replace(default, sampler=sampler, steps=steps))
        for sampler, steps in asked
        if sampler in predictor.samplers
    ]
    plans.insert(1, ("adams-bashforth 10, float32", replace(plans[0][1], precision="float32")))
    as_written = Way(
        "plain",
        lambda p, c, n, w, seed: plain(p, c, n, w, seed, default.zeros),
        lambda w: PLAIN_STEPS * (1 if w == 1 else 2),
    )
    return (as_written, *(Way(name, planned(plan), needed(plan)) for name, plan in plans))


def needed(plan: SamplingPlan) -> Callable[[float], int]:
    return lambda guidance: evaluations(1, replace(plan, guidance=guidance))


def speeds(given: argparse.Namespace, predictor: PRiMeFlow, known: Sequence[Way], asked: Condition) -> dict[str, Any]:
    """Seconds for ``given.cells`` cells of each way and guidance weight."""
    flops = flops_of(predictor.field, predictor.space.dimensions, predictor.vocabulary.size)
    peaks = {name: peak(dtype) for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))}
    settled = predictor.settled(SamplingPlan()).precision
    for precision in ("float32", "bfloat16"):
        # The first evaluation of a shape is slower; whichever way came first would pay for it.
        predictor.predict(asked, given.cells, SamplingPlan(steps=2, precision=precision, batch_size=given.cells))
        predictor.predict(asked, given.cells, SamplingPlan(steps=2, precision=precision))
    rows: list[dict[str, object]] = []
    results: dict[str, Any] = {"peak_flops": peaks, "flops_per_cell_and_evaluation": flops, "precision": settled}
    for guidance in GUIDANCES:
        for way in known:
            seconds = best_seconds(partial(way.make, predictor, asked, given.cells, guidance, 0), way)
            passes = way.evaluations(guidance)
            rate = given.cells * passes / seconds
            kind = "float32" if way.name == "plain" or "float32" in way.name else settled
            row = {
                "way": way.name, "w": guidance, "seconds": seconds, "evaluations a cell": passes,
                "cell evaluations / s": rate, "of peak": rate * flops / peaks[kind],
            }  # fmt: skip
            results.setdefault("ways", []).append(row)
            rows.append(row)
    for row in rows:
        slowest = next(r for r in rows if r["way"] == "plain" and r["w"] == row["w"])
        row["times faster"] = slowest["seconds"] / row["seconds"]  # type: ignore[operator]
    print_table(rows)
    return results


def best_seconds(make: Callable[[], object], way: Way) -> float:
    times = []
    for _ in range(1 if way.name == "plain" else 3):
        start = time.perf_counter()
        make()
        times.append(time.perf_counter() - start)
    return min(times)


def flops_of(field: torch.nn.Module, genes: int, channels: int) -> float:
    """Floating-point operations of one evaluation for one cell."""
    inputs = (torch.zeros(8, genes), torch.zeros(8), torch.zeros(8, channels), torch.zeros(8, dtype=torch.bool))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        field(*inputs)
    return counter.get_total_flops() / 8


def quality(
    given: argparse.Namespace, predictor: PRiMeFlow, known: Sequence[Way], folder: Path
) -> list[dict[str, object]]:
    """Energy distance of each way on seen and held-out conditions, mean over conditions, spread over seeds."""
    file = data_file(given.data)
    cells = datasets.open_cells(given.data) if file.dataset is not None else read_cells(file.path)
    split = read_split(folder / checkpoint.SPLIT, cells, "leave-out")
    manifest = checkpoint.read_manifest(folder)
    trained = [condition for condition in manifest.trained_on if not condition.is_control]
    parts = {
        "held out": (TEST, manifest.tested_on),
        "seen": (TRAIN, [trained[i] for i in np.linspace(0, len(trained) - 1, SEEN).astype(int)]),
    }
    rows = []
    for name, (part, conditions) in parts.items():
        some = cells.subset(split.indices(cells, part))
        measured = {condition: some.dense(some.where(condition)) for condition in conditions}
        controls = {condition: some.dense(some.where(condition.control())) for condition in conditions}
        apart = float(np.mean([energy_distance(controls[c], measured[c]) for c in conditions]))
        for guidance in GUIDANCES:
            for way in known:
                found = [
                    np.mean([
                        energy_distance(way.make(predictor, c, given.quality_cells, guidance, seed), measured[c])
                        for c in conditions
                    ])
                    for seed in range(given.seeds)
                ]  # fmt: skip
                rows.append({
                    "conditions": name, "w": guidance, "way": way.name, "energy distance": float(np.mean(found)),
                    "spread": float(np.ptp(found)), "controls": apart, "of controls": float(np.mean(found)) / apart,
                })  # fmt: skip
    print_table(rows)
    return rows


def sampled(prepared: tuple[Path, int]) -> int:
    """For the memory of a process that makes many cells."""
    folder, cells = prepared
    predictor, manifest = checkpoint.load(folder), checkpoint.read_manifest(folder)
    assert isinstance(predictor, PRiMeFlow)
    asked = manifest.first_view or manifest.trained_on[-1]
    return len(predictor.predict(asked, cells, manifest.sampling))


def memory(folder: Path, counts: Sequence[int]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for count in counts:
        found: Measured = in_fresh_process(_as_given, sampled, (folder, count))
        rows.append({"cells": count, "peak memory, GB": found.peak / 1e9, "of it before": found.before / 1e9})
    print_table(rows)
    return rows


def _as_given(prepared: tuple[Path, int]) -> tuple[Path, int]:
    return prepared


def growth(recipes: Sequence[str], genes: Sequence[int], batches: Sequence[int]) -> list[dict[str, object]]:
    """Cell evaluations a second of untrained fields, by genes and batch, in both precisions."""
    from primeflow_core.models.precision import BFLOAT16, FLOAT32, products

    rows: list[dict[str, object]] = []
    peaks = {FLOAT32: peak(torch.float32), BFLOAT16: peak(torch.bfloat16)}
    for name in recipes:
        row = recipe_named(name).rows["field"]
        assert isinstance(row, UNetConfig)
        for count in genes:
            field = UNetField(row, count, 40).eval()
            flops = flops_of(field, count, 40)
            for batch in batches:
                inputs = (torch.randn(batch, count), torch.rand(batch), torch.zeros(batch, 40),
                          torch.zeros(batch, dtype=torch.bool))  # fmt: skip
                for precision in (FLOAT32, BFLOAT16):
                    with torch.inference_mode(), products(precision, torch.device("cpu")):
                        field(*inputs)
                        times = []
                        for _ in range(3):
                            start = time.perf_counter()
                            field(*inputs)
                            times.append(time.perf_counter() - start)
                    rate = batch / min(times)
                    rows.append({
                        "recipe": name, "genes": count, "batch": batch, "precision": precision, "GFLOP": flops / 1e9,
                        "cell evaluations / s": rate, "of peak": rate * flops / peaks[precision],
                    })  # fmt: skip
    print_table(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", required=True, help="the data the model was trained on")
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--quality-cells", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS, help="what to measure (default: all)")
    parser.add_argument("--ways", nargs="+", help="only these, for instance: plain 'exponential 4' 'student 1'")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if "speed" in given.parts and "plain" not in (given.ways or ["plain"]):
        parser.error("speed is told beside the plain way: name it in --ways too.")
    predictor, manifest = checkpoint.load(given.model), checkpoint.read_manifest(given.model)
    if not isinstance(predictor, PRiMeFlow):
        parser.error(f"{given.model} holds no PRiMeFlow.")
    known = [way for way in ways(manifest.sampling, predictor) if not given.ways or way.name in given.ways]
    asked = manifest.first_view or manifest.trained_on[-1]
    measures: dict[str, Callable[[], Any]] = {
        "speed": lambda: speeds(given, predictor, known, asked),
        "quality": lambda: quality(given, predictor, known, given.model),
        "memory": lambda: memory(given.model, (1000, 10_000)),
        "growth": lambda: growth(("unet-tiny", "unet-small"), (512, 2048, 8192), (32, 128)),
    }
    save(given.out, {name: measures[name]() for name in given.parts})


if __name__ == "__main__":
    main()
