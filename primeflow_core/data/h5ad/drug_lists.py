"""Drugs with their doses as a list in text, as Tahoe-100M writes them: ``[('Dabrafenib', 0.5, 'uM')]``."""

import ast
from dataclasses import dataclass
from typing import Any

LONGEST = 2_000


@dataclass(frozen=True)
class ListedDrug:
    """One drug of a list, and its dose as a text with its unit."""

    name: str
    dose: str


def listed_drugs(text: str) -> tuple[ListedDrug, ...]:
    """The drugs of a list that is written as text; none where it is not such a list, from its first to its last."""
    if not text.startswith("[(") or len(text) > LONGEST:
        return ()
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # what it raises for other text
        return ()
    if not isinstance(found, list) or not all(map(_is_drug, found)):
        return ()
    return tuple(ListedDrug(name, f"{dose} {unit}") for name, dose, unit in found)


def _is_drug(entry: Any) -> bool:
    if not isinstance(entry, tuple) or len(entry) != 3:
        return False
    name, dose, unit = entry
    return isinstance(name, str) and bool(name) and isinstance(unit, str) and type(dose) in (int, float)
