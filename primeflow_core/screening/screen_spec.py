"""The specification of a screen: everything that decides its table, and nothing else."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from primeflow_core import __version__
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import CheckpointError, SettingError
from primeflow_core.models import checkpoint
from primeflow_core.models.sampling_plan import MOST_CELLS, SamplingPlan
from primeflow_core.runtime.json_text import parse_json
from primeflow_core.screening.goal import Goal

FEWEST_CELLS, FEWEST_SEEDS = 10, 2
RESAMPLES = 200
SHARDS, LARGEST_SHARD = 48, 64
"""A screen has about 48 shards of at most 64 candidates: small enough to lose one and to spread the work evenly, large
enough that writing one costs little compared with screening it."""


@dataclass(frozen=True)
class ScreenOrder:
    """``candidates`` are ranked; ``checked`` are held-out conditions that were measured, screened too, to show how far
    the ranking can be trusted.

    Each is predicted as ``cells`` cells of every one of ``seeds``, the noise seeds, which all candidates share.
    ``model`` and ``weights``: name and sha256 of the weights; ``reference``: sha256 of the measured cells that scores
    are relative to. ``plan``: how cells are made; its seed is not used. Raises SettingError.
    """

    model: str
    weights: str
    reference: str
    goal: Goal
    candidates: tuple[Condition, ...]
    checked: tuple[Condition, ...]
    cells: int
    seeds: tuple[int, ...]
    plan: SamplingPlan
    resamples: int = RESAMPLES

    def __post_init__(self) -> None:
        if not FEWEST_CELLS <= self.cells <= MOST_CELLS:
            raise SettingError(
                f"A screen makes {FEWEST_CELLS} to {MOST_CELLS:,} cells of a candidate, not {self.cells}."
            )
        if len(set(self.seeds)) != len(self.seeds) or len(self.seeds) < FEWEST_SEEDS:
            raise SettingError(
                f"A screen needs {FEWEST_SEEDS} different noise seeds at least; it was given {self.seeds}."
            )
        if not self.candidates:
            raise SettingError("There is no candidate to screen.")
        if self.goal.record.combinations_only and any(len(c.perturbations) < 2 for c in self.candidates):
            raise SettingError(f"The goal {self.goal.kind} ranks combinations; leave single perturbations out.")

    @cached_property
    def everything(self) -> tuple[Condition, ...]:
        """The checked conditions first, so that trust is known early, then the candidates."""
        return tuple(dict.fromkeys((*self.checked, *self.candidates)))

    @cached_property
    def shards(self) -> tuple[range, ...]:
        """The positions of each shard in ``everything``. They do not depend on the number of workers."""
        count = len(self.everything)
        size = min(LARGEST_SHARD, -(-count // SHARDS))
        return tuple(range(first, min(first + size, count)) for first in range(0, count, size))

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the order and this version of PRiMeFlow: shards of equal fingerprints belong together."""
        said = json.dumps({"primeflow": __version__, **self.to_json()}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in ("model", "weights", "reference", "cells", "resamples")}
        plain |= {name: [one.to_json() for one in getattr(self, name)] for name in ("candidates", "checked")}
        return {**plain, "goal": self.goal.to_json(), "seeds": list(self.seeds), "plan": asdict(self.plan)}

    @staticmethod
    def from_text(text: str) -> "ScreenOrder":
        """Raises PrimeflowError, which says what is wrong, for anything but the JSON of ``to_json``."""
        from primeflow_core.screening.order_schema import OrderFile

        OrderFile.read(text)
        return ScreenOrder.from_json(parse_json(text))

    @staticmethod
    def from_json(data: dict[str, Any]) -> "ScreenOrder":
        given = dict(data)
        for name in ("candidates", "checked"):
            given[name] = tuple(Condition.from_json(one) for one in given[name])
        given["goal"], given["seeds"] = Goal.from_json(given["goal"]), tuple(given["seeds"])
        given["plan"] = SamplingPlan(**given["plan"])
        return ScreenOrder(**given)


def digest(files: Iterable[Path]) -> str:
    """sha256 of the content of some files, one after the other."""
    found = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            found.update(hashlib.file_digest(stream, "sha256").digest())
    return found.hexdigest()


def weights_of(model: Path) -> str:
    """sha256 of the weights in a model's folder, and of its student's. Raises CheckpointError where there are none."""
    weights = model / checkpoint.WEIGHTS
    if not weights.is_file():
        raise CheckpointError(
            f"{model} has no {checkpoint.WEIGHTS} yet: its training has not come to a first result. Resume it."
        )
    return digest(file for file in (weights, model / checkpoint.STUDENT_WEIGHTS) if file.is_file())
