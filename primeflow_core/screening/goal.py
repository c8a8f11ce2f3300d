"""The goal of a screen: a goal of ``goals.registry`` with the target state or the genes that it needs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError
from primeflow_core.screening.goals.record import GoalRecord, Need
from primeflow_core.screening.goals.registry import goal_record


@dataclass(frozen=True)
class Goal:
    """``kind``: the name of a record. ``raised`` and ``lowered``: genes; a goal for one gene has it in ``raised``.
    ``target``: the state to come near to.

    Raises SettingError for an unknown goal, and for what does not belong together.
    """

    kind: str
    raised: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    target: Condition | None = None

    def __post_init__(self) -> None:
        _check_genes(self)
        _check_target(self)

    @property
    def record(self) -> GoalRecord:
        return goal_record(self.kind)

    @property
    def sentence(self) -> str:
        """The question, as the heading of a ranking; for instance ``Which candidates raise HBG2 and lower CD34?``"""
        target = self.target.label if self.target is not None else ""
        wanted = _wanted(self.raised, self.lowered)
        return self.record.question.format(target=target, wanted=wanted, gene="".join(self.raised))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "target": self.target.to_json() if self.target is not None else None}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Goal":
        target = None if data["target"] is None else Condition.from_json(data["target"])
        return Goal(data["kind"], tuple(data["raised"]), tuple(data["lowered"]), target)


def _check_genes(goal: Goal) -> None:
    need, listed = goal.record.need, len(goal.raised) + len(goal.lowered)
    if need is Need.ONE_GENE and (len(goal.raised) != 1 or goal.lowered):
        raise SettingError(f"The goal {goal.kind} asks for one gene.")
    if need is Need.GENE_LISTS and not listed:
        raise SettingError(f"The goal {goal.kind} needs genes to raise or to lower.")
    if need in (Need.NOTHING, Need.TARGET) and listed:
        raise SettingError(f"The goal {goal.kind} takes no genes to raise or to lower.")
    if both := sorted(set(goal.raised) & set(goal.lowered)):
        raise SettingError(f"{', '.join(both)} cannot be raised and lowered at once. Name it in one list.")


def _check_target(goal: Goal) -> None:
    record = goal.record
    if record.need is Need.TARGET and goal.target is None:
        raise SettingError(f"The goal {goal.kind} needs a target state.")
    if record.need is not Need.TARGET and goal.target is not None:
        raise SettingError(f"The goal {goal.kind} takes no target state.")
    if record.control_refused and goal.target is not None and goal.target.is_control:
        raise SettingError(record.control_refused)


def _wanted(raised: Sequence[str], lowered: Sequence[str]) -> str:
    asked = (("raise", raised), ("lower", lowered))
    return " and ".join(f"{verb} {_some(genes)}" for verb, genes in asked if genes)


def _some(genes: Sequence[str], most: int = 3) -> str:
    return ", ".join(genes[:most]) + (f" and {len(genes) - most} more" if len(genes) > most else "")
