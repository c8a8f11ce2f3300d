"""One trial of a search: its settings, how far it was trained, and its score."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from primeflow_core.models.kinds.ranges import Point

SCORED, PRUNED, DIVERGED, FAILED = "scored", "pruned", "diverged", "failed"
STATES = (SCORED, PRUNED, DIVERGED, FAILED)


@dataclass(frozen=True)
class Trial:
    """``point``: where it lies in the space. ``early``: scores on the way, one of each checkpoint that it came to.

    ``state``: ``scored``; ``pruned``, where its early scores were worse than those of half of the others; ``diverged``,
    where its training or its cells were no numbers; ``failed``, where the settings make no model or the metric has no
    value, with ``why``. ``seconds`` of training and scoring, ``steps`` trained.
    """

    number: int
    point: Point
    state: str
    score: float | None
    early: tuple[float, ...]
    steps: int
    seconds: float
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Trial":
        """Raises DataError or ValueError for anything but what ``to_json`` writes."""
        from primeflow_core.runtime.file_schema import settings_of

        found = Trial(**settings_of(Trial, data, ""))
        if found.state not in STATES or (found.state == SCORED) != isinstance(found.score, float):
            raise ValueError(f"state {found.state!r} with score {found.score!r}")
        return found


def ranked(trials: Sequence[Trial], *, larger_is_better: bool) -> list[Trial]:
    """The scored trials, the best first. Of equal trials the earlier one is first."""
    return [one for one in standing(trials, larger_is_better=larger_is_better) if one.state == SCORED]


def standing(trials: Sequence[Trial], *, larger_is_better: bool) -> list[Trial]:
    """All trials except failed ones, the best first: scored, then pruned (those that ran longer first, then by their
    last early score), then diverged. Of equal trials the earlier one is first."""
    sign = -1.0 if larger_is_better else 1.0

    def place(trial: Trial) -> tuple[float, ...]:
        last = trial.score if trial.score is not None else trial.early[-1] if trial.early else 0.0
        came = len(trial.early) if trial.state == PRUNED else 0
        return STATES.index(trial.state), -came, sign * last, trial.number

    return sorted((trial for trial in trials if trial.state != FAILED), key=place)
