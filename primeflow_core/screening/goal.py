"""What a screen looks for: the state, genes, size or interaction that candidates are ranked by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError


class GoalKind(StrEnum):
    """The measure that is ranked by.

    effect: the length of the log2 change against control, freed of noise. target and direction: unbiased energy
    distance to measured cells, and the cosine with their change. genes: mean log2 change of genes to raise, those to
    lower counted negative, targeted ones left out. moves: the log2 change of one gene, either way. synergy and
    suppression: the length of a combination's change as a share of the sum of its parts', large or small.
    """

    EFFECT = "effect"
    TARGET = "target"
    DIRECTION = "direction"
    GENES = "genes"
    MOVES = "moves"
    SYNERGY = "synergy"
    SUPPRESSION = "suppression"


OF_COMBINATIONS = (GoalKind.SYNERGY, GoalKind.SUPPRESSION)
TOWARDS = (GoalKind.TARGET, GoalKind.DIRECTION)
UNITS = {
    GoalKind.EFFECT: "length of the log2 change",
    GoalKind.TARGET: "energy distance to the target",
    GoalKind.DIRECTION: "cosine with the target's change",
    GoalKind.GENES: "mean log2 change, wanted direction",
    GoalKind.MOVES: "log2 change of the gene",
    GoalKind.SYNERGY: "size, as a share of the sum of its parts",
    GoalKind.SUPPRESSION: "size, as a share of the sum of its parts",
}
UNSCORED = {
    GoalKind.DIRECTION: "no gene changes",
    GoalKind.GENES: "they target every gene of the lists themselves",
    GoalKind.MOVES: "they target the gene itself",
    GoalKind.SYNERGY: "the sum of their parts is no larger than its noise",
    GoalKind.SUPPRESSION: "the sum of their parts is no larger than its noise",
}
"""Why a candidate can be without a score; by the other goals all have one."""


@dataclass(frozen=True)
class Goal:
    """``raised`` and ``lowered`` genes for genes, one gene ``raised`` for moves, ``target`` for target and direction.

    Raises SettingError for what does not belong together.
    """

    kind: GoalKind
    raised: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    target: Condition | None = None

    def __post_init__(self) -> None:
        listed = len(self.raised) + len(self.lowered)
        if (self.kind is GoalKind.GENES) != (listed > 0) and self.kind is not GoalKind.MOVES:
            raise SettingError("The goal genes needs genes to raise or to lower, and no other goal takes them.")
        if self.kind is GoalKind.MOVES and (len(self.raised) != 1 or self.lowered):
            raise SettingError("The goal moves asks for one gene.")
        if (self.kind in TOWARDS) != (self.target is not None):
            raise SettingError("The goals target and direction need a target state, and no other goal takes one.")
        if self.kind is GoalKind.DIRECTION and self.target is not None and self.target.is_control:
            raise SettingError(
                "Unperturbed cells do not differ from control cells, so no direction leads to them. Choose a perturbed "
                "state, or the goal target, which asks who comes nearest to unperturbed cells."
            )
        if both := sorted(set(self.raised) & set(self.lowered)):
            raise SettingError(f"{', '.join(both)} cannot be raised and lowered at once. Name it in one list.")

    @property
    def larger_is_better(self) -> bool:
        return self.kind not in (GoalKind.TARGET, GoalKind.SUPPRESSION)

    @property
    def both_ways(self) -> bool:
        """Whether the size of a score is what counts, whatever its sign."""
        return self.kind is GoalKind.MOVES

    @property
    def unit(self) -> str:
        """What a score is, for a heading."""
        return UNITS[self.kind]

    @property
    def sentence(self) -> str:
        """What is asked, as the heading of a ranking; for instance ``Which candidates raise HBG2 and lower CD34?``"""
        target = self.target.label if self.target is not None else ""
        return {
            GoalKind.EFFECT: "Which candidates change the cells most?",
            GoalKind.TARGET: f"Which candidates bring the cells nearest to {target}?",
            GoalKind.DIRECTION: f"Which candidates move the cells in the direction of {target}?",
            GoalKind.GENES: f"Which candidates {_wanted(self.raised, self.lowered)}?",
            GoalKind.MOVES: f"What moves {''.join(self.raised)}?",
            GoalKind.SYNERGY: "Which combinations do more than the sum of their parts?",
            GoalKind.SUPPRESSION: "Which combinations do less than the sum of their parts?",
        }[self.kind]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "target": self.target.to_json() if self.target is not None else None}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Goal":
        target = None if data["target"] is None else Condition.from_json(data["target"])
        return Goal(GoalKind(data["kind"]), tuple(data["raised"]), tuple(data["lowered"]), target)


def _wanted(raised: Sequence[str], lowered: Sequence[str]) -> str:
    asked = (("raise", raised), ("lower", lowered))
    return " and ".join(f"{verb} {_some(genes)}" for verb, genes in asked if genes)


def _some(genes: Sequence[str], most: int = 3) -> str:
    return ", ".join(genes[:most]) + (f" and {len(genes) - most} more" if len(genes) > most else "")
