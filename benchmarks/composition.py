"""Ways to compose a pair from its singles, on the simulated screen, where the kind of interaction is known.

Energy distance of composed cells to the measured pair, mean over the pairs of each kind whose singles were measured in
the same context. Only training cells are looked at.

    python -m benchmarks.composition --out benchmarks/results/composition.json
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import print_table, save
from primeflow_core import composition, datasets
from primeflow_core.evaluation.distances import energy_distance
from primeflow_core.simulate import default_split
from primeflow_core.splits import TRAIN

SHARE = 70
THRESHOLDS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0)


@dataclass(frozen=True)
class Singles:
    """Cells of both singles and control cells, each (n, G)."""

    a: np.ndarray
    b: np.ndarray
    control: np.ndarray


def fresh_draw() -> np.random.Generator:
    """The same for every way, so that they differ in the way only."""
    return np.random.default_rng(0)


def drawn(cells: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    return cells[draw.permutation(len(cells))[:count]]


def moved_controls(
    singles: Singles, shift: Callable[[np.ndarray], np.ndarray], draw: np.random.Generator
) -> np.ndarray:
    return np.maximum(drawn(singles.control, SHARE, draw) + shift(singles.a) + shift(singles.b), 0)


def moved_singles(singles: Singles, shift: Callable[[np.ndarray], np.ndarray], draw: np.random.Generator) -> np.ndarray:
    one = drawn(singles.a, SHARE // 2, draw) + shift(singles.b)
    other = drawn(singles.b, SHARE // 2, draw) + shift(singles.a)
    return np.maximum(np.concatenate([one, other]), 0)


def rows() -> list[dict[str, object]]:
    cells = datasets.open_cells("simulated-screen")
    interaction = interactions(cells.labels, datasets.local_path("simulated-screen"))
    training = cells.subset(default_split(cells).indices(cells, TRAIN))
    known = set(training.conditions)
    kind_of = dict(zip(cells.conditions, interaction, strict=True))
    pairs = [c for c in training.conditions if len(c.perturbations) == 2 and known >= {*c.parts, c.control()}]
    found = []
    for pair in pairs:
        parts = [training.dense(training.where(part)) for part in (*pair.parts, pair.control())]
        singles, measured = Singles(*parts), training.dense(training.where(pair))
        for threshold in THRESHOLDS:
            composition.THRESHOLD = threshold
            for name, way in (("controls + both shifts", moved_controls), ("A + shift of B", moved_singles)):
                made = way(singles, partial(composition.shrunken_shift, controls=singles.control), fresh_draw())
                found.append({"kind": kind_of[pair], "way": name, "|t| above": threshold,
                              "energy distance": energy_distance(made, measured)})  # fmt: skip
    means = pd.DataFrame(found).groupby(["kind", "way", "|t| above"], sort=False)["energy distance"]
    summary = means.agg(["mean", "count"]).reset_index()
    return [{str(name): value for name, value in row.items()} for row in summary.to_dict("records")]


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
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    found = rows()
    print_table(found)
    save(given.out, {"rows": found})


if __name__ == "__main__":
    main()
