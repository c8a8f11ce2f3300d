"""The command tune: settings of a recipe, searched on the validation conditions of a split."""

import argparse
import time
from typing import TYPE_CHECKING

from primeflow_core.commands.arguments.tune import MOST_TRIALS
from primeflow_core.commands.reading import source_file
from primeflow_core.commands.terminal import (
    ProgressLine,
    as_typed,
    minutes_and_seconds,
    note,
    say,
)
from primeflow_core.data.data_file import data_file
from primeflow_core.errors import SettingError
from primeflow_core.runtime.atomic_files import check_can_write, write_text
from primeflow_core.runtime.folder_lock import alone_in
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from primeflow_core.training.source_file import SourceFile
    from primeflow_core.training.tuning.question import SearchSpec
    from primeflow_core.training.tuning.store import TrialStore

TABLE, BEST = "trials.csv", "best.json"


def tune_command(given: argparse.Namespace) -> None:
    """Finished trials are never run again; more of them go on from those that are there."""
    from primeflow_core.training.tuning.outcome import summary, table, write_best
    from primeflow_core.training.tuning.store import TrialStore

    if not 1 <= given.trials <= MOST_TRIALS:
        raise SettingError(f"--trials is {given.trials}; it must be 1 to {MOST_TRIALS:,}.")
    if given.out.is_file():
        raise SettingError(f"--out {given.out} is a file; name a folder.")
    source = source_file(given, data_file(given.data))
    store = TrialStore(given.out, _question(given, source))
    check_can_write(given.out / TABLE)
    with alone_in(given.out):
        store.open()
        _run(given, source, store)
        write_text(given.out / TABLE, table(store.question, store.trials()).to_csv(index=False))
        best = write_best(given.out / BEST, store)
    say(summary(store))
    say(f"{given.out}: {TABLE}, {BEST} (trial {best.number}); its model is in {store.model(best.number)}.")


def _question(given: argparse.Namespace, source: "SourceFile") -> "SearchSpec":
    from primeflow_core.training.recipes.overrides import key_and_text
    from primeflow_core.training.recipes.registry import adjusted, recipe_given
    from primeflow_core.training.tuning.question import SearchSpec

    reading = {**source.chosen(note), "unlisted": given.unlisted}
    return SearchSpec(
        adjusted(recipe_given(given.recipe), given.set),
        source.data_sha256,
        source.split_sha256,
        given.metric,
        given.cells,
        given.seed,
        frozenset(key for key, _ in map(key_and_text, given.set)),
        reading,
    )


def _run(given: argparse.Namespace, file: "SourceFile", store: "TrialStore") -> None:
    from primeflow_core.training.tuning.run import run_trials
    from primeflow_core.training.tuning.trial_run import TrialContext
    from primeflow_core.training.tuning.validation import TrialValidation

    there, question = len(store.trials()), store.question
    note(
        f"{file.file.name}: {counted(given.trials, 'trial')} of {question.recipe.name}, {there} of them finished; "
        f"{counted(len(question.space), 'setting')} searched."
    )
    if there >= given.trials:
        return
    source = file.read(note)
    validation = TrialValidation(source, question.metric)
    unknown = f"; {len(validation.unknown)} more have a part that training lacks" if validation.unknown else ""
    note(f"Scored on {counted(len(validation.conditions), 'validation condition')}{unknown}.")
    bench = TrialContext(store, source, validation, given.device, as_typed())
    bar, began = ProgressLine("trials", given.trials), time.monotonic()
    for done, trial in enumerate(run_trials(bench, given.trials), start=1):
        left = (time.monotonic() - began) / done * (given.trials - there - done)
        bar.at(there + done, f"{_told(store, trial.state)}, about {minutes_and_seconds(left)} left")
    bar.close()


def _told(store: "TrialStore", state: str) -> str:
    found = store.ranked()
    if not found or found[0].score is None:
        return state
    return f"{state}, best {store.question.metric} {found[0].score:.4g} (trial {found[0].number})"
