"""What a user says about the obs columns of a file."""

from collections.abc import Sequence
from dataclasses import dataclass

from primeflow_core.data.layout import Layout

NONE = "none"


@dataclass(frozen=True)
class Wishes:
    """What the user says about a file; None: find it. The word ``none`` for separator, dose or kind: there is none.

    ``control``: a label or a pattern, or several. ``unit`` and its column are only given with a known layout.
    """

    condition: str | None = None
    covariates: Sequence[str] | None = None
    control: str | Sequence[str] | None = None
    separator: str | None = None
    dose: str | None = None
    kind: str | None = None
    merge_guides: bool | None = None
    unit_column: str | None = None
    unit: str | None = None

    @property
    def controls(self) -> tuple[str, ...]:
        """The labels and patterns that are told."""
        if self.control is None:
            return ()
        return (self.control,) if isinstance(self.control, str) else tuple(self.control)

    @staticmethod
    def exactly(layout: Layout) -> "Wishes":
        """Nothing is left to find."""
        return Wishes(
            layout.condition, layout.covariates, layout.control_labels if layout.controls else layout.control,
            layout.separator or NONE, layout.dose or NONE, layout.kind or NONE, layout.guides,
            layout.unit_column or NONE, layout.unit,
        )  # fmt: skip
