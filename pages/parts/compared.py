"""Entries side by side: on the same maps, by the same measures, gene by gene."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts import answers
from pages.parts.entries import Shown, cells_of
from pages.parts.headline import labels
from pages.parts.presenting import Step
from pages.parts.saving import offer_figure, offer_table, query_of
from pages.parts.selection import COLUMNS
from pages.parts.trust import Trust, trust_in
from primeflow_core.comparison import Comparison, compared
from primeflow_core.differences import Contrast, Difference, differences
from primeflow_core.errors import PrimeflowError
from primeflow_core.evaluation.differential import FEWEST_CELLS
from primeflow_core.expression import expression_table
from primeflow_core.figures.agreement import Range, agreement_of_entries
from primeflow_core.figures.expression import dot_plot
from primeflow_core.figures.maps import many_maps
from primeflow_core.figures.style import Group
from primeflow_core.findings import Drawn, Finding, Table
from primeflow_core.gene_search import found_genes
from primeflow_core.origin import origin_of
from primeflow_core.prints import agreement as print_agreement
from primeflow_core.prints import expression as print_expression
from primeflow_core.prints import maps as print_maps
from primeflow_core.prints.paper import svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GENES_EACH, MOST_GENES = 6, 30


@dataclass
class SharedMap:
    """Entries on one map: its axes, and number, title and cells of each."""

    axes: tuple[str, str]
    numbers: list[int] = field(default_factory=list)
    entries: list[tuple[str, list[Group]]] = field(default_factory=list)

    @property
    def told(self) -> str:
        return "; ".join(f"{number} {title}" for number, (title, _) in zip(self.numbers, self.entries, strict=True))


@dataclass(frozen=True)
class Joint:
    """The entries of a comparison with what is known of each."""

    entries: Sequence[Shown]

    @property
    def key(self) -> str:
        """Names what is shown."""
        return "/".join(f"{one.name}={one.answer.key if one.answer else ''}" for one in self.entries)

    @property
    def simulated(self) -> bool:
        return self.entries[0].view.simulated

    @property
    def mixed(self) -> bool:
        return len({one.view.simulated for one in self.entries}) > 1

    @property
    def ready(self) -> list[Shown]:
        return [one for one in self.entries if one.answer is not None]

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Of each entry that is ready and has a background, predicted beside measured, by its name."""
        return {one.name: found for one in self.ready if (found := comparison_of(one)) is not None}

    @cached_property
    def trusts(self) -> dict[str, Trust]:
        """Of each whole response that was measured, by the name of the entry."""
        whole = [one for one in self.ready if not one.entry.outline]
        found = {one.name: trust_in(one.view, one.answer, self.comparisons.get(one.name)) for one in whole}
        return {name: trust for name, trust in found.items() if trust is not None}

    @cached_property
    def genes(self) -> list[str]:
        """Genes that all entries have, those that change most in one of them."""
        shared = set.intersection(*(set(one.view.model.manifest.genes) for one in self.entries))
        found = [gene for each in self.comparisons.values() for gene in each.response.most_changed(GENES_EACH)["gene"]]
        return [gene for gene in dict.fromkeys(found) if gene in shared][:MOST_GENES]

    def maps(self) -> list[SharedMap]:
        """One for each set of measured cells."""
        found: dict[tuple[str, ...], SharedMap] = {}
        for one in self.ready:
            if one.drawn is not None and one.placed:
                shared = found.setdefault((*one.view.place_key, one.drawn.name), SharedMap(one.drawn.fitted.axes))
                shared.numbers.append(one.number)
                shared.entries.append((one.entry.title, [Group(group.role, group.points) for group in one.placed]))
        return list(found.values())

    def table(self, genes: Sequence[str]) -> pd.DataFrame:
        """Expression of genes that all entries have, by entry and role."""
        tables = [
            expression_table(one.view.model.manifest.genes, one.columns, genes) for one in self.ready if one.columns
        ]
        return pd.concat(tables, ignore_index=True)

    def contrasts(self) -> list[Contrast]:
        """Each entry's cells against the control cells of its context."""
        found = []
        for one in self.ready:
            cells, known = cells_of(one), one.view.known
            if known is not None and min(len(cells), len(known.controls)) >= FEWEST_CELLS:
                found.append(Contrast(one.name, one.view.model.manifest.genes, cells, known.controls))
        return found


