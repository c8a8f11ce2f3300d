"""All goals that a screen can rank by. A new goal is a file in this folder and a row here."""

from primeflow_core.errors import SettingError
from primeflow_core.screening.goals.direction import DIRECTION
from primeflow_core.screening.goals.effect import EFFECT
from primeflow_core.screening.goals.genes import GENES
from primeflow_core.screening.goals.moves import MOVES
from primeflow_core.screening.goals.record import GoalRecord, Need
from primeflow_core.screening.goals.suppression import SUPPRESSION
from primeflow_core.screening.goals.synergy import SYNERGY
from primeflow_core.screening.goals.target import TARGET

GOALS: tuple[GoalRecord, ...] = (EFFECT, TARGET, DIRECTION, GENES, SYNERGY, SUPPRESSION, MOVES)
"""The goals in the order of the page."""


def goal_records() -> tuple[GoalRecord, ...]:
    return GOALS


def goal_record(name: str) -> GoalRecord:
    """The goal of that name, or of its other name on the command line. Raises SettingError for an unknown name."""
    for record in goal_records():
        if name == record.name or name in record.aliases:
            return record
    raise SettingError(f"{name!r} is not a goal. Goals: {', '.join(each.name for each in goal_records())}.")


def names_needing(need: Need) -> str:
    """For instance ``target, direction``."""
    return ", ".join(record.name for record in goal_records() if record.need is need)


def listed_under(entry: str) -> tuple[GoalRecord, ...]:
    """The goals of one entry of the page's list."""
    return tuple(record for record in goal_records() if record.entry == entry)
