"""The conditions of a file in the words of a model, and whether the model can predict them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from primeflow_core.data.conditions import Condition, Perturbation
from primeflow_core.data.gene_names import current_symbol
from primeflow_core.model_store.available_conditions import Catalogue, Covariates, Standing
from primeflow_core.models.checkpoint import Manifest

CONTROL, UNKNOWN, LEFT_OUT = "control", "not known to the model", "not used: its context is none of the model's"
# With these standings the model can predict; with the others it has never seen a part.
_PREDICTABLE = (Standing.TRAINED, Standing.HELD_OUT, Standing.PARTS_SEEN, Standing.PART_ELSEWHERE)
_WORDS = {
    Standing.TRAINED: "known: seen in training",
    Standing.HELD_OUT: "known: held out from training",
    Standing.PARTS_SEEN: "each part known, the combination is new",
    Standing.PART_ELSEWHERE: "known elsewhere: treat as a guess",
}


@dataclass(frozen=True)
class MatchedCondition:
    """A condition of a file, its number of cells, and the model's condition ``meant`` by it (None: there is none)."""

    condition: Condition
    cells: int
    meant: Condition | None
    standing: str


class ConditionMatch:
    """Translates conditions of a file into those of the model of ``manifest``.

    ``stands_for``: covariates of the model by context of the file; cells of other contexts are omitted.
    """

    def __init__(self, manifest: Manifest, stands_for: Mapping[str, Covariates]) -> None:
        self._catalogue = Catalogue(manifest)
        self._stands_for = stands_for
        names = manifest.vocabulary.perturbations
        self._by_symbol = {symbol: name for name in reversed(names) if (symbol := current_symbol(name))}
        self._by_case = {name.casefold(): name for name in reversed(names)}
        self._names = frozenset(names)

    def meant(self, condition: Condition) -> Condition | None:
        """The condition in the model's words; None if it is omitted or the model cannot predict it."""
        covariates = self._stands_for.get(condition.context)
        if covariates is None:
            return None
        parts = [Perturbation(self._name(part.name), part.dose) for part in condition.perturbations]
        found = Condition(tuple(sorted(parts, key=lambda part: part.name)), covariates)
        repeated = len({part.name for part in parts}) < len(parts)
        if repeated or not self._catalogue.vocabulary.knows(found):
            return None
        return found if found.is_control or self._catalogue.standing(found) in _PREDICTABLE else None

    def _name(self, name: str) -> str:
        if name in self._names:
            return name
        return self._by_case.get(name.casefold()) or self._by_symbol.get(current_symbol(name) or "", name)

    def described(self, conditions: Sequence[Condition], cells: Sequence[int]) -> tuple[MatchedCondition, ...]:
        """Every condition of a file with its number of cells."""
        return tuple(self._described(c, int(n)) for c, n in zip(conditions, cells, strict=True))

    def _described(self, condition: Condition, cells: int) -> MatchedCondition:
        meant = self.meant(condition)
        if meant is None:
            left_out = condition.context not in self._stands_for
            return MatchedCondition(condition, cells, None, LEFT_OUT if left_out else UNKNOWN)
        standing = CONTROL if meant.is_control else _WORDS[self._catalogue.standing(meant)]
        return MatchedCondition(condition, cells, meant, standing)


def context_called(words: Sequence[str], known: Sequence[str]) -> str | None:
    """The one of the model's contexts that a file calls by one of ``words``, first word first, whatever their case and
    punctuation; else the one whose parts it all names. Where the model has but one without a name, that."""
    if tuple(known) == ("",):
        return ""
    bare = {_bare(context): context for context in reversed(known)}
    said = [_bare(word) for word in words]
    in_parts = (context for context in known if {_bare(part) for part in context.split(" · ")} <= set(said))
    return next((bare[word] for word in said if word in bare), None) or next(in_parts, None)


def _bare(name: str) -> str:
    """Of ``K-562`` and ``k562`` the same."""
    return "".join(character for character in name.casefold() if character.isalnum())
