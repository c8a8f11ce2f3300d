"""Training as a job: a small model learns somebody's cells while it is watched, and is checked before it is listed.

It works in a folder that no library lists, and takes its place among the models only when it is complete.
"""

import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.holdout import Holdout, HoldoutKind, hold_out
from primeflow_core.errors import PrimeflowError, SettingError
from primeflow_core.runtime.atomic_files import check_can_write
from primeflow_core.runtime.jobs import JobContext, Snapshot

if TYPE_CHECKING:
    from primeflow_core.training.recipes.registry import Recipe
    from primeflow_core.training.run import Source
    from primeflow_core.training.trainer import LogLine

WORKING = ".training"
TRAINING, CHECKING = "Training", "Checking against held-out cells"
FEWEST_MINUTES, MOST_MINUTES = 1, 60
CHECKED_CELLS = 200
SECONDS_TO_START, SECONDS_TO_CHECK = 15.0, 30.0
# A recipe's steps suit a few thousand cells; the best weights of a longer training are kept all the same.
MOST_TIMES_THE_RECIPE = 4
FEWEST_STEPS, LOG_LINES, VALIDATIONS = 100, 200, 20
_ABANDONED_AFTER = 24 * 3600.0


@dataclass(frozen=True)
class TrainingSubject:
    """The subject of a training, for whoever looks at its job: the data set or file, and the name that was typed."""

    dataset: str
    name: str


@dataclass(frozen=True)
class TrainingOrder:
    """What to train on what. ``name`` is as a person typed it; ``hold_out`` None leaves the choice to the cells;
    ``reading``: the fixes applied while the file was read, so that its cells can be read again."""

    read: Callable[[], Cells]
    dataset: str
    simulated: bool
    name: str
    recipe: str = "unet-tiny"
    minutes: float = 5.0
    seed: int = 0
    hold_out: HoldoutKind | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not FEWEST_MINUTES <= self.minutes <= MOST_MINUTES:
            raise SettingError(
                f"{self.minutes:g} minutes of training cannot be had; choose {FEWEST_MINUTES} to {MOST_MINUTES}."
            )
        if self.seed < 0:
            raise SettingError(f"The seed is {self.seed}; it must be 0 or more.")

    @property
    def subject(self) -> TrainingSubject:
        return TrainingSubject(self.dataset, self.name)

    @property
    def expected_seconds(self) -> float:
        """At most: a training that no longer has steps to take ends earlier."""
        return SECONDS_TO_START + 60 * self.minutes + SECONDS_TO_CHECK


@dataclass(frozen=True)
class Trained:
    """A new model in ``folder``. ``curve`` (n, 3): step, loss, validation loss, NaN where there was no validation.

    ``unchecked`` says why the model could not be checked; empty where it was.
    """

    folder: Path
    curve: np.ndarray
    holdout: str
    unchecked: str = ""

    @property
    def nbytes(self) -> int:
        return int(self.curve.nbytes)


def train_model(order: TrainingOrder, place: Path, context: JobContext) -> Trained:
    """The work of a training job in the long lane: a new model in ``place``, under a name that is free.

    Ends within a step of training once it was cancelled, and leaves nothing; asked to finish, it ends the training
    early and goes on to the check. Raises DataError for cells that cannot be trained on or checked with, SettingError
    where ``place`` cannot be written to.
    """
    watch = _TrainingWatch(context, order.expected_seconds)
    with _working_folder(place, order.name) as (folder, kept):
        watch.tell("Reading the cells")
        cells = order.read()
        context.checkpoint()
        watch.tell("Deciding what to hold out")
        holdout = hold_out(cells, order.hold_out, order.seed)
        _train(order, cells, holdout, folder, watch)
        watch.tell(CHECKING, SECONDS_TO_CHECK)
        unchecked = _check(folder, cells, watch)
        context.checkpoint()
        folder.rename(kept)
    return Trained(kept, watch.curve, holdout.sentence, unchecked)


def _train(order: TrainingOrder, cells: Cells, holdout: Holdout, folder: Path, watch: "_TrainingWatch") -> None:
    from primeflow_core.training.recipes.registry import recipe_named
    from primeflow_core.training.run import Source, prepare
    from primeflow_core.training.trainer import STATE, train

    source = Source(cells, holdout.split, order.dataset, order.simulated, holdout.sentence)
    recipe = recipe_named(order.recipe)
    watch.tell("Finding out how fast this machine is")
    recipe = _fitted(recipe, 60 * order.minutes, _pace(source, recipe, folder.with_name("pace"), order.seed, watch))
    watch.steps = recipe.training.steps
    command = [f"# trained in the app: recipe {recipe.name}, {recipe.training.steps} steps, seed {order.seed}"]
    trainer = prepare(source, recipe, folder, seed=order.seed, device="auto", resume=False, command=command)
    train(trainer, folder, minutes=order.minutes, on_log=watch.on_log, asked_to_end=watch.asked_to_end)
    (folder / STATE).unlink()


