"""Describes a goal of a screen: one record that screening, the Rank page and ``screen --help`` read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from primeflow_core.screening.subject import Subject
    from primeflow_core.screening.target_state import TargetState


class Need(Enum):
    """The input that a goal needs in addition to its name."""

    NOTHING = auto()
    TARGET = auto()
    GENE_LISTS = auto()
    ONE_GENE = auto()


class ScoringContext(Protocol):
    """The context in which a goal scores a candidate; ``scoring.Scorer`` is one."""

    @property
    def target(self) -> "TargetState":
        """The measured cells of the target; only for goals that need one."""

    def change_of_wanted(self, subject: "Subject") -> "np.ndarray":
        """(1 + B + S,) mean log2 change of the goal's genes, those to lower counted negative."""

    def magnitudes(self, subject: "Subject") -> "np.ndarray":
        """(1 + B + S,) size of a combination's change as a share of the sum of its parts'."""


@dataclass(frozen=True)
class GoalRecord:
    """A measure that candidates are ranked by.

    ``choice``: words for the list on the page; ``summary``: words for ``--help``; ``unit``: what a score is, for
    headings. ``question``: heading of a ranking, with ``{target}``, ``{wanted}`` or ``{gene}`` where the goal needs
    one. ``score``: (1 + B + S,) scores of a subject: all its cells, B resamples, then each of S noise seeds.
    ``unscored``: why a candidate can have no score; empty where all have one.
    """

    name: str
    choice: str
    summary: str
    question: str
    unit: str
    score: "Callable[[ScoringContext, Subject], np.ndarray]"
    need: Need = Need.NOTHING
    larger_is_better: bool = True
    both_ways: bool = False
    """Whether only the size of a score counts, not its sign."""
    least: float = -math.inf
    most: float = math.inf
    """Bounds of a score, which intervals are cut at."""
    log_scale: bool = True
    """Whether a score depends on the scale of the expression, which axes then name."""
    unscored: str = ""
    combinations_only: bool = False
    share_of_sum: bool = False
    """Whether a score is a share of the sum of the parts, whose own score is then 1."""
    from_changes: bool = False
    """Whether the changes that another screen kept answer it too."""
    control_refused: str = ""
    """The reason why unperturbed cells cannot be the target; empty if they can."""
    aliases: tuple[str, ...] = ()
    """Other names on the command line."""
    listed_under: str = ""
    """The goal that the page lists it under; empty for an entry of its own."""
    way: str = ""
    """Words for the choice between goals that are listed under one entry."""
    way_means: str = ""
    """What that way measures, for the caption below the choice."""

    @property
    def entry(self) -> str:
        """The name of its entry on the page."""
        return self.listed_under or self.name
