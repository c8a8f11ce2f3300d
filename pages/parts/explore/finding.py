"""One answer as a finding for the report, and as the steps of a presentation."""

from functools import partial

import streamlit as st

import pages
from pages.parts.explore.answer_data import Seen
from pages.parts.explore.trust import draw_trust
from pages.parts.shared import pinning
from pages.parts.shared.answers import Answer, prediction_of
from pages.parts.shared.cell_map import drawn_map, still_map
from pages.parts.shared.presenting import Step
from pages.parts.shared.saving import query_of
from primeflow_core.figures.interactive.agreement import SILENT
from primeflow_core.figures.interactive.genes import ranked_bars
from primeflow_core.figures.interactive.interaction import interaction_scatter
from primeflow_core.figures.style import Role
from primeflow_core.prediction.combination_effect import Interplay
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.report.cell_map import DrawnMap
from primeflow_core.report.condition_finding import GENES_DRAWN, ConditionResult, condition_finding
from primeflow_core.report.condition_trust import ConditionTrust
from primeflow_core.report.condition_words import labels, take_home
from primeflow_core.report.finding import Finding

PRESENTED_ROW = 110


def offer_pin(seen: Seen) -> None:
    """The button ``Add to report``, which adds the figures, tables and provenance of this answer as they are now."""
    answer = seen.answer
    if answer is not None:
        key = "|".join(("explore", *seen.view.place_key, seen.view.condition.label, answer.key))
        pinning.offer_pin(partial(finding_of, seen, answer), key)


def finding_of(seen: Seen, answer: Answer) -> Finding:
    result = ConditionResult(seen.view, answer.prediction, seen.found, seen.trust, seen.interplay, map_of(seen))
    return condition_finding(result, f"explore?{query_of()}")


def steps(seen: Seen) -> list[Step]:
    """One figure a step: the map, the trust, the genes, the combination effect. Steps without a figure are left out."""
    view, prediction = seen.view, prediction_of(seen.answer)
    words, drawn = labels(view, prediction), map_of(seen)
    told = take_home(view, prediction, seen.found)
    found = [Step(told, partial(still_map, view, drawn), words)] if drawn is not None else []
    if seen.trust is not None:
        found.append(Step(trust_in_words(seen.trust), partial(draw_trust, seen.trust, PRESENTED_ROW), words))
    if seen.found is not None:
        found.append(Step(genes_in_words(seen.found), partial(draw_genes, seen, seen.found), words))
    if seen.interplay is not None:
        told = seen.interplay.predicted.sentence
        found.append(Step(told, partial(draw_interplay, seen, seen.interplay), words))
    return found


def trust_in_words(trust: ConditionTrust) -> str:
    first = trust.first
    known = first.position is not None
    place = f", {first.position:.0%} of the way from control cells to a second experiment" if known else ""
    silent = f" ({SILENT})" if first.silent else ""
    return f"{first.label}: {first.value:.3g}{place}{silent}."


def genes_in_words(found: Comparison) -> str:
    return f"The genes that change most: {', '.join(found.response.most_changed(4)['gene'])}."


def draw_genes(seen: Seen, found: Comparison) -> None:
    shown = found.response.most_changed(GENES_DRAWN)
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
