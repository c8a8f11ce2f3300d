"""A ranking that comes with the tiny model of the app, with scores that a test sets by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from primeflow_core.data.conditions import Condition
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.models.checkpoint import Manifest, read_manifest
from primeflow_core.screening import candidates, screen_file
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.next_experiments import next_experiments
from primeflow_core.screening.ranking import best_first, matrix, ranked
from primeflow_core.screening.screen_file import Screen
from primeflow_core.screening.screen_spec import ScreenOrder, weights_of
from primeflow_core.screening.trust import Checked, Trust
from primeflow_core.screening.trust_row import TrustRow
from tests.screens import noise, table_of

EFFECT = Goal("effect")
KINDS = ("additive", "synergistic", "suppressive")


def pairs_of(manifest: Manifest) -> tuple[Condition, ...]:
    assert manifest.first_view is not None
    return candidates.all_pairs(manifest, [manifest.first_view.covariates]).conditions


def made_up(folder: Path, wanted: Sequence[Condition] | None = None, goal: Goal = EFFECT) -> Screen:
    """The second half of the candidates has falling scores, the first half lower ones; every third one interacts in
    another way. Gene i of the changes of row j moves by i - j / 100."""
    manifest = read_manifest(folder)
    chosen = tuple(wanted or pairs_of(manifest))
    order = ScreenOrder(
        manifest.name, weights_of(folder), "r", goal, chosen, (), 200, (0, 1), manifest.sampling, resamples=100
    )
    count = len(chosen)
    scores = np.roll(np.linspace(9.0, 1.0, count), count // 2)
    changes = np.arange(len(manifest.genes))[None, :] - np.arange(count)[:, None] / 100
    rows = table_of(order, scores.tolist(), noise(count, 0.05), sums=(scores - 0.5).tolist(), changes=changes)
    for name, values in (("interaction", pa.array([KINDS[i % 3] for i in range(count)])), ("magnitude", scores / 5)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    table = ranked(rows, order, Catalogue(manifest).standing)
    rows = rows.take(best_first(rows, order))
    moved, errors = (matrix(rows, name).astype(np.float16) for name in ("change", "change_error"))
    about = screen_file.about(order, manifest, (), "measured")
    return Screen(table, about, trust(goal), next_experiments(table, moved, 4, goal), manifest.genes, moved, errors)


def trust(goal: Goal) -> Trust:
    row = TrustRow("model", "The model", 7, 0.9, 0.5, 1.0, 2.0, 2, 0.5, 1.0, 0.6, 0.05, 0.0, 0.0, 0.0)
    return Trust(goal, "pairs", True, (row,), (), (Checked("A+B", "sim-A", 1.0, 1.1),))


def without_truth(screen: Screen) -> Screen:
    return replace(screen, trust=None, about={**screen.about, "controls": "predicted"})


def ship(folder: Path, screen: Screen, name: str = "effect") -> Path:
    """Put a ranking into a model's folder, where the app looks for it."""
    place = folder / "screens"
    place.mkdir(exist_ok=True)
    screen_file.write_screen(place / f"{name}.parquet", screen)
    return place / f"{name}.parquet"
