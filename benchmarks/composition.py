"""Ways to compose a condition from measured singles, judged by training cells only.

Energy distance of 200 composed cells, drawn with repeats as training would, to measured ones. Simulated: pairs of the
training part whose singles were measured in the same context, by the kind of their interaction. Real: each single is
composed from controls or other singles by what 60 % of its cells show, and compared with its other cells. Contexts:
a single that training measured in several is composed in one of them from the others, for several ways to weigh these;
of kang18 the stimulated cells of each type are held out in turn, and those of the others composed from one another.

    python -m benchmarks.composition --split k562-combo-split.csv --out benchmarks/results/composition.json
"""

import argparse
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import print_table, save
from primeflow_core.data import datasets
from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.simulated_screen import default_split
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import read_split
from primeflow_core.evaluation.distances import energy_distance
from primeflow_core.models.composed_cells import single as single_of_file
from primeflow_core.models.composed_cells import transfer
from primeflow_core.models.composed_cells.pair import Sum
from primeflow_core.models.composed_cells.single import Single, measured, measured_singles, unmoved

MADE = 200
REPEATS = 3
SHOWN = 0.6
THRESHOLDS = (0.0, 0.5, 1.0, 1.5, 2.0)
WEIGHTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "equal": lambda means, target: np.full(len(means), 1 / len(means)),
    "distance^-2": lambda means, target: near(means, target, 2),
    "distance^-4": lambda means, target: near(means, target, 4),
    "distance^-8": lambda means, target: near(means, target, 8),
    "synthetic control": transfer.synthetic,
}


def near(means: np.ndarray, target: np.ndarray, power: float) -> np.ndarray:
    apart = np.linalg.norm((means - target).astype(np.float64), axis=1)
    weights: np.ndarray = np.maximum(apart, 1e-6) ** -power
    return weights / weights.sum()


@dataclass(frozen=True)
class Known:
    """The controls (n, G) of a context and its singles."""

    control: Single
    singles: dict[Condition, Single]


def known_of(training: Cells, control: Condition) -> Known:
    return Known(unmoved(training.dense(training.where(control))), dict(measured_singles(training, control)))


def shifted(parts: Sequence[Single], known: Known, draw: np.random.Generator) -> np.ndarray:
    rows = draw.integers(len(known.control.cells), size=MADE)
    return np.maximum(known.control.cells[rows] + sum(part.moves * part.shift for part in parts), 0)


