"""Which columns of a file say what about its cells."""

from dataclasses import dataclass

CONTROL = "control"
SEPARATOR = "+"


@dataclass(frozen=True)
class Layout:
    """How a file says what each cell is: names of obs columns, the control's label, the separator.

    ``dose`` and ``kind`` (CRISPRa, CRISPRi, drug, ...) name optional columns; ``separator`` None: no combinations.
    """

    condition: str = "condition"
    covariates: tuple[str, ...] = ()
    control: str = CONTROL
    separator: str | None = SEPARATOR
    dose: str | None = None
    kind: str | None = None
