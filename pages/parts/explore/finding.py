"""One answer as a finding for the report, and as the steps of a presentation."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

import pages
from pages.parts.explore.answer_data import Seen
from pages.parts.explore.genes import DRAWN
from pages.parts.explore.headline import labels, take_home
from pages.parts.explore.trust import Trust, draw_trust
from pages.parts.shared import pinning
from pages.parts.shared.answers import Answer
from pages.parts.shared.cell_map import Drawn as DrawnMap
from pages.parts.shared.cell_map import alternative, drawn_map, printed_map, still_map
from pages.parts.shared.presenting import Step
from pages.parts.shared.saving import query_of
from primeflow_core.figures.interactive.genes import ranked_bars
from primeflow_core.figures.interactive.interaction import interaction_scatter
from primeflow_core.figures.paper import agreement as print_agreement
from primeflow_core.figures.paper import genes as print_genes
from primeflow_core.figures.paper.interaction import interaction_scatter as print_interaction
from primeflow_core.figures.paper.paper import svg
from primeflow_core.figures.style import Role
from primeflow_core.prediction.combination_effect import Interplay
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.report.finding import Finding, SavedFigure, Table
from primeflow_core.report.finding_origin import origin_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRESENTED_ROW = 110
SUM_HEADINGS = {"sum_change": "Sum of single effects (log2, log-normalised)"}
METHODS_OF_INTERACTION = (
    "The combination was compared with the sum of the log2 changes of its parts alone. Its size is the length of its "
    "change divided by the length of the sum, both corrected for sampling noise, with a 95 % bootstrap interval over "
    "cells."
)


def offer_pin(seen: Seen) -> None:
    """The button ``Add to report``, which adds the figures, tables and provenance of this answer as they are now."""
    answer = seen.answer
    if answer is not None:
        key = "|".join(("explore", *seen.view.place_key, seen.view.condition.label, answer.key))
        pinning.offer_pin(partial(finding_of, seen, answer), key)


def finding_of(seen: Seen, answer: Answer) -> Finding:
    view, found = seen.view, seen.found
    tables = [Table("Genes", found.response.table)] if found is not None else []
    if seen.trust is not None:
        tables.append(Table("Metrics", seen.trust.table()))
    if seen.interplay is not None:
        tables.append(Table("Combination effect", seen.interplay.summary()))
        tables.append(Table("Combination against the sum", seen.interplay.furthest_first, SUM_HEADINGS))
    origin = origin_of(
        view.model, view.condition, answer.prediction.plan, predicted=len(answer.prediction.values),
        measured=len(view.measured), measured_in=view.own.name if view.own else "",
    )  # fmt: skip
    return Finding(
        take_home(view, answer, found), "response", labels(view, answer), tuple(figures(seen)), tuple(tables),
        f"explore?{query_of()}", (origin,), METHODS_OF_INTERACTION if seen.interplay is not None else "",
    )  # fmt: skip


def figures(seen: Seen) -> list[SavedFigure]:
    found = []
    drawn = map_of(seen)
    if drawn is not None:
        found.append(
            _drawn("Where the cells lie", partial(printed_map, seen.view, drawn), alternative(seen.view, drawn))
        )
    if seen.trust is not None:
        printed = partial(print_agreement.agreement_ranges, seen.trust.ranges)
        found.append(_drawn("How far to trust it", printed, f"Agreement: {seen.trust.told}"))
    if seen.found is not None:
        shown = seen.found.response.most_changed(DRAWN)
        printed = partial(print_genes.ranked_bars, shown, simulated=seen.view.simulated)
        found.append(_drawn("Genes that change most", printed, f"log2 change of {', '.join(shown['gene'])}"))
    if seen.interplay is not None:
        printed = partial(
            print_interaction, *seen.interplay.scatter, role=Role.PREDICTED, simulated=seen.view.simulated
        )
        found.append(_drawn("Against the sum of its parts", printed, seen.interplay.predicted.sentence))
    return found


def steps(seen: Seen) -> list[Step]:
    """One figure a step: the map, the trust, the genes, the combination effect. Steps without a figure are left out."""
    view, answer = seen.view, seen.answer
    words, drawn = labels(view, answer), map_of(seen)
    told = take_home(view, answer, seen.found)
    found = [Step(told, partial(still_map, view, drawn), words)] if drawn is not None else []
    if seen.trust is not None:
        found.append(Step(trust_in_words(seen.trust), partial(draw_trust, seen.trust, PRESENTED_ROW), words))
    if seen.found is not None:
        found.append(Step(genes_in_words(seen.found), partial(draw_genes, seen, seen.found), words))
    if seen.interplay is not None:
        told = seen.interplay.predicted.sentence
        found.append(Step(told, partial(draw_interplay, seen, seen.interplay), words))
    return found


def trust_in_words(trust: Trust) -> str:
    first = trust.ranges[0]
    known = first.position is not None
    place = f", {first.position:.0%} of the way from control cells to a second experiment" if known else ""
    return f"{first.label}: {first.value:.3g}{place}."


def genes_in_words(found: Comparison) -> str:
    return f"The genes that change most: {', '.join(found.response.most_changed(4)['gene'])}."


def draw_genes(seen: Seen, found: Comparison) -> None:
    shown = found.response.most_changed(DRAWN)
    st.plotly_chart(
        ranked_bars(shown, simulated=seen.view.simulated), key="genes", config=pages.FIGURE,
        alt=f"log2 change of {', '.join(shown['gene'])}",
    )  # fmt: skip


def draw_interplay(seen: Seen, found: Interplay) -> None:
    st.plotly_chart(
        interaction_scatter(*found.scatter, role=Role.PREDICTED, simulated=seen.view.simulated),
        key="interaction", config=pages.FIGURE, alt=found.predicted.sentence,
    )  # fmt: skip


def map_of(seen: Seen) -> DrawnMap | None:
    return drawn_map(seen.view, seen.answer, str(st.query_params.get("map", "PCA")))


def _drawn(title: str, make: Callable[[], "Figure"], alt: str) -> SavedFigure:
    return SavedFigure(title, svg(make()), alt)
