"""Numbers of the optimisation: what a training does in each step and when it ends."""

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import torch

from primeflow_core.errors import SettingError
from primeflow_core.models.sampling_plan import PRECISIONS

LEAST = MappingProxyType(
    {
        1: ("batch_size", "accumulation", "validation_draws", "patience"),
        0: ("steps", "epochs", "validate_every", "cells_per_condition", "clip", "weight_decay"),
    }
)


OPTIMIZERS = MappingProxyType({"adamw": torch.optim.AdamW, "adam": torch.optim.Adam})


CHOICES = MappingProxyType(
    {"precision": PRECISIONS, "decay": ("constant", "cosine", "plateau"), "optimizer": tuple(OPTIMIZERS)}
)


PLATEAU, PLATEAU_FACTOR = 15, 0.2
"""PerturBench's: after more than so many validations without improvement the learning rate falls to so much of
itself."""


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of the optimisation. A step is one update of the weights, from ``accumulation`` batches.

    ``precision`` of the products: ``float32``, ``bfloat16`` with weights, sums and loss in float32, or ``auto``:
    bfloat16 where the processor multiplies it faster. ``decay`` of the learning rate: ``constant``, ``cosine`` down to
    0 over ``steps``, or ``plateau``: to a fifth at every 16th validation without improvement. ``epochs``: at most so
    many passes over the training cells, 0 for any number. ``composed``: the share of each batch that shows composed
    cells in place of measured ones, see composition/composer.py. ``patience``: validations without improvement before
    the training stops. ``validation_draws``: how often noise is added to each validation cell, always the same noise.
    ``cells_per_condition``: cells of one condition that come one after the other, see batch_order.py; 0: any cells.
    ``validate_every`` 0: once an epoch. ``steps`` 0: for what is known in closed form from statistics of the cells.
    ``clip``: the longest gradient, 0 for any length. ``optimizer``: with ``adam`` the weight decay is part of the
    gradient, with ``adamw`` it is not.
    """

    batch_size: int = 64
    cells_per_condition: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    accumulation: int = 1
    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 5e-5
    weight_decay: float = 0.0
    clip: float = 5.0
    ema: float = 0.999
    composed: float = 0.0
    warmup: int = 100
    decay: Literal["constant", "cosine", "plateau"] = "constant"
    steps: int = 20_000
    epochs: int = 0
    validate_every: int = 250
    validation_draws: int = 4
    patience: int = 12
    save_every: int = 250
    log_every: int = 50

    def __post_init__(self) -> None:
        for least, names in LEAST.items():
            for name in names:
                if getattr(self, name) < least:
                    raise SettingError(f"{name} is {getattr(self, name)}; it must be {least} or more.")
        for name in ("save_every", "log_every", "learning_rate"):
            if getattr(self, name) <= 0:
                raise SettingError(f"{name} is {getattr(self, name)}; it must be above 0.")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise SettingError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}.")
        if not 0 <= self.ema < 1:
            raise SettingError(f"ema is {self.ema}; it must be at least 0 and below 1.")
        if not 0 <= self.composed < 1:
            raise SettingError(f"composed is {self.composed}; it must be at least 0 and below 1.")


def in_steps(config: TrainingConfig, cells: int) -> TrainingConfig:
    """``config`` with what it says of epochs turned into steps, for so many training cells."""
    an_epoch = math.ceil(math.ceil(cells / config.batch_size) / config.accumulation)
    return replace(
        config,
        steps=min(config.steps, config.epochs * an_epoch) if config.epochs else config.steps,
        validate_every=config.validate_every or an_epoch,
    )
