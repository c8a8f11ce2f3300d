"""What a model can predict: contexts, perturbations in each, their doses, and what training saw of each choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate, product

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.gene_names import aliases_of, current_symbol
from primeflow_core.data.gene_search import NameSearch
from primeflow_core.errors import ConditionError
from primeflow_core.models.checkpoint import Manifest

Covariates = tuple[tuple[str, str], ...]
SHORT = 24


class Standing(StrEnum):
    """What training saw of a choice, best known first. The lists on the pages use this order."""

    TRAINED = "measured, in training"
    HELD_OUT = "measured, held out"
    PARTS_SEEN = "each part seen alone"
    PART_ELSEWHERE = "one part never seen alone here"
    PART_UNSEEN = "never measured"
    CHOSEN = "already chosen"


@dataclass(frozen=True)
class PerturbationChoice:
    """A perturbation to choose, and the standing of the condition that it would make."""

    name: str
    standing: Standing

    @property
    def label(self) -> str:
        return f"{self.name} · {self.standing}"

    @property
    def also(self) -> str:
        """``also called MEK6, MKK6``: as many other names as fit; empty if there are none."""
        names = aliases_of(self.name)
        ends = accumulate(len(name) + 2 for name in names)
        shown = [name for name, end in zip(names, ends, strict=True) if end <= SHORT]
        return f"also called {', '.join(shown)}" if shown else ""


class Catalogue:
    """The conditions that the model of ``manifest`` can predict."""

    def __init__(self, manifest: Manifest) -> None:
        self.vocabulary = manifest.vocabulary
        self._trained_on = frozenset(manifest.trained_on)
        self._held_out = frozenset(manifest.held_out)
        self._met = frozenset(part.name for condition in manifest.trained_on for part in condition.perturbations)

    def contexts(self) -> tuple[Covariates, ...]:
        """Combinations of covariate values that have measured cells, sorted; the full product if none is known."""
        known = {condition.covariates for condition in self._trained_on | self._held_out}
        values = [[(column, value) for value in entries] for column, entries in self.vocabulary.covariates]
        return tuple(sorted(known or product(*values), key=lambda covariates: [v.lower() for _, v in covariates]))

    def choices(self, covariates: Covariates, chosen: Sequence[Perturbation] = ()) -> list[PerturbationChoice]:
        """Every perturbation, best known first, then by name. Those in ``chosen`` come last."""
        taken = {part.name for part in chosen}
        found = [
            PerturbationChoice(
                name, Standing.CHOSEN if name in taken else self._best_standing(name, covariates, chosen)
            )
            for name in self.vocabulary.perturbations
        ]
        order = list(Standing)
        return sorted(found, key=lambda choice: (order.index(choice.standing), choice.name.lower()))

    def doses(self, name: str, covariates: Covariates) -> tuple[float, ...]:
        """Doses at which a perturbation was measured in this context, else in any; empty if it has no dose."""
        highest = self.vocabulary.highest_dose[self.vocabulary.perturbations.index(name)]
        if highest is None:
            return ()
        everywhere = self._trained_on | self._held_out
        here = [condition for condition in everywhere if condition.covariates == covariates]
        return _doses(name, here) or _doses(name, everywhere) or (highest,)

    def standing(self, condition: Condition) -> Standing:
        """As ``conditions.novelty``, and whether it was measured. Uses sets, so it is fast for thousands."""
        if condition in self._trained_on or condition.is_control:
            return Standing.TRAINED
        if condition in self._held_out:
            return Standing.HELD_OUT
        if len(condition.perturbations) > 1 and all(part in self._trained_on for part in condition.parts):
            return Standing.PARTS_SEEN
        known = all(part.name in self._met for part in condition.perturbations)
        return Standing.PART_ELSEWHERE if known else Standing.PART_UNSEEN

    def suggestions(self, text: str) -> tuple[str, ...]:
        """Up to three known names close to a name that ``resolve`` does not find."""
        return self._names.suggestions(text)

    def resolve(self, text: str, covariates: Covariates | None = None) -> str:
        """The name of a perturbation as the model writes it, from any name of the gene, in any case.

        Raises ConditionError with a suggestion. With ``covariates`` it says how many the model knows in that context.
        """
        typed = text.strip()
        if found := self._names.find(typed):
            return found
        if found := NameSearch(sorted(self._held_out_names)).find(typed):
            raise ConditionError(held_out_refusal(found))
        symbol = current_symbol(typed)
        near = () if symbol else self.suggestions(typed)
        said = typed if symbol is None or symbol.casefold() == typed.casefold() else f"{typed} ({symbol})"
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConditionError(
            f"{said} is not a perturbation this model knows.{hint} It knows {self._known(covariates)} (see the list)."
        )

    def condition(self, perturbations: Sequence[Perturbation], covariates: Covariates) -> Condition:
        """The condition of the chosen parts. Raises ConditionError if the model cannot predict it."""
        if not perturbations:
            raise ConditionError("Choose a perturbation: the first box is empty.")
        names = [part.name for part in perturbations]
        for name in names:
            if names.count(name) > 1:
                place = "second" if len(names) == 2 else "other"
                what = "a single perturbation" if len(names) == 2 else "a smaller combination"
                raise ConditionError(f"You chose {name} twice. Leave the {place} box empty for {what}.")
        for name in names:
            if name not in self._met:
                raise ConditionError(f"{name} was never measured. The model cannot predict it.")
        condition = Condition(tuple(sorted(perturbations, key=lambda part: part.name)), covariates)
        self.vocabulary.encode([condition])
        return condition

    def seen_elsewhere(self, condition: Condition) -> tuple[str, ...]:
        """For each part that training did not see alone in this context: one sentence on where it was seen."""
        sentences = []
        for part in condition.parts:
            if part in self._trained_on:
                continue
            name = part.perturbations[0].name
            places = [c for c in self._trained_on if name in {p.name for p in c.perturbations}]
            here = sorted(c.label for c in places if c.covariates == condition.covariates)
            contexts = sorted({c.context for c in places})
            where = f"in {_some(here)}" if here else f"in {_some(contexts)} only"
            sentences.append(
                f"{part.label} was not seen alone in {condition.context or 'training'}; it was seen {where}."
            )
        return tuple(sentences)

    @cached_property
    def _held_out_names(self) -> frozenset[str]:
        return frozenset(part.name for condition in self._held_out for part in condition.perturbations)

    @cached_property
    def _names(self) -> NameSearch:
        return NameSearch(self.vocabulary.perturbations)

    def _known(self, covariates: Covariates | None) -> str:
        """How many perturbations training saw, and where, for instance ``105 in k562``."""
        if not covariates:
            return str(len(self.vocabulary.perturbations))
        here = (condition for condition in self._trained_on if condition.covariates == covariates)
        met = {part.name for condition in here for part in condition.perturbations}
        return f"{len(met)} in {Condition((), covariates).context}"

    def _best_standing(self, name: str, covariates: Covariates, chosen: Sequence[Perturbation]) -> Standing:
        """The best standing over the measured doses, because no dose is chosen yet."""
        if name not in self._met:
            return Standing.PART_UNSEEN
        order = list(Standing)
        parts = [Perturbation(name, dose) for dose in self.doses(name, covariates) or (None,)]
        standings = [
            self.standing(Condition(tuple(sorted((*chosen, part), key=lambda p: p.name)), covariates)) for part in parts
        ]
        return min(standings, key=order.index)


def held_out_refusal(name: str) -> str:
    """Of a perturbation or context that has measured cells, none of them in training."""
    return f"{name} was held out of training: the model never saw a cell of it and cannot predict it."


def _doses(name: str, conditions: Sequence[Condition] | frozenset[Condition]) -> tuple[float, ...]:
    parts = (part for condition in conditions for part in condition.perturbations)
    return tuple(sorted({part.dose for part in parts if part.name == name and part.dose is not None}))


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
