"""Choices applied to the values and names of a file while it is read."""

from dataclasses import dataclass

X, RAW = "X", "raw/X"


@dataclass(frozen=True)
class Repair:
    """Choices applied to a file while it is read; the file itself is not changed.

    ``matrix``: where the values are, ``X``, ``raw/X`` or ``layers/NAME``. ``normalise``: whether they are brought to
    the log scale (log1p of values scaled to ``total`` in each cell); None: where they are counts. ``total``: None for
    the median total of the cells that have any. ``gene_column``: the var column with the names of the genes, None for
    the index. ``distinct``: of genes of one name the first is read, cells of one name are numbered. ``untreated``:
    every cell is a control, whatever obs says. ``modality``: the part of a .h5mu that is read. ``metadata``: the sha256
    of the table that describes the cells, where that is another file.
    """

    matrix: str = X
    normalise: bool | None = None
    total: float | None = None
    gene_column: str | None = None
    distinct: bool = False
    untreated: bool = False
    modality: str | None = None
    metadata: str | None = None

    @property
    def accepted(self) -> tuple[str, ...]:
        """Codes of problems that these choices solve."""
        return ("one-condition",) if self.untreated else ()
