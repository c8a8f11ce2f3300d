"""Runs one trial, or resumes it: trains the model, scores it on the way, and at the end."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from primeflow_core.errors import SettingError, UnfitSettingsError
from primeflow_core.models import checkpoint
from primeflow_core.models.checkpoint import WEIGHTS
from primeflow_core.runtime.memory import lacks_memory
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.run import Source, prepare, usual_sampling
from primeflow_core.training.trainer import train
from primeflow_core.training.tuning.search import Proposal
from primeflow_core.training.tuning.spaces import at
from primeflow_core.training.tuning.store import TrialStore
from primeflow_core.training.tuning.trial import DIVERGED, FAILED, PRUNED, SCORED, Trial
from primeflow_core.training.tuning.validation import DivergedError, TrialValidation

CHECKPOINTS = (0.25, 0.5, 0.75)
"""When a training is scored, as shares of its steps."""
TOO_LARGE = "The memory of the device does not hold it."


class PrunedError(Exception):
    """Raised to stop a training that is not worth finishing."""


@dataclass(frozen=True)
class FinishedTrial:
    """The result of a training; ``score`` if ``state`` is ``scored``."""

    state: str
    score: float | None = None
    why: str = ""


@dataclass(frozen=True)
class TrialContext:
    """The data that all trials of a search share; ``command`` for the record."""

    store: TrialStore
    source: Source
    validation: TrialValidation
    device: str = "cpu"
    command: Sequence[str] = ()


def run_trial(bench: TrialContext) -> Trial:
    """The next trial of the search, which is not kept yet."""
    question, before = bench.store.question, bench.store.trials()
    proposal, number = question.search.proposal(before), len(before)
    try:
        recipe = at(question.recipe, question.space, proposal.point)
    except SettingError as error:
        return Trial(number, proposal.point, FAILED, None, (), 0, 0.0, str(error))
    try:
        run = TrialRun(bench, proposal, number, recipe)
    except UnfitSettingsError as error:
        if not number:
            raise
        return Trial(number, proposal.point, FAILED, None, (), 0, 0.0, str(error))
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        return Trial(number, proposal.point, FAILED, None, (), 0, 0.0, TOO_LARGE)
    ended = run.to_its_end()
    return Trial(
        number, proposal.point, ended.state, ended.score, tuple(run.scores), run.trainer.progress.step,
        round(run.seconds, 1), ended.why,
    )  # fmt: skip


class TrialRun:
    """A trial whose model is trained in its folder, and scored at ``CHECKPOINTS`` and at the end.

    ``scores``: those of the checkpoints it came to.
    """

    def __init__(self, bench: TrialContext, proposal: Proposal, number: int, recipe: Recipe) -> None:
        self._bench, self._proposal, self._number = bench, proposal, number
        question, self._folder = bench.store.question, bench.store.model(number)
        self._kept = bench.store.early(number)
        self.trainer = prepare(
            bench.source, recipe, self._folder, seed=question.seed, device=bench.device, resume=True,
            command=bench.command,
        )  # fmt: skip
        self._plan = replace(usual_sampling(recipe), seed=question.seed)
        self.scores: list[float] = []
        self._steps = checkpoint_steps(self.trainer.config.steps)
        self._scoring = 0.0

    @property
    def seconds(self) -> float:
        """The seconds of training, its earlier parts and checkpoints included, and of the last scoring."""
        return self.trainer.progress.seconds + self._scoring

    def to_its_end(self) -> FinishedTrial:
        try:
            train(self.trainer, self._folder, asked_to_end=self._watch)
            # A training that had ended before a kill takes no step in which its early scores would be met again.
            self._watch()
            return self._scored()
        except PrunedError:
            return FinishedTrial(PRUNED)
        except DivergedError:
            return FinishedTrial(DIVERGED)
        except (RuntimeError, MemoryError) as error:
            if not lacks_memory(error):
                raise
            return FinishedTrial(FAILED, why=TOO_LARGE)

    def _watch(self) -> bool:
        """Called after every step, before its state is saved. So the score of a checkpoint is never lost, and a
        training that resumes from an earlier step finds its own scores."""
        while len(self.scores) < len(self._steps) and self._steps[len(self.scores)] <= self.trainer.progress.step:
            if self._proposal.told(len(self.scores), self._at_checkpoint()):
                raise PrunedError
        return False

    def _at_checkpoint(self) -> float:
        number, question = len(self.scores), self._bench.store.question
        if number < len(self._kept):
            self.scores.append(self._kept[number])
        else:
            cells = question.cells_on_the_way
            found = self._bench.validation.score(self.trainer.averaged, cells, self._plan)
            if math.isnan(found):
                raise DivergedError
            self.scores.append(found)
            self._bench.store.keep_early(self._number, tuple(self.scores))
        return self.scores[-1]

    def _scored(self) -> FinishedTrial:
        """Scores the weights that the training kept: those with the best validation loss, comparable within a trial."""
        began, question = time.monotonic(), self._bench.store.question
        if not (self._folder / WEIGHTS).is_file():
            raise DivergedError
        predictor = checkpoint.load(self._folder, str(self.trainer.predictor.device))
        found = self._bench.validation.score(predictor, question.cells, self._plan)
        self._scoring = time.monotonic() - began
        if math.isnan(found):
            return FinishedTrial(FAILED, why=f"{question.metric} has no value for its cells.")
        return FinishedTrial(SCORED, found)


def checkpoint_steps(steps: int) -> tuple[int, ...]:
    """Steps of a training at which it is scored; the last step, whose weights are scored anyway, is none."""
    found = sorted({math.ceil(share * steps) for share in CHECKPOINTS})
    return tuple(step for step in found if 0 < step < steps)
