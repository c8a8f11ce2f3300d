"""Doses as files write them: ``10``, ``0,1``, ``1 uM``, ``100nM``, with a unit in the text or in its own column."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from primeflow_core.data.h5ad.drug_lists import listed_drugs
from primeflow_core.errors import ConditionError

_NUMBER = re.compile(r"(?P<number>[+-]?\d*[.,]?\d+(?:[eE][+-]?\d+)?|[+-]?\d+[.,]?)\s*(?P<unit>[A-Za-zµμ%\[(].*)?")
_PLUS = re.compile(r"(?<![\d.][eE])\+")
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")
_MANY_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3}){2,}(\.\d+)?|[1-9]\d{0,2}(,\d{3})+\.\d+")
_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_FAMILIES = {
    "molar": {f"{prefix}m": size for prefix, size in _PREFIXES.items()},
    "mass per volume": {
        f"{prefix}g/{volume}": size / litres
        for prefix, size in _PREFIXES.items()
        for volume, litres in (("l", 1.0), ("ml", 1e-3), ("ul", 1e-6), ("dl", 1e-1))
    },
    "time": {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hr": 3600.0, "hours": 3600.0, "d": 86400.0},
    "radiation": {"gy": 1.0, "mgy": 1e-3, "cgy": 1e-2},
    "share": {"%": 1e-2, "percent": 1e-2, "ppm": 1e-6},
}  # fmt: skip
_NAMES = {
    "molar": "m", "millimolar": "mm", "micromolar": "um", "nanomolar": "nm", "picomolar": "pm", "mol/l": "m",
    "mmol/l": "mm", "umol/l": "um", "nmol/l": "nm", "pmol/l": "pm", "mcm": "um", "mcg/ml": "ug/ml",
}  # fmt: skip
_USUAL = ("uM", "ng/ml", "h", "Gy", "%")
NO_DOSE = ("", "nan", "none", "na", "n/a", "<na>", "null")


class DoseError(ConditionError):
    """A dose column that cannot be read; without it the file can."""


@dataclass(frozen=True)
class Amount:
    """A dose as written; ``unit`` is empty where the text has none."""

    number: float
    unit: str = ""


def dose_texts(text: str) -> list[str]:
    """The doses of a combination, each as text: parts joined by ``+``, or those of a list of drugs."""
    listed = listed_drugs(text)
    return [drug.dose for drug in listed] if listed else [part.strip() for part in _PLUS.split(text)]


def unit_in_name(column: str) -> str:
    """The unit that the name of a column gives, as in ``dose_uM``; empty where it gives none."""
    *before, last = re.split(r"[\s_.()\[\]]+", column.strip(" )]"))
    known = any(unit_key(last) in sizes for sizes in (_FAMILIES["molar"], _FAMILIES["mass per volume"]))
    return last if before and known else ""


def amount_of(text: str, unit: str = "") -> Amount | None:
    """Read one dose, in ``unit`` where the text has none; None for a word for no dose. Raises DoseError otherwise."""
    text = text.strip()
    if text.lower() in NO_DOSE:
        return None
    if _THOUSANDS.fullmatch(text):
        raise DoseError(
            f"{text!r} can mean {text.replace(',', '.')} or {text.replace(',', '')}; write it without a comma."
        )
    if _MANY_THOUSANDS.match(text):
        text = text.replace(",", "")
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise DoseError("a dose is a number above 0, with a unit or without.")
    number = float(found["number"].replace(",", "."))
    if not 0 < number < np.inf:
        raise DoseError("a dose is a number above 0.")
    return Amount(number, (found["unit"] or "").strip() or unit.strip())


def unit_key(unit: str) -> str:
    """A unit without case, blanks and the different signs for micro."""
    plain = re.sub(r"\s+", "", unit.replace("µ", "u").replace("μ", "u")).strip("[]()").lower()
    plain = re.sub(r"(?:perml|\.ml-1|ml\^?-1)$", "/ml", plain)
    return _NAMES.get(plain, plain)


def factor(unit: str, wanted: str) -> float | None:
    """What a number of ``unit`` is multiplied by to be in ``wanted``; None where that cannot be."""
    one, other = unit_key(unit), unit_key(wanted)
    if one == other:
        return 1.0
    sizes = next((sizes for sizes in _FAMILIES.values() if one in sizes and other in sizes), None)
    return None if sizes is None else sizes[one] / sizes[other]


def converted(amount: Amount, wanted: str) -> float:
    """The dose in ``wanted``, or in a usual unit where that cannot be; rounded, so that equal doses are equal."""
    by = 1.0
    if amount.unit and wanted:
        units = (wanted, *_USUAL)
        by = next((found for unit in units if (found := factor(amount.unit, unit)) is not None), 1.0)
    return float(f"{amount.number * by:.9g}")


def commonest(units: Sequence[str], cells: Sequence[int]) -> str | None:
    """The unit of most cells, as written; None where none is given."""
    total: Counter[str] = Counter()
    for unit, number in zip(units, cells, strict=True):
        if unit:
            total[unit] += number
    return total.most_common(1)[0][0] if total else None
