"""Drugs with their doses as a list in text, as Tahoe-100M writes them: ``[('Dabrafenib', 0.5, 'uM')]``."""

import re
from dataclasses import dataclass

_LIST = re.compile(r"\[\(.+\)\]")
_DRUG = re.compile(r"""\(\s*(['"])(?P<name>.+?)\1\s*,\s*(?P<number>[^,'"]+?)\s*,\s*(['"])(?P<unit>.*?)\4\s*\)""")


@dataclass(frozen=True)
class ListedDrug:
    """One drug of a list, and its dose as a text with its unit."""

    name: str
    dose: str


def listed_drugs(text: str) -> tuple[ListedDrug, ...]:
    """The drugs of a list that is written as text; none where it is not such a list."""
    if not _LIST.fullmatch(text):
        return ()
    return tuple(ListedDrug(found["name"], f"{found['number']} {found['unit']}") for found in _DRUG.finditer(text))
