"""Everything that a page knows of one answer."""

from dataclasses import dataclass

from pages.parts.answers import Answer
from pages.parts.trust import Trust
from pages.parts.view import View
from primeflow_core.comparison import Comparison
from primeflow_core.interplay import Interplay


@dataclass(frozen=True)
class Seen:
    """A view with its answer (None: not predicted yet) and what was found out about it, as far as there is a truth."""

    view: View
    answer: Answer | None
    found: Comparison | None
    trust: Trust | None
    interplay: Interplay | None
