"""train() any Predictor: AdamW or Adam, EMA, clipping, accumulation, early stop, resume after a kill at any moment.

Every random draw of a step comes from (seed, stream, step), never from what ran before; so a training that
was killed and resumed from its last saved state takes the same steps as one that was not.
"""

import copy
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from primeflow_core.errors import CheckpointError, DataError, StorageError, UnfitSettingsError
from primeflow_core.models import checkpoint
from primeflow_core.models.composed_cells.composer import Composer, composer
from primeflow_core.models.precision import products
from primeflow_core.models.predictor import Batch, Predictor
from primeflow_core.models.torch_rng import drawing
from primeflow_core.runtime.atomic_files import remove_partial
from primeflow_core.training.batches import CellSource, shuffled
from primeflow_core.training.config import OPTIMIZERS, PLATEAU, PLATEAU_FACTOR, TrainingConfig, in_steps
from primeflow_core.training.training_log import append_line, trim_log
from primeflow_core.training.training_progress import TrainingProgress, progress_of, progress_text

STATE = "training/state.safetensors"
LOG = "training/log.jsonl"
LONGEST_REASON = 200
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What Adam and AdamW keep for each parameter."""
ORDER, DRAWS, DROPOUT, VALIDATION, COMPOSED, PARTNERS = range(6)


@dataclass(frozen=True)
class LogLine:
    """One line of log.jsonl; losses are squared errors of the velocity, mean over genes."""

    step: int
    steps: int
    epoch: float
    loss: float
    validation_loss: float | None
    best_step: int
    gradient_norm: float
    learning_rate: float
    cells_per_second: float
    seconds: float
    seconds_left: float


def seeded(device: torch.device, seed: int, stream: int, index: int) -> torch.Generator:
    """A generator that depends on nothing but its arguments."""
    state = np.random.SeedSequence([seed, stream, index]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


def _check_fits(predictor: Predictor, config: TrainingConfig, epochs: float) -> None:
    if config.steps and not any(True for _ in predictor.parameters()):
        raise UnfitSettingsError(
            f"This model is known in closed form and learns nothing in {config.steps:,} steps. Use 0."
        )
    if idle := predictor.idle(epochs):
        raise UnfitSettingsError(
            f"In {config.steps:,} steps, {epochs:.3g} epochs, one part of this model never learns: {idle}. Train "
            "longer, or set it lower."
        )
    if config.composed and predictor.pairs_with_controls:
        raise UnfitSettingsError(
            "This model learns from pairs with a control cell, and composed cells have none. Use composed=0."
        )


class Trainer:
    """A predictor with its optimiser, averaged weights and progress."""

    def __init__(
        self, predictor: Predictor, train: CellSource, validation: CellSource | None, config: TrainingConfig, seed: int
    ) -> None:
        self.predictor, self.train_cells, self.validation = predictor, train, validation
        self.config, self.seed = in_steps(config, len(train)), seed
        self.averaged = copy.deepcopy(predictor).eval()
        _check_fits(predictor, self.config, self._epochs_in(self.config.steps))
        # An optimiser wants to be given something, and a model in closed form has nothing that learns.
        learned = list(predictor.parameters()) or [torch.nn.Parameter(torch.zeros(0))]
        self.optimizer = OPTIMIZERS[config.optimizer](
            learned, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.progress = TrainingProgress()
        self._composer = self._composer_of(train) if config.composed else None
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, dtype=np.int64))

    def _composer_of(self, train: CellSource) -> Composer:
        return composer(train.cells.subset(train.index), self.seed, scaled=self.predictor.interplay)

    @property
    def epoch(self) -> float:
        return self._epochs_in(self.progress.step)

    def _epochs_in(self, steps: int) -> float:
        return steps * self.config.accumulation / self._batches_per_epoch

    @property
    def _batches_per_epoch(self) -> int:
        return math.ceil(len(self.train_cells) / self.config.batch_size)

    def _batch_rows(self, position: int) -> np.ndarray:
        epoch, batch = divmod(position, self._batches_per_epoch)
        if self._order[0] != epoch:
            draw = np.random.default_rng([self.seed, ORDER, epoch])
            order = shuffled(self.train_cells.condition_of, self.config.cells_per_condition, draw)
            self._order = (epoch, order)
        first = batch * self.config.batch_size
        return self._order[1][first : first + self.config.batch_size]

    def step(self) -> tuple[Tensor, Tensor]:
        """One update of the weights; returns the loss and the norm of the gradient before clipping."""
        self.predictor.train()
        self.optimizer.param_groups[0]["lr"] = self.learning_rate
        learning = self.predictor.learning(self.progress.step, self.epoch)
        total = torch.zeros((), device=self.predictor.device)
        for part in range(self.config.accumulation):
            position = self.progress.step * self.config.accumulation + part
            dropout = seeded(torch.device("cpu"), self.seed, DROPOUT, position).initial_seed()
            draws = seeded(self.predictor.device, self.seed, DRAWS, position)
            batch = self._batch(position)
            with drawing(dropout), products(self.config.precision, self.predictor.device):
                losses = learning.loss(batch, draws)
            loss = losses.float().mean() / self.config.accumulation
            loss.backward(inputs=list(learning.parameters))
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(learning.parameters, self.config.clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self._average()
        return total, norm

    def _batch(self, position: int) -> Batch:
        partners = np.random.default_rng([self.seed, PARTNERS, position])
        return self._with_composed(self.train_cells.batch(self._batch_rows(position), partners), position)

    def _with_composed(self, batch: Batch, position: int) -> Batch:
        count = round(self.config.composed * len(batch.x_1))
        if not count or not self._composer:
            return batch
        draw = np.random.default_rng([self.seed, COMPOSED, position])
        return self.train_cells.replaced(batch, *self._composer.draw(count, draw))

    @property
    def learning_rate(self) -> float:
        step, config = self.progress.step, self.config
        warm = min(1.0, (step + 1) / max(1, config.warmup))
        return config.learning_rate * warm * self._left_of_rate

    @property
    def _left_of_rate(self) -> float:
        step, config = self.progress.step, self.config
        if config.decay == "cosine":
            return 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
        return PLATEAU_FACTOR**self.progress.plateaus if config.decay == "plateau" else 1.0

    @torch.no_grad()
    def _average(self) -> None:
        # A short memory at first: otherwise the average would keep the random start for thousands of steps.
        decay = min(self.config.ema, (1 + self.progress.step) / (10 + self.progress.step))
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.predictor.parameters()), 1 - decay)

    @torch.no_grad()
    def validate(self) -> float | None:
        """Loss of the averaged weights on the validation cells, always with the same noise; None without such cells."""
        if self.validation is None or not len(self.validation):
            return None
        losses = []
        for draw in range(self.config.validation_draws):
            for first in range(0, len(self.validation), 256):
                rows = np.arange(first, min(first + 256, len(self.validation)))
                number = draw * len(self.validation) + first
                draws = seeded(self.predictor.device, self.seed, VALIDATION, number)
                partners = np.random.default_rng([self.seed, VALIDATION, number])
                losses.append(self.averaged.loss(self.validation.batch(rows, partners), draws))
        return float(torch.cat(losses).mean())

    def note(self, validation_loss: float | None, *, due: bool = True) -> bool:
        """Take a validation into account; True when these averaged weights are the ones to keep.

        A validation that is not ``due``, because the training was ended at this step, does not count against the
        patience.
        """
        if validation_loss is None or validation_loss < self.progress.best:
            self.progress.best = math.inf if validation_loss is None else validation_loss
            self.progress.best_step = self.progress.step
            self.progress.validations_since_best = 0
            return True
        if due:
            self.progress.validations_since_best += 1
            self.progress.plateaus += self.progress.validations_since_best % (PLATEAU + 1) == 0
        return False

    @property
    def exhausted(self) -> bool:
        return self.progress.validations_since_best >= self.config.patience

    def save(self, folder: Path) -> None:
        """Write weights, averaged weights, optimiser and progress into one file, replaced as a whole."""
        tensors = {f"model.{name}": tensor for name, tensor in self.predictor.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": tensor for name, tensor in moments.items()}
        checkpoint.write_tensors(folder / STATE, tensors, {"progress": progress_text(self.progress)})

    def restore(self, folder: Path) -> None:
        """Resume from what ``save`` wrote. Raises CheckpointError when the file does not fit this model."""
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "averaged": {}, "optimizer": {}}
        try:
            with safe_open(folder / STATE, framework="pt", device=str(self.predictor.device)) as stored:
                for key in stored.keys():  # noqa: SIM118 (no mapping: it has no iterator)
                    group, _, name = key.partition(".")
                    if group not in groups:
                        raise DataError(f"it has the tensor {key}, which no training state has")
                    groups[group][name] = stored.get_tensor(key)
                self.progress = progress_of((stored.metadata() or {}).get("progress", "{}"))
            self.predictor.load_state_dict(groups["model"])
            self.averaged.load_state_dict(groups["averaged"])
            self._restore_optimizer(groups["optimizer"])
        except (SafetensorError, DataError, OSError, RuntimeError) as error:
            raise CheckpointError(
                f"{folder / STATE} does not fit this model: {_reason(error)}. Delete that file, and the training "
                "starts from the beginning."
            ) from error

    def _restore_optimizer(self, tensors: Mapping[str, Tensor]) -> None:
        """``tensors``: the moments of each parameter by number and name. Raises DataError if they do not fit."""
        parameters = [each for group in self.optimizer.param_groups for each in group["params"]]
        found: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            if not (number.isdecimal() and int(number) < len(parameters) and name in MOMENTS):
                raise DataError(f"it has the tensor optimizer.{key}, which the optimizer of this model does not have")
            if name != "step" and tensor.shape != parameters[int(number)].shape:
                raise DataError(f"the tensor optimizer.{key} has the shape {tuple(tensor.shape)} of another model")
            found[int(number)][name] = tensor
        for place, moments in found.items():
            if missing := [name for name in MOMENTS if name not in moments]:
                raise DataError(f"the tensor optimizer.{place}.{missing[0]} is missing")
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": found})


def _reason(error: Exception) -> str:
    """One line. torch heads a list of what is wrong with a line that says nothing."""
    lines = str(error).splitlines()
    return shorten(lines[min(1, len(lines) - 1)], LONGEST_REASON).rstrip(".: ")


@dataclass
class _Window:
    """Losses since the last log line; kept as tensors so that a GPU is not waited for at every step."""

    started: float
    losses: list[Tensor] = field(default_factory=list)
    cells: int = 0


OnLog = Callable[[LogLine], None]
AskedToEnd = Callable[[], bool]


def train(
    trainer: Trainer,
    folder: Path,
    *,
    minutes: float = math.inf,
    on_log: OnLog | None = None,
    asked_to_end: AskedToEnd | None = None,
) -> TrainingProgress:
    """Train until the steps, the minutes or the patience are used up. Resumes from ``folder`` if it has a state.

    Keeps the best averaged weights in ``folder``/weights.safetensors, the state to resume from and one JSON
    line a log step beside them. Every file is replaced as a whole. ``asked_to_end`` is asked after every step: True
    ends the training there as its last minute would; what it raises ends it with nothing more written. Raises
    StorageError on a full disk, with what is left in ``folder``.
    """
    with telling_what_stands(folder):
        _train(trainer, folder, minutes * 60, on_log, asked_to_end)
    return trainer.progress


@contextmanager
def telling_what_stands(folder: Path) -> Iterator[None]:
    """Make a StorageError say whether ``folder`` can be resumed; a description of what has no weights goes."""
    try:
        yield
    except StorageError as error:
        if (folder / STATE).is_file():
            stands = f"What was saved in {folder} stands: free space, then run the same command with --resume."
        elif (folder / checkpoint.WEIGHTS).is_file():
            stands = f"The best weights so far stand in {folder}: free space; --resume begins from the first step."
        else:
            _clear_beginning(folder)
            stands = "No weights were kept and the folder is as before: free space, then run the same command again."
        raise StorageError(error.errno or 0, error.strerror or "", error.filename, stands) from error


def _clear_beginning(folder: Path) -> None:
    for name in (checkpoint.CONFIG, checkpoint.SPLIT, LOG):
        (folder / name).unlink(missing_ok=True)
    for emptied in ((folder / LOG).parent, folder):
        if emptied.is_dir() and not any(emptied.iterdir()):
            emptied.rmdir()


def _train(
    trainer: Trainer, folder: Path, seconds: float, on_log: OnLog | None, asked_to_end: AskedToEnd | None
) -> None:
    (folder / STATE).parent.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    remove_partial((folder / STATE).parent)
    if (folder / STATE).exists():
        trainer.restore(folder)
    else:
        trainer.predictor.fit_statistics(trainer.train_cells.chunks)
        trainer.averaged.load_state_dict(trainer.predictor.state_dict())
        if not trainer.config.steps:
            _keep_weights(trainer, folder, None)
    trim_log(folder / LOG, trainer.progress.step)
    with torch.random.fork_rng():
        _loop(trainer, folder, seconds, on_log, asked_to_end)


def _loop(
    trainer: Trainer, folder: Path, seconds: float, on_log: OnLog | None, asked_to_end: AskedToEnd | None
) -> None:
    config, progress = trainer.config, trainer.progress
    before = progress.seconds
    started = time.monotonic()
    window = _Window(started)
    last = progress.step >= config.steps or progress.seconds >= seconds
    while not last and not trainer.exhausted:
        loss, norm = trainer.step()
        window.losses.append(loss)
        progress.seconds = before + time.monotonic() - started
        last = progress.step == config.steps or progress.seconds >= seconds
        last = (asked_to_end is not None and asked_to_end()) or last
        validation_loss = None
        due = progress.step % config.validate_every == 0
        if due or last:
            validation_loss = trainer.validate()
            if trainer.note(validation_loss, due=due):
                _keep_weights(trainer, folder, validation_loss)
        if progress.step % config.log_every == 0 or validation_loss is not None or last:
            line = _log_line(trainer, window, norm, validation_loss, seconds)
            append_line(folder / LOG, asdict(line))
            window = _Window(time.monotonic())
            if on_log is not None:
                on_log(line)
        if progress.step % config.save_every == 0 or last or trainer.exhausted:
            trainer.save(folder)


def _keep_weights(trainer: Trainer, folder: Path, validation_loss: float | None) -> None:
    notes = {
        "step": str(trainer.progress.step),
        "validation_loss": "none" if validation_loss is None else f"{validation_loss:.6f}",
    }
    checkpoint.forget_student(folder)
    checkpoint.write_weights(folder, trainer.averaged.state_dict(), notes)


def _log_line(
    trainer: Trainer, window: _Window, norm: Tensor, validation_loss: float | None, seconds: float
) -> LogLine:
    config, progress = trainer.config, trainer.progress
    elapsed = max(time.monotonic() - window.started, 1e-9)
    cells = len(window.losses) * config.accumulation * config.batch_size
    left = (config.steps - progress.step) * elapsed / len(window.losses)
    return LogLine(
        step=progress.step,
        steps=config.steps,
        epoch=round(trainer.epoch, 3),
        loss=float(torch.stack(window.losses).mean()),
        validation_loss=validation_loss,
        best_step=progress.best_step,
        gradient_norm=float(norm),
        learning_rate=trainer.learning_rate,
        cells_per_second=round(cells / elapsed, 1),
        seconds=round(progress.seconds, 1),
        seconds_left=round(max(0.0, min(left, seconds - progress.seconds)), 1),
    )
