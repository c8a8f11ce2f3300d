"""Which columns of a file say what about its cells."""

from dataclasses import dataclass

CONTROL = "control"
SEPARATOR = "+"


@dataclass(frozen=True)
class Layout:
    """How a file says what each cell is: names of obs columns, the control's label, the separator.

    ``dose`` and ``kind`` (CRISPRa, CRISPRi, drug, ...) name optional columns; ``separator`` None: no combinations.
    ``controls``: further labels or patterns of control cells. ``guides``: whether guides such as ``ZAP70_2`` are read
    as their gene. ``unit``: the unit that doses are converted to; ``unit_column``: where the file gives units.
    """

    condition: str = "condition"
    covariates: tuple[str, ...] = ()
    control: str = CONTROL
    separator: str | None = SEPARATOR
    dose: str | None = None
    kind: str | None = None
    controls: tuple[str, ...] = ()
    guides: bool = False
    unit_column: str | None = None
    unit: str | None = None

    @property
    def control_labels(self) -> tuple[str, ...]:
        return (self.control, *self.controls)
