"""What can be held out of a file: the tasks that its conditions allow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.conditions import Condition
from primeflow_core.data.context_split import FEWEST_CELLS, TEST_SHARE, VAL_SHARE, transferable_contexts
from primeflow_core.data.h5ad.condition_parsing import ConditionTable
from primeflow_core.data.h5ad.reading import Examined
from primeflow_core.data.held_out_outlook import of_conditions
from primeflow_core.wording import counted

COMBO_FRACTION = 0.7
FEWEST_COMBINATIONS = 3
"""In one context: so many that 70 % of them are a pair, which validation and test share."""
MOST_NAMED, MOST_TRIED = 3, 20
TRANSFERRED = "holds out perturbations in one context that are learned from others"


@dataclass(frozen=True)
class Task:
    """A way to hold something out: its name for ``split --task``, further options, what it does or why it cannot."""

    name: str
    text: str
    possible: bool
    options: tuple[str, ...] = ()


def tasks(cells_of: Mapping[Condition, int], other_contexts: Sequence[str] = ()) -> tuple[Task, ...]:
    """Every task, the most demanding first. ``cells_of`` counts the cells of each condition; ``other_contexts`` are
    columns that could tell contexts apart, with control cells in each, and are not used."""
    perturbed = {condition: count for condition, count in cells_of.items() if not condition.is_control}
    return (
        _combo(tuple(perturbed)),
        _transfer(tuple(cells_of), other_contexts),
        _named(tuple(cells_of)),
        _cells(perturbed),
    )


def tasks_of(examined: Examined) -> tuple[Task, ...]:
    """What can be held out of a file; empty where its conditions are not known."""
    table = examined.table
    if table is None:
        return ()
    counts = np.bincount(table.condition_of, minlength=len(table.conditions)).tolist()
    possible = (one.name for one in examined.inspection.possible_contexts if one.with_controls == len(one.values))
    others = [name for name in possible if transferable_contexts(_within(table, examined.obs[name]))]
    return tasks(dict(zip(table.conditions, counts, strict=True)), others)


def _within(table: ConditionTable, column: pd.Series) -> list[Condition]:
    """The conditions, with ``column`` as one more covariate."""
    values = column.astype(str).to_numpy()[table.rows].tolist()
    return [
        Condition(table.conditions[i].perturbations, (*table.conditions[i].covariates, (str(column.name), value)))
        for i, value in dict.fromkeys(zip(table.condition_of.tolist(), values, strict=True))
    ]


def _combo(perturbed: Sequence[Condition]) -> Task:
    combinations = [condition for condition in perturbed if len(condition.perturbations) > 1]
    if not combinations:
        return Task("combo", "there is no combination of perturbations", False)
    of_context = Counter(condition.covariates for condition in combinations)
    if max(of_context.values()) < FEWEST_COMBINATIONS:
        most = counted(max(of_context.values()), "combination")
        return Task("combo", f"at most {most} in a context, {FEWEST_COMBINATIONS} are needed", False)
    held = sum(int(COMBO_FRACTION * count) for count in of_context.values() if count >= FEWEST_COMBINATIONS)
    known = set(perturbed)
    whole = sum(all(part in known for part in condition.parts) for condition in combinations)
    text = f"holds out {held} of {counted(len(combinations), 'combination')}; of {whole} every part was measured alone"
    return Task("combo", text, True)


def _transfer(conditions: Sequence[Condition], other_contexts: Sequence[str]) -> Task:
    contexts = transferable_contexts(conditions)
    if not contexts and other_contexts:
        columns = ",".join((*(name for name, _ in conditions[0].covariates), other_contexts[0]))
        text = f"with the column {other_contexts[0]!r} as a context: {TRANSFERRED}"
        return Task("transfer", text, True, ("--covariates", columns))
    if not contexts:
        return Task("transfer", "no perturbation was measured in two contexts with control cells", False)
    text = f"{TRANSFERRED}; {len(contexts)} contexts share some, and --context chooses one of them: {_some(contexts)}"
    return Task("transfer", text, True)


def _named(conditions: Sequence[Condition]) -> Task:
    example = _example(conditions)
    if example is None:
        return Task("named", "no condition could be predicted once it is held out: each has a part of its own", False)
    alike = [one for one in conditions if one.perturbations == example.perturbations]
    where = [f"{name}={value}" for name, value in example.covariates] if len(alike) > 1 else []
    options = ("--hold-out", example.label, *(word for value in where for word in ("--covariate", value)))
    return Task(
        "named", f"holds out the conditions that you name, such as {example.label}, all for test", True, options
    )


def _example(conditions: Sequence[Condition]) -> Condition | None:
    """A condition that a model can predict without having seen it, a combination if there is one."""
    times = Counter(part.name for condition in conditions for part in condition.perturbations)
    spared = [c for c in conditions if not c.is_control and all(times[part.name] > 1 for part in c.perturbations)]
    spared.sort(key=lambda condition: -len(condition.perturbations))
    others = {one: [condition for condition in conditions if condition != one] for one in spared[:MOST_TRIED]}
    return next((one for one, rest in others.items() if of_conditions([one], rest).predictable), None)


def _cells(perturbed: Mapping[Condition, int]) -> Task:
    fewest = FEWEST_CELLS / VAL_SHARE
    ample = sum(count >= fewest for count in perturbed.values())
    if not ample:
        return Task("cells", f"no condition has {fewest:.0f} cells", False)
    text = (
        f"holds out {TEST_SHARE:.0%} of the cells of {counted(ample, 'condition')}; training sees the conditions, so "
        "this checks how well a model fits them, not whether it predicts new ones"
    )
    return Task("cells", text, True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