def shifted_first(parts: Sequence[Single], known: Known, draw: np.random.Generator) -> np.ndarray:
    if len(parts) == 1:
        return shifted(parts, known, draw)
    halves = []
    for one, other in (parts, parts[::-1]):
        halves.append(one.cells[draw.integers(len(one.cells), size=MADE // 2)] + other.moves * other.shift)
    return np.maximum(np.concatenate(halves), 0)


def ranks_of_controls(parts: Sequence[Single], known: Known, draw: np.random.Generator) -> np.ndarray:
    return summed(parts, known, (known.control,), draw)


def ranks_of_any(parts: Sequence[Single], known: Known, draw: np.random.Generator) -> np.ndarray:
    return summed(parts, known, (known.control, *known.singles.values()), draw)


def summed(parts: Sequence[Single], known: Known, starts: tuple[Single, ...], draw: np.random.Generator) -> np.ndarray:
    made = Sum(Condition(()), tuple(parts), known.control, starts)
    return np.stack([made.drawn(draw) for _ in range(MADE)])


WAYS = {
    "controls + shifts": shifted,
    "cells of A + shift of B": shifted_first,
    "ranks, from controls": ranks_of_controls,
    "ranks, from all singles": ranks_of_any,
}


def simulated() -> list[dict[str, object]]:
    cells = datasets.open_cells("simulated-screen")
    interaction = interactions(cells.labels, datasets.local_path("simulated-screen"))
    training = cells.subset(default_split(cells).indices(cells, TRAIN))
    has = set(training.conditions)
    kind_of = dict(zip(cells.conditions, interaction, strict=True))
    pairs = [c for c in training.conditions if len(c.perturbations) == 2 and has >= {*c.parts, c.control()}]
    found = []
    for threshold in THRESHOLDS:
        single_of_file.THRESHOLD = threshold
        of_control = {control: known_of(training, control) for control in {pair.control() for pair in pairs}}
        for pair in pairs:
            known = of_control[pair.control()]
            parts = [known.singles[part] for part in pair.parts]
            truth = training.dense(training.where(pair))
            for name, way in WAYS.items():
                apart = energy_distance(way(parts, known, np.random.default_rng(0)), truth)
                found.append({"cells": kind_of[pair], "way": name, "k": threshold, "energy distance": apart})
    return found


def real(split: Path) -> list[dict[str, object]]:
    cells = datasets.open_cells("perturbench-devel")
    training = cells.subset(read_split(split, cells, "leave-out").indices(cells, TRAIN))
    control = next(condition for condition in training.conditions if condition.is_control)
    found = []
    for threshold in THRESHOLDS:
        single_of_file.THRESHOLD = threshold
        known = known_of(training, control)
        for single, whole in known.singles.items():
            others = replace(known, singles={key: one for key, one in known.singles.items() if key != single})
            for repeat in range(REPEATS):
                order = np.random.default_rng(repeat).permutation(len(whole.cells))
                cut = round(SHOWN * len(order))
                part = measured(whole.cells[order[:cut]], known.control.cells)
                for name, way in WAYS.items():
                    made = way([part], others, np.random.default_rng(repeat))
                    apart = energy_distance(made, whole.cells[order[cut:]])
                    found.append({"cells": "real singles", "way": name, "k": threshold, "energy distance": apart})
    return found


def transfers() -> list[dict[str, object]]:
    simulated_cells = datasets.open_cells("simulated-screen")
    screen = simulated_cells.subset(default_split(simulated_cells).indices(simulated_cells, TRAIN))
    found = transfers_of("simulated", screen)
    blood = datasets.open_cells("kang18-ifnb-pbmc")
    for held_out in (condition for condition in blood.conditions if not condition.is_control):
        rest = np.flatnonzero(blood.condition_of != blood.conditions.index(held_out))
        found += transfers_of("kang18", blood.subset(rest))
    return found


def transfers_of(screen: str, training: Cells) -> list[dict[str, object]]:
    """Every single of ``training`` in every context where it and other contexts have it."""
    found = []
    for target in (condition for condition in training.conditions if len(condition.perturbations) == 1):
        controls = training.where(target.control())
        others = [c for c in training.conditions if c.perturbations == target.perturbations and c != target]
        if not others or not len(controls):
            continue
        here, truth = training.dense(controls), training.dense(training.where(target))
        for name, weigh in WEIGHTS.items():
            transfer.synthetic = weigh  # type: ignore[assignment]
            sources = transfer.elsewhere(training, here, others)
            made = transfer.transferred(unmoved(here), sources, np.random.default_rng(0)).cells
            found.append({"cells": screen, "weights": name, "energy distance": energy_distance(made, truth)})
        plain = np.maximum(here + np.mean([shift_in(training, other) for other in others], axis=0), 0)
        apart = energy_distance(plain, truth)
        found.append({"cells": screen, "weights": "controls + mean shift", "energy distance": apart})
    return found


def shift_in(training: Cells, single: Condition) -> np.ndarray:
    cells, controls = training.dense(training.where(single)), training.dense(training.where(single.control()))
    shift: np.ndarray = cells.mean(axis=0) - controls.mean(axis=0)
    return shift


def summary(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """One row a kind of cells and way, one column a threshold."""
    table = pd.DataFrame(found).pivot_table(
        index=["cells", "way"], columns="k", values="energy distance", aggfunc="mean", sort=False
    )
    rows = table.rename(columns=lambda k: f"k = {k:g}").reset_index().to_dict("records")
    return named(rows)


def named(rows: list[dict[Hashable, Any]]) -> list[dict[str, object]]:
    return [{str(name): value for name, value in row.items()} for row in rows]


def interactions(labels: tuple[str, ...], path: Path | None) -> list[str]:
    """The kind of each label, as the simulated file says it."""
    from primeflow_core.data.h5ad import storage

    if path is None:
        raise SystemExit("Make the simulated screen first: primeflow fetch simulated-screen")
    with storage.opened(path) as file:
        obs = storage.read_table(file, "obs", path)
    kind = dict(zip(obs["condition"].astype(str), obs["interaction"].astype(str), strict=True))
    return [kind[label] for label in labels]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Path, required=True, help="split of perturbench-devel; only train is read")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = summary(simulated() + real(given.split))
    single_of_file.THRESHOLD = 1.0
    contexts = pd.DataFrame(transfers()).pivot_table(
        index="cells", columns="weights", values="energy distance", aggfunc="mean", sort=False
    )
    across = named(contexts.rename(columns=str).reset_index().to_dict("records"))
    print_table(rows)
    print_table(across)
    save(given.out, {"rows": rows, "contexts": across})


if __name__ == "__main__":
    main()
