"""Conditions that some models, or all of them, cannot predict, in sentences."""

from collections.abc import Mapping, Sequence

from primeflow_core.benchmark.display_names import family

Refused = Mapping[str, Mapping[str, str]]
"""The held-out conditions that each recipe cannot predict, with the reason, by recipe name."""
MOST_NAMED = 4


def refusals(refused: Refused, recipes: Sequence[str]) -> list[str]:
    """A sentence for each condition: ``No model can predict A+B: B was never measured ...``.

    ``recipes``: all recipes of the benchmark.
    """
    reasons: dict[str, dict[str, str]] = {}
    for recipe, conditions in refused.items():
        for condition, why in conditions.items():
            reasons.setdefault(condition, {})[recipe] = why
    return [_sentence(condition, of_recipe, recipes) for condition, of_recipe in sorted(reasons.items())]


def _sentence(condition: str, reasons: Mapping[str, str], recipes: Sequence[str]) -> str:
    why = next(iter(reasons.values()))
    if set(recipes) <= set(reasons):
        return f"No model can predict {condition}, and none is scored on it: {why}"
    names = list(dict.fromkeys(map(family, reasons)))
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    return f"{listed} cannot predict {condition}: {why}"
