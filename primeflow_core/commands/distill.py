"""The command distill: a student that makes cells with one evaluation of the network."""

import argparse

from primeflow_core.commands.reading import training_cells
from primeflow_core.commands.terminal import ProgressLine, as_typed, say
from primeflow_core.errors import SettingError
from primeflow_core.models import checkpoint
from primeflow_core.training.recipes.overrides import assigned


def distill_command(given: argparse.Namespace) -> None:
    from primeflow_core.training.distillation.apprenticeship import apprentice
    from primeflow_core.training.distillation.teaching import DistillationConfig

    if given.seed < 0:
        raise SettingError("--seed must be 0 or more.")
    settings = [*given.set, *([f"steps={given.steps}"] if given.steps is not None else [])]
    config = assigned(DistillationConfig(), settings)
    cells = training_cells(given, checkpoint.read_manifest(given.model))
    bars: dict[str, ProgressLine] = {}

    def on_step(what: str, done: int, of: int) -> None:
        bars.setdefault(what, ProgressLine(what, of)).at(done)
        if done == of:
            bars[what].close()

    outcome = apprentice(given.model, cells, config, given.seed, given.device, as_typed(), on_step)
    for row in outcome.judged:
        say(str(row))
    say(f"{given.model / checkpoint.STUDENT_WEIGHTS}: {outcome.summary}")
