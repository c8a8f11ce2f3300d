"""The contract of a model kind: a made-up one is a single row of the registry, and everything knows it.

What is derived from the registry is derived when it is imported, so the made-up row is there before anything else is,
in a process of its own.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from primeflow_core.models.kinds import registry
from primeflow_core.models.kinds.kind import Family
from primeflow_core.models.kinds.registry import all_kinds, kind_of, label_of

ROOT = Path(__file__).resolve().parents[2]
NAME = "guess"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What every consumer says of the made-up kind."""
    folder = tmp_path_factory.mktemp("made-up")
    command = [sys.executable, "-m", "tests.models.test_kind_records", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "told.json").read_text(encoding="utf-8"))


def test_rows_and_labels_are_named_once():
    rows = [kind.row for kind in all_kinds()]
    assert len(set(rows)) == len(rows)
    labels = [beginning for kind in all_kinds() for beginning in kind.labels]
    assert len(set(labels)) == len(labels)
    for kind in all_kinds():
        assert kind.does, kind.row
        assert kind.cannot, kind.row


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.row)
def test_a_record_fits_its_own_file(kind):
    parts = kind.parts()
    assert (parts.search is None) == (kind.family is Family.CLOSED_FORM)
    if parts.search is not None:
        assert set(parts.search.settings) <= set(parts.config.__dataclass_fields__)
    for row in parts.recipes:
        assert list(row.rows) == [kind.row]
        assert isinstance(row.rows[kind.row], parts.config)
        assert label_of(row.name) in kind.labels.values() or kind.row == "baseline"  # named by their own records
        assert (row.training["steps"] == 0) == (kind.family is Family.CLOSED_FORM)


def test_without_its_row_nobody_knows_it():
    assert kind_of([NAME]) is None
    assert label_of("guess-big") == "guess-big"


def test_recipes_are_listed(told):
    assert "  guess " in told["train --recipe list"]
    assert "  guess-big " in told["train --recipe list"]
    assert {"guess", "guess-big"} <= set(told["benchmark --list"].split())
    assert NAME in told["small"]
    assert "guess-big" not in told["small"]


def test_it_is_trained_stored_and_read_again(told):
    assert told["trained"] == {"sampler": "direct", "steps": 12, "settings": {"boldness": 2.0}}
    assert told["reloaded gives the same cells"]
    assert told["recipe file"] == {"boldness": 2.0}
    assert "guess.shyness" in told["unknown setting"]


def test_tune_searches_its_settings(told):
    assert told["space"] == ["boldness", "learning_rate", "weight_decay"]


def test_tables_cards_and_texts_tell_of_it(told):
    assert told["labels"] == ["Learnt Guess (guess)", "Learnt Guess (guess-big)"]
    assert told["facts"]["What it does"] == "It guesses one profile for all conditions."
    assert told["facts"]["What it cannot do"] == "It cannot tell conditions apart."
    assert told["facts"]["Sampling"] == "in one pass, zeros clip; no guidance"
    assert "which guesses one profile for all conditions" in told["methods"]
    assert "It cannot tell conditions apart." in told["card"]


def _listed(*command: str) -> str:
    from contextlib import redirect_stdout
    from io import StringIO

    from primeflow_core.__main__ import main

    with redirect_stdout(StringIO()) as shown:
        assert main(list(command)) == 0
    return shown.getvalue()


def _trained(folder: Path) -> dict[str, object]:
    """What training, storing and reading it say."""
    import numpy as np

    from primeflow_core.errors import CheckpointError
    from primeflow_core.models import checkpoint
    from primeflow_core.models.architectures import rows_of
    from primeflow_core.training.recipes.recipe_file import write_recipe
    from primeflow_core.training.recipes.registry import recipe_given, recipe_named
    from primeflow_core.training.run import Source, prepare
    from primeflow_core.training.trainer import train
    from tests import tiny

    cells = tiny.cells()
    source = Source(cells, tiny_split(cells), "tiny", simulated=True)
    trainer = prepare(source, recipe_named(NAME), folder, seed=0, device="cpu", resume=False, command=["train"])
    progress = train(trainer, folder, minutes=1)
    manifest = checkpoint.read_manifest(folder)
    loaded = [checkpoint.load(folder).predict(tiny.condition("A"), 3, manifest.sampling) for _ in range(2)]
    write_recipe(folder / "guess.json", recipe_named(NAME), {})
    try:
        rows_of({NAME: {"shyness": 1}})
    except CheckpointError as error:
        unknown = str(error)
    return {
        "trained": {
            "sampler": manifest.sampling.sampler, "steps": progress.step, "settings": dict(manifest.settings[NAME])
        },
        "reloaded gives the same cells": bool(np.array_equal(*loaded)) and loaded[0].shape == (3, 11),
        "recipe file": dict(recipe_given(str(folder / "guess.json")).settings()[NAME]),
        "unknown setting": unknown,
    }  # fmt: skip


def tiny_split(cells):
    """All cells train but every fifth, which validates."""
    import numpy as np

    from primeflow_core.data.split_file import TRAIN
    from primeflow_core.data.splits import Split

    parts = np.where(np.arange(len(cells)) % 5 == 0, "val", TRAIN)
    return Split(cells.names, parts, "made up")


def _told(folder: Path) -> dict[str, object]:
    from primeflow_core.benchmark.display_names import labels
    from primeflow_core.model_store.local_models import Model
    from primeflow_core.model_store.model_card_text import card_text
    from primeflow_core.model_store.model_summary import facts_of
    from primeflow_core.models import checkpoint
    from primeflow_core.report.methods_text import methods_paragraph
    from primeflow_core.training.recipes.registry import SMALL_RECIPES, recipe_named
    from primeflow_core.training.tuning.spaces import space_of
    from tests.pinned import finding, origin

    trained = _trained(folder / "model")
    of = checkpoint.read_manifest(folder / "model")
    metrics = {
        "command": [], "cells_per_condition": 5, "sampling": {"seed": 0}, "scored": {}, "zeros_tried_on_val": {}
    }  # fmt: skip
    return {
        **trained,
        "train --recipe list": _listed("train", "--recipe", "list", "data.h5ad"),
        "benchmark --list": _listed("benchmark", "--list"),
        "small": [recipe.name for recipe in SMALL_RECIPES],
        "space": sorted(space_of(recipe_named(NAME))),
        "labels": list(labels([("guess", 1.0), ("guess-big", 1.0)]).values()),
        "facts": dict(facts_of(Model(folder / "model", of, 1))),
        "methods": methods_paragraph([finding(origins=(replace(origin(), manifest=of, plan=of.sampling),))]),
        "card": card_text(of, metrics, {}, None),
    }


if __name__ == "__main__":
    from tests.models.made_up_model import KIND

    registry.KINDS = (*registry.KINDS, KIND)
    where = Path(sys.argv[1])
    (where / "told.json").write_text(json.dumps(_told(where)), encoding="utf-8")
