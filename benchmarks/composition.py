"""Ways to compose a condition from its singles, judged by training cells only: simulated pairs, and real singles.

Energy distance of 200 composed cells, drawn with repeats as training would, to measured ones. Simulated: pairs of the
training part whose singles were measured in the same context, by the kind of their interaction. Real: each single is
composed from controls or other singles by what 60 % of its cells show, and compared with its other cells.

    python -m benchmarks.composition --split k562-combo-split.csv --out benchmarks/results/composition.json
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import print_table, save
from primeflow_core import composition, datasets
from primeflow_core.cells import Cells
from primeflow_core.composition import Measured, Sum, measured, measured_singles, unmoved
from primeflow_core.conditions import Condition
from primeflow_core.evaluation.distances import energy_distance
from primeflow_core.simulate import default_split
from primeflow_core.splits import TRAIN, read_split

MADE = 200
REPEATS = 3
SHOWN = 0.6
THRESHOLDS = (0.0, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Known:
    """The controls (n, G) of a context and its singles."""

    control: Measured
    singles: dict[Condition, Measured]


def known_of(training: Cells, control: Condition) -> Known:
    return Known(unmoved(training.dense(training.where(control))), dict(measured_singles(training, control)))


def shifted(parts: Sequence[Measured], known: Known, draw: np.random.Generator) -> np.ndarray:
    rows = draw.integers(len(known.control.cells), size=MADE)
    return np.maximum(known.control.cells[rows] + sum(part.moves * part.shift for part in parts), 0)


def shifted_first(parts: Sequence[Measured], known: Known, draw: np.random.Generator) -> np.ndarray:
    if len(parts) == 1:
        return shifted(parts, known, draw)
    halves = []
    for one, other in (parts, parts[::-1]):
        halves.append(one.cells[draw.integers(len(one.cells), size=MADE // 2)] + other.moves * other.shift)
    return np.maximum(np.concatenate(halves), 0)


def ranks_of_controls(parts: Sequence[Measured], known: Known, draw: np.random.Generator) -> np.ndarray:
    return summed(parts, known, (known.control,), draw)


def ranks_of_any(parts: Sequence[Measured], known: Known, draw: np.random.Generator) -> np.ndarray:
    return summed(parts, known, (known.control, *known.singles.values()), draw)


def summed(
    parts: Sequence[Measured], known: Known, starts: tuple[Measured, ...], draw: np.random.Generator
) -> np.ndarray:
    made = Sum(Condition(()), tuple(parts), known.control, starts)
    return np.stack([made.cell(draw) for _ in range(MADE)])


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
        composition.THRESHOLD = threshold
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
        composition.THRESHOLD = threshold
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


def summary(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """One row a kind of cells and way, one column a threshold."""
    table = pd.DataFrame(found).pivot_table(
        index=["cells", "way"], columns="k", values="energy distance", aggfunc="mean", sort=False
    )
    rows = table.rename(columns=lambda k: f"k = {k:g}").reset_index().to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def interactions(labels: tuple[str, ...], path: Path | None) -> list[str]:
    """The kind of each label, as the simulated file says it."""
    from primeflow_core import hdf5

    if path is None:
        raise SystemExit("Make the simulated screen first: primeflow fetch simulated-screen")
    with hdf5.opened(path) as file:
        obs = hdf5.read_table(file, "obs", path)
    kind = dict(zip(obs["condition"].astype(str), obs["interaction"].astype(str), strict=True))
    return [kind[label] for label in labels]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", type=Path, required=True, help="split of perturbench-devel; only train is read")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = summary(simulated() + real(given.split))
    print_table(rows)
    save(given.out, {"rows": rows})


if __name__ == "__main__":
    main()
