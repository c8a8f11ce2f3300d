"""Describes one metric: its question, its computation and its names.

A new metric is a file in ``evaluation/metrics`` and one row in ``evaluation/metrics/registry.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from primeflow_core.evaluation.replicate_input import ReplicateInput
    from primeflow_core.evaluation.score_input import ScoreInput


class Compares(StrEnum):
    """The kind of data that a metric compares."""

    PROFILES = "profiles"
    """Mean and variance of each gene."""
    CELLS = "cells"
    """Distances between single cells."""


class Place(StrEnum):
    """A place that may omit a metric, because it shows a related one."""

    CARD = "model card"
    """The model card, and the held-out scores that pages read from it."""
    EXPLORE = "Explore"
    """The Explore page, its report and its methods text."""


@dataclass(frozen=True)
class Metric:
    """``name``: the column of tables. ``score``: P predicted by Q measured conditions to (P, Q), NaN where there is
    none. ``replicates``: one condition to (B,) values, one for each bootstrap sample of cells.

    ``label``: the title; ``word``: its name within a sentence or a column heading; ``page_label``: next to a figure;
    ``methods``: its name in a methods text; each is the label where it is empty. ``question``: what it answers, in
    plain words. ``limits``: smallest and largest possible value. ``needs_controls``: effects are measured from
    controls, so other controls give another score. ``ranked``: conditions are ranked by it, as in PerturBench's table.
    """

    name: str
    label: str
    question: str
    larger_is_better: bool
    compares: Compares
    score: "Callable[[ScoreInput], np.ndarray]"
    replicates: "Callable[[ReplicateInput], np.ndarray]"
    limits: tuple[float, float] = (-np.inf, np.inf)
    needs_controls: bool = True
    ranked: bool = True
    word: str = ""
    page_label: str = ""
    methods: str = ""
    left_out_of: frozenset[Place] = frozenset()

    def __post_init__(self) -> None:
        for name in ("word", "page_label", "methods"):
            object.__setattr__(self, name, getattr(self, name) or self.label)

    @property
    def rank(self) -> str:
        """The column of its ranks."""
        return f"{self.name}_rank"

    @property
    def direction(self) -> str:
        return f"{self.better} is better"

    @property
    def better(self) -> str:
        return "larger" if self.larger_is_better else "smaller"

    @property
    def arrow(self) -> str:
        return "↑" if self.larger_is_better else "↓"

    @property
    def title(self) -> str:
        """For instance ``MMD GEX (smaller is better)``."""
        return f"{self.label} ({self.direction})"

    @property
    def explanation(self) -> str:
        """Its question, and which values are better."""
        return f"{self.question} {self.direction.capitalize()}."
