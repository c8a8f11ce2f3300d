"""The address of the app at which a stored ranking is shown."""

from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.errors import ConditionError
from primeflow_core.screening.candidates import LABEL
from primeflow_core.screening.goals.record import Need
from primeflow_core.screening.screen_file import Screen


def address_of(found: Screen) -> dict[str, str]:
    """What a link to a stored ranking says; empty for one without candidates."""
    if found.table.empty:
        return {}
    goal, order, first = found.goal, found.about["order"], found.table.iloc[0]
    need = goal.record.need
    said = {
        "context": Condition((), tuple((name, str(first[name])) for name in found.covariates)).context,
        "goal": goal.record.entry,
        "by": goal.kind if need is Need.TARGET else "",
        "target": goal.target.label if goal.target is not None else "",
        "gene": goal.raised[0] if need is Need.ONE_GENE else "",
        "raise": " ".join(goal.raised) if need is Need.GENE_LISTS else "",
        "lower": " ".join(goal.lowered),
        "rank": "pairs" if is_combination(str(first[LABEL])) else "singles",
        "cells": str(order["cells"]),
        "seed": str(min(order["seeds"])),
        "w": f"{order['plan']['guidance']:g}",
    }
    return {name: text for name, text in said.items() if text}


def is_combination(label: str) -> bool:
    try:
        return len(parse_perturbations(label)) > 1
    except ConditionError:
        return False
