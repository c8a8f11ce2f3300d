"""What a split holds out of training, and which of it a model can predict, in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.data.split_file import TEST, TRAIN, VAL
from primeflow_core.data.splits import Split
from primeflow_core.wording import counted

MOST_NAMED = 3


@dataclass(frozen=True)
class Outlook:
    """``predictable`` and ``unpredictable``: conditions that training does not see, by whether it has every part of
    them, in some context, and their context. ``seen_cells``: cells of validation and test whose conditions training
    sees too. ``whole``: how many of the ``combinations`` among the conditions have every part alone in training, in
    the same context. ``vocabulary``: that of training.
    """

    predictable: tuple[Condition, ...]
    unpredictable: tuple[Condition, ...]
    seen_cells: Mapping[str, int]
    combinations: int
    whole: int
    vocabulary: Vocabulary

    @property
    def sentences(self) -> tuple[str, ...]:
        """For instance ``3 of 5 held-out combinations have every part alone in training.``"""
        said = [*self._of_conditions(), *self._of_cells()]
        return tuple(said) or ("Nothing is held out from training.",)

    @property
    def refusal(self) -> str:
        """Why no model can predict any of the held-out conditions; empty where one can, or where there is none."""
        return "" if self.predictable else self.unpredicted

    def _of_conditions(self) -> list[str]:
        said = []
        if self.combinations:
            said.append(
                f"{self.whole} of {counted(self.combinations, 'held-out combination')} {_have(self.whole)} every part "
                "alone in training, in the same context."
            )
        everything = len(self.predictable) + len(self.unpredictable)
        if self.predictable:
            said.append(
                f"A model can predict {len(self.predictable)} of {counted(everything, 'held-out condition')}: training "
                "has every part, in some context."
            )
        return [*said, self.unpredicted] if self.unpredictable else said

    @property
    def unpredicted(self) -> str:
        """For instance ``No model can predict the held-out X: training has no cell of X.``; empty if all can be."""
        if not self.unpredictable:
            return ""
        names = [named(condition) for condition in self.unpredictable]
        missing = dict.fromkeys(name for one in self.unpredictable for name in missing_parts(one, self.vocabulary))
        why = f"no cell of {_some(tuple(missing))}" if missing else "no dose so high"
        return f"No model can predict the held-out {_some(names)}: training has {why}."

    def _of_cells(self) -> list[str]:
        cells = ", ".join(f"{count:,} in {part}" for part, count in self.seen_cells.items() if count)
        if not cells:
            return []
        return [
            f"Cells of conditions that training sees too are held out ({cells}): they tell how well a model fits those "
            "conditions, not whether it predicts new ones."
        ]


def outlook(cells: Cells, split: Split) -> Outlook:
    """What ``split`` holds out of ``cells``; control cells do not count."""
    trained_on = split.conditions(cells, TRAIN)
    seen = np.array([condition in set(trained_on) for condition in cells.conditions])
    control = np.array([condition.is_control for condition in cells.conditions])
    of_part = {part: cells.condition_of[split.indices(cells, part)] for part in (VAL, TEST)}
    held = [cells.conditions[i] for i in np.unique(np.concatenate(list(of_part.values()))) if not (seen | control)[i]]
    counts = {part: int((seen & ~control)[found].sum()) for part, found in of_part.items()}
    return of_conditions(held, trained_on, counts)


def of_conditions(
    held_out: Sequence[Condition], trained_on: Sequence[Condition], seen_cells: Mapping[str, int] | None = None
) -> Outlook:
    """For held-out conditions and those of training."""
    vocabulary, known = Vocabulary.from_conditions(trained_on), set(trained_on)
    predictable = {condition: vocabulary.knows(condition) for condition in held_out}
    combined = [condition for condition in held_out if len(condition.perturbations) > 1]
    return Outlook(
        tuple(condition for condition in held_out if predictable[condition]),
        tuple(condition for condition in held_out if not predictable[condition]),
        seen_cells or {},
        len(combined),
        sum(all(part in known for part in condition.parts) for condition in combined),
        vocabulary,
    )


def missing_parts(condition: Condition, vocabulary: Vocabulary) -> list[str]:
    """Perturbations and covariate values of ``condition`` that no training cell has."""
    values = dict(vocabulary.covariates)
    parts = [part.name for part in condition.perturbations if part.name not in vocabulary.perturbations]
    return parts + [value for column, value in condition.covariates if value not in values.get(column, ())]


def named(condition: Condition) -> str:
    """For instance ``A+B (k562)``."""
    return f"{condition.label} ({condition.context})" if condition.context else condition.label


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else "")
