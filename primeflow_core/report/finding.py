"""A finding that a user pinned: a sentence, figures, tables, and where they come from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import pandas as pd

from primeflow_core.figures.svg_check import check_svg
from primeflow_core.report.origin import Origin

HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "gene": "Gene",
        "predicted_change": "Predicted change (log2, log-normalised)",
        "sum_change": "Sum of the parts' changes (log2, log-normalised)",
        "measured_change": "Measured change (log2, log-normalised)",
        "predicted_p": "Predicted p (adjusted)",
        "measured_p": "Measured p (adjusted)",
        "expected": "Expected",
        "agrees": "Same direction as measured",
    }
)
"""The titles that readers see for the columns of the core's own tables."""


class LabelRole(StrEnum):
    """The role that a label names; each has the shape and colour that its cells have in figures."""

    PREDICTED = "predicted"
    TRUTH = "truth"
    SIMULATED = "simulated"
    OTHER = "other"


SIMULATED_DATA = "SIMULATED data"
RANKING = "ranking"
_FIRST_WORDS = {"PREDICTED": LabelRole.PREDICTED, "MEASURED": LabelRole.TRUTH, "SIMULATED": LabelRole.TRUTH}


def mark_of(label: str) -> LabelRole:
    """PREDICTED for ``PREDICTED 200 cells``; TRUTH for cells that were measured, or simulated in their stead."""
    if label.startswith(SIMULATED_DATA):
        return LabelRole.SIMULATED
    return _FIRST_WORDS.get(label.split(" ", 1)[0], LabelRole.OTHER)


@dataclass(frozen=True)
class SavedFigure:
    """A finished figure: ``svg`` as prints make it, ``alt`` the words for who does not see it. Raises DataError."""

    title: str
    svg: str
    alt: str

    def __post_init__(self) -> None:
        check_svg(self.svg, self.title)


@dataclass(frozen=True)
class Table:
    """Rows to read and to save; ``headings`` are the columns' names with units where HEADINGS has none."""

    name: str
    frame: pd.DataFrame
    headings: Mapping[str, str] = field(default_factory=dict)

    def heading(self, column: str, *, simulated: bool = False) -> str:
        """``simulated``: what the core calls measured was simulated."""
        usual = HEADINGS.get(column) or column.replace("_", " ")
        if simulated:
            usual = usual.replace("Measured", "Simulated").replace("measured", "simulated")
        return self.headings.get(column) or usual

    @property
    def nbytes(self) -> int:
        return int(self.frame.memory_usage(deep=True).sum())


@dataclass(frozen=True)
class Finding:
    """One view as it was pinned.

    ``title`` is the take-home in one sentence, with its numbers. ``labels`` are words such as ``PREDICTED 200 cells``
    or ``MEASURED 100 cells, held out``. ``link`` is the page and the query that show the view again
    (``explore?model=...``). ``methods`` says how what is special to it was computed. ``note`` is what the reader wrote.
    """

    title: str
    kind: str
    labels: tuple[str, ...]
    figures: tuple[SavedFigure, ...]
    tables: tuple[Table, ...]
    link: str
    origins: tuple[Origin, ...]
    methods: str = ""
    note: str = ""

    @property
    def id(self) -> str:
        """Equal for the same view with the same title, so that pinning twice replaces."""
        return hashlib.sha256(f"{self.link}\n{self.title}".encode()).hexdigest()[:12]

    @property
    def simulated(self) -> bool:
        return any(origin.manifest.simulated for origin in self.origins)

    @property
    def nbytes(self) -> int:
        """The memory that it takes, without the models' descriptions, which are shared."""
        figures = sum(len(drawn.svg) + len(drawn.alt) for drawn in self.figures)
        return figures + sum(table.nbytes for table in self.tables) + len(self.title) + len(self.note)
