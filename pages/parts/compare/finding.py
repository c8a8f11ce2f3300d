"""A comparison as a finding for the report, and as the steps of a presentation."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

import pages
from pages.parts.compare.entry_data import Joint
from pages.parts.compare.side_by_side import draw_agreement, draw_map, measures, printed_map, ranges
from pages.parts.shared.answers import prediction_of
from pages.parts.shared.presenting import Step
from pages.parts.shared.saving import query_of
from primeflow_core.figures.interactive.expression import dot_plot
from primeflow_core.figures.paper import agreement as print_agreement
from primeflow_core.figures.paper import expression as print_expression
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.condition_words import labels
from primeflow_core.report.finding import Finding, SavedFigure, Table
from primeflow_core.report.finding_origin import origin_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def told(joint: Joint) -> str:
    """The take-home: which entry comes closest to its measured cells, if any were measured."""
    names = ", ".join(one.name for one in joint.ready)
    measure = first_of_all(joint)
    found = {name: one for name, trust in joint.trusts.items() for one in trust.telling if one.label == measure}
    by_place = {name: place for name, one in found.items() if (place := one.position) is not None}
    if len(by_place) < 2:
        return f"Compared: {names}."
    best = max(by_place, key=lambda name: by_place[name])
    truth = "simulated" if joint.simulated else "measured"
    once = " One condition cannot tell which model is better." if one_condition(joint) else ""
    return (
        f"Of {names}, {best} comes closest to the {truth} cells ({by_place[best]:.0%} of the way by {measure}).{once}"
    )


def first_of_all(joint: Joint) -> str:
    """The first metric that can tell for every entry; empty if there is none."""
    labels_of = [[one.label for one in trust.telling] for trust in joint.trusts.values()]
    return next((label for label in (labels_of or [[]])[0] if all(label in others for others in labels_of)), "")


def one_condition(joint: Joint) -> bool:
    """Whether models, weights or seeds are compared, on one condition."""
    return len({one.view.condition for one in joint.ready if one.name in joint.trusts}) == 1


def drawn_figures(joint: Joint) -> list[SavedFigure]:
    found = []
    for shared in joint.maps():
        found.append(drawn("Where the cells lie", partial(printed_map, joint, shared), f"Maps of {shared.told}"))
    if joint.trusts:
        printed = partial(print_agreement.agreement_of_entries, *ranges(joint))
        found.append(drawn("How far to trust them", printed, told(joint)))
    table = joint.table(joint.genes)
    if not table.empty:
        printed = partial(print_expression.dot_plot, table, simulated=joint.simulated, value="change")
        found.append(drawn("Genes", printed, f"log2 change of {', '.join(joint.genes)}"))
    return found


def drawn(title: str, make: Callable[[], "Figure"], alt: str) -> SavedFigure:
    return SavedFigure(title, svg(make()), alt)


def finding_of(joint: Joint) -> Finding:
    tables = [Table(f"Genes: {name}", found.response.table) for name, found in joint.comparisons.items()]
    if joint.trusts:
        tables.append(Table("Metrics", measures(joint)))
    origins = tuple(
        origin_of(
            one.view.model, one.view.condition, one.answer.prediction.plan if one.answer else None,
            predicted=len(one.answer.prediction.values) if one.answer else 0, measured=len(one.view.measured),
            measured_in=one.view.own.name if one.view.own else "",
        )
        for one in joint.ready
    )  # fmt: skip
    return Finding(
        told(joint), "comparison", all_labels(joint), tuple(drawn_figures(joint)), tuple(tables),
        f"compare?{query_of()}", origins,
    )  # fmt: skip


def all_labels(joint: Joint) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for one in joint.ready for label in labels(one.view, prediction_of(one.answer))))


def steps(joint: Joint) -> list[Step]:
    """One figure a step."""
    if joint.mixed or not joint.ready:
        return []
    words = all_labels(joint)
    found = []
    for place, shared in enumerate(joint.maps()):
        found.append(Step(f"On the same axes: {shared.told}.", partial(draw_map, joint, shared, place), words))
    if joint.trusts:
        found.append(Step(told(joint), partial(draw_agreement, joint), words))
    if not joint.table(joint.genes).empty:
        found.append(Step(f"Genes: {', '.join(joint.genes[:4])} and others.", partial(draw_dots, joint), words))
    return found


def draw_dots(joint: Joint) -> None:
    st.plotly_chart(
        dot_plot(joint.table(joint.genes), simulated=joint.simulated, value="change"), key="dots", config=pages.FIGURE,
        alt=f"log2 change of {', '.join(joint.genes)}",
    )  # fmt: skip
