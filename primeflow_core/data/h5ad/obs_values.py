"""An obs column as text, whatever it is stored as."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primeflow_core.data.control_labels import key_of
from primeflow_core.data.h5ad.drug_lists import listed_drugs
from primeflow_core.data.h5ad.issues import Problem, Severity


@dataclass(frozen=True)
class ObsColumn:
    """An obs column as text: its values in order of appearance, and for each cell the index of its value (-1: none)."""

    name: str
    values: tuple[str, ...]
    codes: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """(N,) text; empty where the cell has no value."""
        return np.array([*self.values, ""], dtype=object)[self.codes]

    @property
    def counts(self) -> dict[str, int]:
        """The number of cells with each value."""
        numbers = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        return dict(zip(self.values, numbers.tolist(), strict=True))


def column(obs: pd.DataFrame, name: str) -> ObsColumn:
    """Categories, text and numbers alike; missing and blank values get code -1, whole floats lose their ``.0``."""
    raw, distinct = pd.factorize(obs[name])
    texts = [_text(value) for value in distinct]
    values = tuple(dict.fromkeys(text for text in texts if text))
    position = {text: i for i, text in enumerate(values)}
    lookup = np.array([*(position.get(text, -1) for text in texts), -1], dtype=np.int64)
    return ObsColumn(name, values, lookup[raw])


def _text(value: object) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def shown(names: Sequence[str], most: int = 12) -> str:
    """The first of several names."""
    listed = ", ".join(str(name) for name in names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


def shown_counts(counts: dict[str, int], most: int = 8) -> str:
    """Values with their numbers of cells, for instance ``Control (20), CONTROL (20)``."""
    return shown([f"{name} ({count:,})" for name, count in counts.items()], most)


def spellings(found: ObsColumn, is_known: Callable[[str], bool]) -> list[Problem]:
    """A warning where values differ only by case, blanks or underscores, other than those that are known to be one."""
    by_key: dict[str, list[str]] = {}
    for value in found.values:
        if not is_known(value) and not listed_drugs(value):
            by_key.setdefault(key_of(value), []).append(value)
    several = [value for values in by_key.values() if len(values) > 1 for value in values]
    if not several:
        return []
    counts = found.counts
    text = (
        f"Values of obs column {found.name!r} differ only in spelling and are read as different: "
        f"{shown_counts({value: counts[value] for value in several})}."
    )
    return [Problem(Severity.WARNING, "spellings", text, "Write them alike if they mean the same.")]
