"""One predicted condition as a finding for the report: its sentence, figures, tables and methods."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from primeflow_core.figures.paper import agreement as print_agreement
from primeflow_core.figures.paper import genes as print_genes
from primeflow_core.figures.paper.interaction import interaction_scatter as print_interaction
from primeflow_core.figures.paper.paper import svg
from primeflow_core.figures.style import Role
from primeflow_core.prediction.combination_effect import Interplay
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.prediction.prediction_job import Prediction
from primeflow_core.report.cell_map import DrawnMap, alternative, printed_map
from primeflow_core.report.condition_trust import ConditionTrust
from primeflow_core.report.condition_view import ConditionView
from primeflow_core.report.condition_words import labels, take_home
from primeflow_core.report.finding import Finding, SavedFigure, Table
from primeflow_core.report.finding_origin import origin_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GENES_DRAWN = 16
SUM_HEADINGS = {"sum_change": "Sum of single effects (log2, log-normalised)"}
METHODS_OF_INTERACTION = (
    "The combination was compared with the sum of the log2 changes of its parts alone. Its size is the length of its "
    "change divided by the length of the sum, both corrected for sampling noise, with a 95 % bootstrap interval over "
    "cells."
)


@dataclass(frozen=True)
class ConditionResult:
    """A predicted condition and what it was compared with; None where nothing can be compared or drawn."""

    view: ConditionView
    prediction: Prediction
    found: Comparison | None
    trust: ConditionTrust | None
    interplay: Interplay | None
    drawn: DrawnMap | None


def condition_finding(result: ConditionResult, link: str) -> Finding:
    """``link``: the page and the query that show the same view in the app. Raises DataError for a broken figure."""
    view, prediction, found = result.view, result.prediction, result.found
    tables = [Table("Genes", found.response.table)] if found is not None else []
    if result.trust is not None:
        tables.append(Table("Metrics", result.trust.table()))
    if result.interplay is not None:
        tables.append(Table("Combination effect", result.interplay.summary()))
        tables.append(Table("Combination against the sum", result.interplay.furthest_first, SUM_HEADINGS))
    origin = origin_of(
        view.model, view.condition, prediction.plan, predicted=len(prediction.values), measured=len(view.measured),
        measured_in=view.own.name if view.own else "",
    )  # fmt: skip
    return Finding(
        take_home(view, prediction, found), "response", labels(view, prediction), tuple(_figures(result)),
        tuple(tables), link, (origin,), METHODS_OF_INTERACTION if result.interplay is not None else "",
    )  # fmt: skip


def _figures(result: ConditionResult) -> list[SavedFigure]:
    found, view = [], result.view
    if result.drawn is not None:
        printed = partial(printed_map, view, result.drawn)
        found.append(_drawn("Where the cells lie", printed, alternative(view, result.drawn)))
    if result.trust is not None:
        printed = partial(print_agreement.agreement_ranges, result.trust.ranges)
        found.append(_drawn("How far to trust it", printed, f"Agreement: {result.trust.told}"))
    if result.found is not None:
        shown = result.found.response.most_changed(GENES_DRAWN)
        printed = partial(print_genes.ranked_bars, shown, simulated=view.simulated)
        found.append(_drawn("Genes that change most", printed, f"log2 change of {', '.join(shown['gene'])}"))
    if result.interplay is not None:
        printed = partial(print_interaction, *result.interplay.scatter, role=Role.PREDICTED, simulated=view.simulated)
        found.append(_drawn("Against the sum of its parts", printed, result.interplay.predicted.sentence))
    return found


def _drawn(title: str, make: Callable[[], "Figure"], alt: str) -> SavedFigure:
    return SavedFigure(title, svg(make()), alt)