def comparison_of(one: Shown) -> Comparison | None:
    view, answer = one.view, one.answer
    if answer is None or view.known is None:
        return None
    known, genes = view.known, view.model.manifest.genes
    try:
        return pages.kept(
            ("comparison", *view.place_key, view.condition.label, answer.key),
            lambda: compared(answer.prediction.values, view.measured, known, genes),
        )
    except PrimeflowError as error:
        st.warning(plain(f"{one.name}: {error}"))
        return None


def show_maps(joint: Joint) -> None:
    st.subheader("Where the cells lie", anchor=False)
    found = joint.maps()
    if len(found) > 1:
        st.caption("Entries of other cells or models have maps of their own: places on two maps cannot be compared.")
    for place, shared in enumerate(found):
        with st.container(border=True):
            draw_map(joint, shared, place)
            offer_figure("primeflow-compared-maps", partial(printed_map, joint, shared), f"maps-{place}")


def draw_map(joint: Joint, shared: SharedMap, place: int) -> None:
    st.plotly_chart(
        many_maps(shared.entries, shared.axes, shared.numbers, simulated=joint.simulated), key=f"maps-{place}",
        config=pages.FIGURE, alt=f"Maps on the same axes: {shared.told}",
    )  # fmt: skip


def printed_map(joint: Joint, shared: SharedMap) -> "Figure":
    return print_maps.many_maps(shared.entries, shared.axes, shared.numbers, simulated=joint.simulated)


def show_agreement(joint: Joint) -> None:
    st.subheader("How far to trust them", anchor=False)
    if not joint.trusts:
        st.caption("None of these was measured: there is no truth to compare with.")
        return
    with st.container(border=True):
        draw_agreement(joint)
        with st.container(horizontal=True):
            offer_figure(
                "primeflow-compared-agreement", partial(print_agreement.agreement_of_entries, *ranges(joint)), "trusts"
            )
            offer_table("Measures (csv)", partial(measures, joint), "primeflow-compared-measures", "measures-csv")
    with st.expander("The numbers"):
        st.dataframe(measures(joint), hide_index=True, alt="Each entry's measures with floor, ceiling and rivals")


def draw_agreement(joint: Joint) -> None:
    told = "; ".join(f"{name}: {trust.told}" for name, trust in joint.trusts.items())
    st.plotly_chart(
        agreement_of_entries(*ranges(joint)), key="agreement-of-entries", config={"displayModeBar": False}, alt=told
    )


def ranges(joint: Joint) -> tuple[list[tuple[str, Sequence[Range]]], list[int]]:
    """Titles and measures of the entries that were measured, and their numbers."""
    measured = [one for one in joint.ready if one.name in joint.trusts]
    return [(one.entry.title, joint.trusts[one.name].ranges) for one in measured], [one.number for one in measured]


def measures(joint: Joint) -> pd.DataFrame:
    tables = [trust.table().assign(Entry=name) for name, trust in joint.trusts.items()]
    found = pd.concat(tables, ignore_index=True)
    return found[["Entry", *[column for column in found if column != "Entry"]]]


def show_dots(joint: Joint) -> None:
    st.subheader("Genes", anchor=False)
    asked = st.text_input(
        "Genes of the dot plot", "", key="compared_genes", bind="query-params",
        placeholder="Those that change most; or type names, separated by commas or blanks",
    )  # fmt: skip
    genes = chosen_genes(joint, asked)
    if not genes:
        st.caption("No gene changes clearly in any of them.")
        return
    table = joint.table(genes)
    with st.container(border=True):
        st.plotly_chart(
            dot_plot(table, simulated=joint.simulated, value="change"), key="dots", config=pages.FIGURE,
            alt=f"log2 change and share of expressing cells of {len(genes)} genes in each entry",
        )  # fmt: skip
        with st.container(horizontal=True):
            printed = partial(print_expression.dot_plot, table, simulated=joint.simulated, value="change")
            offer_figure("primeflow-compared-genes", printed, "dots")
            offer_table("Expression (csv)", lambda: table, "primeflow-compared-expression", "dots-csv")


