"""Commands that make and use models: train, generate, card."""

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from primeflow_core.commands.reading import covariate_values, read_given, source_file, training_cells
from primeflow_core.commands.sampling_options import plan_of
from primeflow_core.commands.split_words import transfer_hint
from primeflow_core.commands.terminal import (
    ProgressLine,
    as_typed,
    minutes_and_seconds,
    note,
    say,
)
from primeflow_core.data.conditions import Condition
from primeflow_core.data.data_file import data_file
from primeflow_core.data.held_out_outlook import outlook
from primeflow_core.errors import SettingError
from primeflow_core.model_store.asked_condition import asked_condition
from primeflow_core.model_store.held_out_conditions import held_out_conditions
from primeflow_core.models import checkpoint
from primeflow_core.runtime.atomic_files import check_can_write
from primeflow_core.wording import counted

if TYPE_CHECKING:
    from primeflow_core.training.run import Source
    from primeflow_core.training.trainer import LogLine, Trainer


def train_command(given: argparse.Namespace) -> None:
    from primeflow_core.training.recipes.registry import adjusted, recipe_given
    from primeflow_core.training.run import prepare
    from primeflow_core.training.saved_step import saved_step
    from primeflow_core.training.trainer import train

    if given.recipe == "list":
        _list_recipes()
        return
    if given.out is None:
        raise SettingError("train needs --out, a folder for the model.")
    if given.split is None and given.unlisted is not None:
        raise SettingError("--unlisted is about the cells that a split file does not list; it needs --split.")
    if given.seed < 0 or not given.minutes > 0:
        raise SettingError("--seed must be 0 or more and --minutes above 0.")
    settings = [*given.set, *([f"steps={given.steps}"] if given.steps is not None else [])]
    recipe = adjusted(recipe_given(given.recipe), settings)
    source = _source(given)
    for sentence in outlook(source.cells, source.split).sentences:
        note(sentence)
    trainer = prepare(
        source, recipe, given.out, seed=given.seed, device=given.device, resume=given.resume, command=as_typed()
    )
    _report_start(trainer, recipe.name, saved_step(given.out))
    bar = ProgressLine("training", trainer.config.steps)
    progress = train(trainer, given.out, minutes=given.minutes, on_log=lambda line: bar.at(line.step, _described(line)))
    bar.close()
    best = (
        ""
        if math.isinf(progress.best)
        else f", best validation loss {progress.best:.4f} at step {progress.best_step:,}"
    )
    say(f"{given.out}: {progress.step:,} steps in {minutes_and_seconds(progress.seconds)}{best}.")


def _source(given: argparse.Namespace) -> "Source":
    """The cells with the split of --split, or with one that suits them, which is then told."""
    from primeflow_core.training.chosen_split import chosen_split
    from primeflow_core.training.run import Source

    file = data_file(given.data)
    if given.split is not None:
        return source_file(given, file).read(note)
    cells = read_given(file, given)
    chosen = chosen_split(cells, given.out, given.seed, resume=given.resume)
    note(f"{chosen.sentence} {given.out / checkpoint.SPLIT} lists the part of each cell.")
    if not given.resume and (hint := transfer_hint(file, given, cells)):
        note(hint)
    return Source(cells, chosen.split, file.name, file.simulated, chosen.sentence)


def _list_recipes() -> None:
    from primeflow_core.training.recipes.registry import GROUPS

    widest = max(len(recipe.name) for _, group in GROUPS for recipe in group)
    for i, (title, group) in enumerate(GROUPS):
        say(f"{chr(10) * bool(i)}{title}")
        for recipe in group:
            say(f"  {recipe.name:{widest}}  {recipe.summary}")


def _report_start(trainer: "Trainer", recipe: str, reached: int) -> None:
    """``reached``: the step after which a training is resumed, 0 for a new one."""
    parameters = sum(parameter.numel() for parameter in trainer.predictor.parameters())
    held = len(trainer.validation) if trainer.validation else 0
    going_on = f", resumed after step {reached:,}" if reached else ""
    note(
        f"{recipe}: {parameters / 1e6:.1f} M parameters, {len(trainer.train_cells):,} training cells, "
        f"{held:,} validation cells, on {trainer.predictor.device}{going_on}"
    )
    if reached and reached == trainer.config.steps:
        more = "" if trainer.config.decay == "cosine" else " More --steps train on from there."
        note(f"Nothing is left to train: all {counted(reached, 'step')} were taken before.{more}")


def _described(line: "LogLine") -> str:
    validation = "" if line.validation_loss is None else f", validation {line.validation_loss:.4f}"
    return f"loss {line.loss:.4f}{validation}, about {minutes_and_seconds(line.seconds_left)} left"


def generate_command(given: argparse.Namespace) -> None:
    from primeflow_core.prediction.generation import generate, write_generated

    check_can_write(given.out)
    manifest = checkpoint.read_manifest(given.model)
    conditions: Sequence[Condition]
    if given.held_out:
        conditions = held_out_conditions(manifest, given.held_out, note)
        labels = [condition.label for condition in conditions]
    else:
        condition = asked_condition(manifest, given.perturbation, covariate_values(given.covariate))
        conditions, labels = (condition,), [given.perturbation]
    plan = plan_of(given, manifest.sampling)
    predictor = checkpoint.load(given.model, given.device)
    plan = predictor.settled(plan)
    bar = ProgressLine("cells × solver steps", given.cells * len(conditions) * plan.steps)
    generated = generate(predictor, conditions, labels, given.cells, plan, lambda done: bar.at(done))
    bar.close()
    write_generated(given.out, generated, manifest, plan)
    say(f"{given.out}: {len(generated.values):,} cells of {', '.join(labels)}, {len(manifest.genes)} genes.")


def card_command(given: argparse.Namespace) -> None:
    from primeflow_core.model_store.model_card import write_card

    cells = training_cells(given, checkpoint.read_manifest(given.model))
    summary = write_card(
        given.model,
        cells,
        cells_per_condition=given.cells,
        seed=given.seed,
        half=given.half,
        command=as_typed(),
        report=note,
    )
    say(summary)
