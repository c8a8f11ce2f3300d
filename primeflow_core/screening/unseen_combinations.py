"""A model whose training has no combination: what it may not be asked, and what its rankings of combinations say."""

from collections.abc import Iterable

from primeflow_core.data.conditions import Condition
from primeflow_core.errors import SettingError
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.screening.goals.record import GoalRecord


def caution(manifest: Manifest, candidates: Iterable[Condition]) -> str:
    """What a ranking of ``candidates`` must say; empty where there is no combination, or training has some."""
    if manifest.saw_combinations or all(len(condition.perturbations) < 2 for condition in candidates):
        return ""
    return (
        f"{manifest.name} never saw a combination in training: how parts act together is its guess from single "
        "perturbations. The ranking says nothing about synergy."
    )


def check_goal(goal: GoalRecord, manifest: Manifest) -> None:
    """Raises SettingError for a goal that compares combinations with the sum of their parts, where training has no
    combination to learn the difference from."""
    if goal.share_of_sum and not manifest.saw_combinations:
        raise SettingError(
            f"{manifest.name} never saw a combination in training, so it cannot tell what a combination does beyond "
            f"the sum of its parts: the goal {goal.name} would rank guesses. Rank by another goal, such as effect, "
            "or train on data with combinations."
        )
