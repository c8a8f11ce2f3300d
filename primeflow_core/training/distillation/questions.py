"""The conditions that a student is trained on: those of training and others of the same parts, at every guidance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.models.flow.student import HIGHEST_GUIDANCE

MET_IN_TRAINING = 0.4
UNGUIDED = 0.25
PARTS = (1, 2, 3)
PARTS_SHARE = (0.2, 0.6, 0.2)
"""The share of each number of parts, for conditions that training did not see. The app asks for one to three."""


@dataclass(frozen=True)
class GuidedCondition:
    """A condition and a guidance weight from 1 to 5."""

    condition: Condition
    guidance: float


def question(trained_on: Sequence[Condition], draw: np.random.Generator) -> GuidedCondition:
    """A random question about the perturbations and contexts of ``trained_on``."""
    met = draw.random() < MET_IN_TRAINING
    condition = trained_on[int(draw.integers(len(trained_on)))] if met else _combination(trained_on, draw)
    guidance = 1.0 if draw.random() < UNGUIDED else float(draw.uniform(1, HIGHEST_GUIDANCE))
    return GuidedCondition(condition, guidance)


def _combination(trained_on: Sequence[Condition], draw: np.random.Generator) -> Condition:
    """Random parts, each at a dose it had, in a random context."""
    known: dict[str, list[Perturbation]] = {}
    for condition in trained_on:
        for part in condition.perturbations:
            known.setdefault(part.name, []).append(part)
    names = sorted(known)
    count = min(len(names), int(draw.choice(PARTS, p=PARTS_SHARE)))
    chosen = [known[names[i]] for i in sorted(draw.choice(len(names), count, replace=False).tolist())]
    parts = tuple(options[int(draw.integers(len(options)))] for options in chosen)
    return Condition(parts, trained_on[int(draw.integers(len(trained_on)))].covariates)
