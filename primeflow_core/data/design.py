"""What can be held out of a file: the tasks that its conditions allow, and which held-out conditions a model can
predict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.data.context_split import FEWEST_CELLS, TEST_SHARE, VAL_SHARE, transferable_contexts
from primeflow_core.data.h5ad.reading import Examined
from primeflow_core.wording import counted

COMBO_FRACTION = 0.7
FEWEST_COMBINATIONS = 3
"""In one context: so many that 70 % of them are a pair, which validation and test share."""
MOST_NAMED = 3


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
        _named(tuple(perturbed)),
        _cells(perturbed),
    )


def tasks_of(examined: Examined) -> tuple[Task, ...]:
    """What can be held out of a file; empty where its conditions are not known."""
    table = examined.table
    if table is None:
        return ()
    counts = np.bincount(table.condition_of, minlength=len(table.conditions)).tolist()
    others = [one.name for one in examined.inspection.possible_contexts if one.with_controls == len(one.values)]
    return tasks(dict(zip(table.conditions, counts, strict=True)), others)


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
        text = f"with {other_contexts[0]!r} as the context: holds out what was perturbed in one that others have too"
        return Task("transfer", text, True, ("--covariates", columns))
    if not contexts:
        return Task("transfer", "no perturbation was measured in two contexts with control cells", False)
    text = (
        f"holds out perturbations in one context that are learned from others; {len(contexts)} contexts share some. "
        f"--context chooses one: {_some(contexts)}"
    )
    return Task("transfer", text, True)


def _named(perturbed: Sequence[Condition]) -> Task:
    if len(perturbed) < 2:
        return Task("named", "there is one perturbed condition only", False)
    example = max(perturbed, key=lambda condition: len(condition.perturbations))
    text = "holds out the conditions that you name, all for test"
    return Task("named", text, True, ("--hold-out", example.label))


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


@dataclass(frozen=True)
class Predictable:
    """Held-out conditions by whether a model can predict them: training has every part of them, in some context."""

    yes: tuple[Condition, ...]
    no: tuple[Condition, ...]

    @property
    def sentence(self) -> str:
        """For instance ``A model can predict 5 of 7 held-out conditions. Not: X, no part of which is in training.``"""
        everything = len(self.yes) + len(self.no)
        if not everything:
            return "No condition is held out from training."
        if not self.no:
            return f"A model can predict {'it' if everything == 1 else f'all {everything}'}: training has every part."
        names = _some([" · ".join(filter(None, (one.label, one.context))) for one in self.no])
        can = f"{len(self.yes)} of " if self.yes else "none of "
        return (
            f"A model can predict {can}{counted(everything, 'held-out condition')}. Not: {names}; a part of it, or its "
            "context, is not in training."
        )


def predictable(held_out: Sequence[Condition], trained_on: Sequence[Condition]) -> Predictable:
    """Sort held-out conditions by whether the vocabulary of a training on ``trained_on`` has them."""
    vocabulary = Vocabulary.from_conditions(trained_on)
    known = tuple(condition for condition in held_out if vocabulary.knows(condition))
    return Predictable(known, tuple(condition for condition in held_out if condition not in known))
