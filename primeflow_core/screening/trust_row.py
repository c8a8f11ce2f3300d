"""One row of the trust table: how well a ranking agrees with the measured one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class TrustRow:
    """The ranking by ``name``, the model or a baseline, beside the measured one, on as many ``conditions`` as it has a
    score for.

    ``spearman`` and ``hits`` of ``best`` as in RankAgreement; ``hits_low``, ``hits_high`` as a share; ``chance``: hits
    by chance; ``p``: how often chance has so many. ``lead``: by how much the model's correlation on the same conditions
    is higher, 0 for the model. NaN where there is none.
    """

    name: str
    label: str
    conditions: int
    spearman: float
    low: float
    high: float
    hits: float
    best: int
    hits_low: float
    hits_high: float
    chance: float
    p: float
    lead: float
    lead_low: float
    lead_high: float
