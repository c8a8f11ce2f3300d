"""The result of a search: a table of its trials, the best one as a recipe file, and a summary to print."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pandas as pd

from primeflow_core.errors import SettingError
from primeflow_core.models.kinds.ranges import Value
from primeflow_core.runtime.provenance import now, versions
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.recipes.recipe_file import write_recipe
from primeflow_core.training.tuning.question import SearchSpec
from primeflow_core.training.tuning.spaces import at
from primeflow_core.training.tuning.store import TrialStore
from primeflow_core.training.tuning.trial import Trial

TUNED = "-tuned"
SHOWN = 5


def table(question: SearchSpec, trials: Sequence[Trial]) -> pd.DataFrame:
    """A row a trial: trial, state, score, the settings searched, steps, seconds and, where it failed, why."""
    rows = []
    for trial in trials:
        settings = {key: _plain(one.value(trial.point[key])) for key, one in question.space.items()}
        told = {"steps": trial.steps, "seconds": trial.seconds, "why": trial.why}
        rows.append({"trial": trial.number, "state": trial.state, "score": trial.score, **settings, **told})
    return pd.DataFrame(rows)


def _plain(value: Value) -> Value:
    return str(list(value)) if isinstance(value, tuple) else value


def best_recipe(question: SearchSpec, best: Trial) -> Recipe:
    """The recipe of the best trial, with a name of its own."""
    base = question.recipe
    name = base.name if base.name.endswith(TUNED) else base.name + TUNED
    return replace(at(base, question.space, best.point), name=name, summary=f"{base.name} with searched settings")


def write_best(path: Path, store: TrialStore) -> Trial:
    """Write the best row as a recipe file. Raises SettingError where no trial came to a score."""
    question = store.question
    if not (found := store.ranked()):
        raise SettingError(f"No trial of {store.folder} came to a score; trials.csv says what became of each.")
    best = found[0]
    provenance = {
        "created": now(), "recipe": question.recipe.name, "data_sha256": question.data_sha256,
        "split_sha256": question.split_sha256, "metric": question.metric, "score": best.score, "trial": best.number,
        "trials": len(store.trials()), "cells": question.cells, "seed": question.seed,
        "versions": {**versions(), "optuna": metadata.version("optuna")},
    }  # fmt: skip
    write_recipe(path, best_recipe(question, best), provenance)
    return best


def summary(store: TrialStore) -> str:
    """The best trials with their settings, the original recipe, and how much each setting mattered. Each trial is a
    column."""
    question, trials = store.question, store.trials()
    columns = [
        _heads(question),
        *(_column(question, trial, f"trial {trial.number}") for trial in store.ranked()[:SHOWN]),
    ]
    columns += [_column(question, trial, "as given") for trial in trials[:1]]
    if share := question.search.importance(trials):
        columns.append(["mattered", "", *(f"{share.get(key, 0.0):.0%}" for key in question.space)])
    widths = [max(map(len, column)) for column in columns]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in zip(*columns, strict=True)]
    return "\n".join(lines)


def _heads(question: SearchSpec) -> list[str]:
    better = "larger" if question.larger_is_better else "smaller"
    return ["", f"{question.metric} ({better} is better)", *question.space]


def _column(question: SearchSpec, trial: Trial, title: str) -> list[str]:
    score = trial.state if trial.score is None else f"{trial.score:.4g}"
    return [title, score, *(_short(one.value(trial.point[key])) for key, one in question.space.items())]


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(_plain(value))
