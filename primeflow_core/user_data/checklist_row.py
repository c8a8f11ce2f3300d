"""One row of the checklist of a user's file: the question, the answer, and how the user can fix it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from primeflow_core.data.h5ad.wishes import NONE
from primeflow_core.user_data.user_cells import Fixes


class CheckMark(StrEnum):
    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


class Mend(StrEnum):
    """A fix that the user can choose for a row."""

    MATRIX = "which values of the file are read"
    NORMALISE = "bring the values to the log scale"
    GENE_COLUMN = "column with the gene names"
    DISTINCT = "use the first of each repeated name"
    CONDITION = "column with the perturbation"
    UNTREATED = "no cell was treated"
    CONTROL = "label of the control cells"
    SEPARATOR = "what joins the names of a combination"
    NO_DOSE = "leave the doses out"
    COVARIATES = "columns that tell contexts apart"
    CONTEXTS = "which of the model's cells these are"


@dataclass(frozen=True)
class Row:
    """One question, its mark, and the answer in words; ``mends`` lists the fixes to choose from, best first."""

    subject: str
    mark: CheckMark
    text: str
    mends: tuple[Mend, ...] = ()


def mended(fixes: Fixes, mend: Mend) -> Fixes:
    """``fixes`` after a fix that needs no further choice; unchanged after any other."""
    repair = fixes.repair
    if mend is Mend.NORMALISE:
        return replace(fixes, repair=replace(repair, normalise=True))
    if mend is Mend.DISTINCT:
        return replace(fixes, repair=replace(repair, distinct=True))
    if mend is Mend.UNTREATED:
        return replace(fixes, repair=replace(repair, untreated=not repair.untreated))
    return replace(fixes, wishes=replace(fixes.wishes, dose=NONE)) if mend is Mend.NO_DOSE else fixes