class _Pace(NamedTuple):
    """Seconds that a step and a validation take on this machine."""

    step: float
    validation: float


def _pace(source: "Source", recipe: "Recipe", folder: Path, seed: int, watch: "_TrainingWatch") -> _Pace:
    """By a few steps of a trainer that is thrown away; the first ones also warm PyTorch up."""
    from primeflow_core.training.run import prepare

    trainer = prepare(source, recipe, folder, seed=seed, device="auto", resume=False, command=[])
    times = [time.monotonic()]
    for _ in range(6):
        watch.checkpoint()
        trainer.step()
        times.append(time.monotonic())
    trainer.validate()
    return _Pace(float(np.median(np.diff(times)[2:])), time.monotonic() - times[-1])


def _fitted(recipe: "Recipe", seconds: float, pace: _Pace) -> "Recipe":
    """``recipe`` with as many steps as ``seconds`` allow, so that the learning rate has fallen when they are over."""
    training = 0.95 * seconds - VALIDATIONS * pace.validation
    foreseen = int(training / max(pace.step, 1e-6))
    steps = min(max(foreseen, FEWEST_STEPS), MOST_TIMES_THE_RECIPE * recipe.training.steps)
    changed = replace(
        recipe.training,
        steps=steps,
        log_every=max(1, steps // LOG_LINES),
        validate_every=max(1, steps // VALIDATIONS),
        save_every=steps,
    )
    return replace(recipe, training=changed)


def _check(folder: Path, cells: Cells, watch: "_TrainingWatch") -> str:
    """Write the card; returns why the model could not be checked, for it is worth keeping all the same."""
    from primeflow_core.model_store.model_card import write_card

    try:
        write_card(
            folder, cells, cells_per_condition=CHECKED_CELLS, seed=0, half=True, command=["# checked in the app"],
            report=lambda what: watch.checkpoint(), paper_setting=False,
        )  # fmt: skip
    except PrimeflowError as why:
        return str(why)
    return ""


@contextmanager
def _working_folder(place: Path, name: str) -> Iterator[tuple[Path, Path]]:
    """A folder to work in, and the empty one in ``place`` that it may replace; both are gone if it did not."""
    check_can_write(place / WORKING / "model")
    _clear_abandoned(place / WORKING)
    kept = _reserved(place, folder_name(name))
    scratch = place / WORKING / secrets.token_hex(8)
    try:
        scratch.mkdir()
        yield scratch / kept.name, kept
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):  # not empty: the model has moved in
            kept.rmdir()


def _clear_abandoned(working: Path) -> None:
    """Remove what killed trainings left behind."""
    for folder in working.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def folder_name(name: str) -> str:
    """The typed name as the name of a folder and of an address: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "my-model"


def _reserved(place: Path, name: str) -> Path:
    """A new empty folder in ``place``: ``name``, or ``name-2`` and so on."""
    number = 1
    while True:
        folder = place / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


class _TrainingWatch:
    """Called at every event: shows it as the job's snapshot, and passes on what the user asks of the job."""

    def __init__(self, context: JobContext, expected_seconds: float) -> None:
        self._context = context
        self._expected_end = time.monotonic() + expected_seconds
        self._rows: list[tuple[float, float, float]] = []
        self.steps = 0

    @property
    def curve(self) -> np.ndarray:
        return np.array(self._rows, dtype=np.float32).reshape(-1, 3)

    def checkpoint(self) -> None:
        self._context.checkpoint()

    def asked_to_end(self) -> bool:
        self._context.checkpoint()
        return self._context.asked_to_finish

    def tell(self, note: str, seconds_left: float | None = None) -> None:
        if seconds_left is None:
            seconds_left = max(0.0, self._expected_end - time.monotonic())
        done = int(self._rows[-1][0]) if self._rows else 0
        self._context.publish(Snapshot(self.curve, done, self.steps, seconds_left, note))

    def on_log(self, line: "LogLine") -> None:
        validation = np.nan if line.validation_loss is None else line.validation_loss
        self._rows.append((line.step, line.loss, validation))
        self.tell(TRAINING, line.seconds_left + SECONDS_TO_CHECK)