def chosen_genes(joint: Joint, asked: str) -> list[str]:
    if not asked.strip():
        return joint.genes
    genes, unknown = found_genes(asked, joint.entries[0].view.model.manifest.genes)
    if unknown:
        st.caption(plain(f"Not among the genes of these models: {', '.join(unknown[:8])}."))
    return list(genes)[:MOST_GENES]


def show_differences(joint: Joint) -> None:
    st.subheader("Differential expression", anchor=False)
    st.caption(
        "Each entry's cells against the control cells of its context: Welch's t test, Benjamini-Hochberg adjusted; "
        "log2 change as Scanpy computes it."
    )
    contrasts = joint.contrasts()
    if not contrasts:
        st.caption("Without control cells there is nothing to compare with.")
        return
    found = answers.result_of(
        ("differences", joint.key), lambda: differences(contrasts), Difference, "genes are being compared"
    )
    if found is None:
        return
    wanted = st.text_input("Show genes", "", key="differences_of", placeholder="All; or type names")
    table = found.table
    if wanted.strip():
        genes, _ = found_genes(wanted, joint.entries[0].view.model.manifest.genes)
        table = table[table["gene"].isin(genes)]
    number, whole = st.column_config.NumberColumn(format="%.2f"), st.column_config.NumberColumn(format="%.0f")
    small = st.column_config.NumberColumn(format="%.2g")
    st.dataframe(
        table.rename(columns={**COLUMNS, "contrast": "Entry", "percent_expressing_other": "% in control"}),
        hide_index=True, height=360, key="differences", alt="Differential expression of each entry",
        column_config={"log2 change": number, "t": number, "p": small, "Adjusted p": small, "% expressing": whole,
                       "% in control": whole},
    )  # fmt: skip
    offer_table("Differential expression (csv)", lambda: found.table, "primeflow-compared-genes", "differences-csv")


def told(joint: Joint) -> str:
    """The take-home: which entry comes closest to its truth, where there is one."""
    names = ", ".join(one.name for one in joint.ready)
    by_place = {name: place for name, trust in joint.trusts.items() if (place := trust.ranges[0].position) is not None}
    if len(by_place) < 2:
        return f"Compared: {names}."
    best = max(by_place, key=lambda name: by_place[name])
    return f"Of {names}, {best} comes closest to what was measured ({by_place[best]:.0%} of the way by MMD over genes)."


def drawn_figures(joint: Joint) -> list[Drawn]:
    found = []
    for shared in joint.maps():
        found.append(drawn("Where the cells lie", partial(printed_map, joint, shared), f"Maps of {shared.told}"))
    if joint.trusts:
        printed = partial(print_agreement.agreement_of_entries, *ranges(joint))
        found.append(drawn("How far to trust them", printed, told(joint)))
    if joint.genes:
        table = joint.table(joint.genes)
        printed = partial(print_expression.dot_plot, table, simulated=joint.simulated, value="change")
        found.append(drawn("Genes", printed, f"log2 change of {', '.join(joint.genes)}"))
    return found


def drawn(title: str, make: Callable[[], "Figure"], alt: str) -> Drawn:
    return Drawn(title, svg(make()), alt)


def finding_of(joint: Joint) -> Finding:
    tables = [Table(f"Genes: {name}", found.response.table) for name, found in joint.comparisons.items()]
    if joint.trusts:
        tables.append(Table("Measures", measures(joint)))
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
    return tuple(dict.fromkeys(label for one in joint.ready for label in labels(one.view, one.answer)))


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
    if joint.genes:
        found.append(Step(f"Genes: {', '.join(joint.genes[:4])} and others.", partial(draw_dots, joint), words))
    return found


def draw_dots(joint: Joint) -> None:
    st.plotly_chart(
        dot_plot(joint.table(joint.genes), simulated=joint.simulated, value="change"), key="dots", config=pages.FIGURE,
        alt=f"log2 change of {', '.join(joint.genes)}",
    )  # fmt: skip
