"""A bounded, fair queue: sessions take turns, and each session's own entries keep their order."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Limits:
    """How many entries may wait, in all and of one session; ``what`` names one entry in messages."""

    most_waiting: int
    most_of_one: int
    what: str = "prediction"


class FairQueue(Generic[Entry]):
    """Entries of many sessions; its caller holds a lock around every call."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: OrderedDict[str, deque[Entry]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._waiting.values())

    def refusal(self, session: str, wait_seconds: float) -> str:
        """Why the queue takes nothing more of ``session``, for whom all that waits would take so long; else empty."""
        mine = len(self._waiting.get(session, ()))
        if mine >= self._limits.most_of_one:
            return f"You have {self._counted(mine)} waiting already. Cancel one, or wait for it."
        if len(self) >= self._limits.most_waiting:
            verb = "is" if len(self) == 1 else "are"
            return f"{self._counted(len(self))} {verb} waiting already. Try again in about {_about(wait_seconds)}."
        return ""

    def add(self, session: str, entry: Entry) -> None:
        self._waiting.setdefault(session, deque()).append(entry)

    def take(self) -> Entry:
        """The entry whose turn it is; its session goes to the end of the round. The queue must hold one."""
        session, entries = next(iter(self._waiting.items()))
        entry = entries.popleft()
        self._waiting.move_to_end(session)
        if not entries:
            del self._waiting[session]
        return entry

    def remove(self, session: str, entry: Entry) -> None:
        entries = self._waiting[session]
        entries.remove(entry)
        if not entries:
            del self._waiting[session]

    def order(self) -> list[Entry]:
        """Entries in the order they will be taken: one of each session in turn."""
        queues = [list(entries) for entries in self._waiting.values()]
        longest = max((len(queue) for queue in queues), default=0)
        return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]

    def _counted(self, number: int) -> str:
        return f"{number} {self._limits.what}{'' if number == 1 else 's'}"


def _about(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
