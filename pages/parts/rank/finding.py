"""A ranking as a finding for the report, as the steps of a presentation, and as files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import streamlit as st

from pages.parts.rank.figures import (
    draw_first,
    draw_next,
    draw_pairs,
    first_told,
    grid_of,
    printed_first,
    printed_pairs,
    scale_of,
    title_of,
)
from pages.parts.rank.headline import COLUMNS, CONTAINS, Shown, heading, labels, take_home, without_trust
from pages.parts.shared.pinning import offer_pin
from pages.parts.shared.presenting import Step, offer_presentation
from pages.parts.shared.saving import offer_link, offer_table, query_of
from primeflow_core.data.conditions import Condition
from primeflow_core.figures.interactive.ranking import first_rows
from primeflow_core.figures.paper.paper import svg
from primeflow_core.report.finding import RANKING, Finding, SavedFigure, Table
from primeflow_core.report.finding_origin import origin_of
from primeflow_core.report.origin import Origin
from primeflow_core.screening.screen_file import write_screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

REPORTED = 50
KEPT = (
    "rank", "rank_low", "rank_high", "perturbation", "target", "standing", "score", "low", "high", "measured_score",
    "sum_score", "genes_up", "genes_down", "interaction", "parts",
)  # fmt: skip
METHODS = (
    "{count}{context} {were} ranked by {unit}. Each was predicted as {cells} cells of each of {seeds} noise seeds,"
    " the same for all candidates; intervals are 95 % over {resamples} bootstrap samples of cells and noise seeds, and "
    "candidates are told apart by paired differences. Predicted changes are measured from the control cells of "
    "training, {truth} ones from control cells that training did not use. {trust}"
)


def show_taking_along(shown: Shown) -> None:
    with st.container(horizontal=True, key="taking-along"):
        key = f"screen-{shown.asked.model.key}-{shown.ranking.key}-{shown.goal.sentence}"
        offer_pin(partial(finding_of, shown), key)
        offer_link()
        offer_presentation()
        name = f"primeflow-ranking-{shown.asked.model.folder.name}"
        offer_table("Ranking (csv)", lambda: shown.table, name, "ranking-csv")
        st.download_button(
            "Ranking (parquet)", partial(parquet_of, shown), f"{name}.parquet", "application/vnd.apache.parquet",
            key="ranking-parquet", icon=":material/download:", on_click="ignore",
            help="With the trust, the next experiments and how it was made; the command `primeflow screen` reads it.",
        )  # fmt: skip


def parquet_of(shown: Shown) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ranking.parquet"
        write_screen(path, shown.ranking.screen)
        return path.read_bytes()


def finding_of(shown: Shown) -> Finding:
    screen = shown.ranking.screen
    tables = [reported(shown)]
    if screen.trust is not None:
        tables.append(Table("How far to trust the ranking", screen.trust.table()[list(COLUMNS)], COLUMNS))
    if len(screen.next):
        tables.append(Table("Next experiments", screen.next))
    order = screen.about["order"]
    first = shown.conditions.get(str(shown.table.iloc[0]["perturbation"]))
    request = shown.asked.request
    origins: tuple[Origin, ...] = ()
    if first is not None and request is not None:
        cells = order["cells"] * len(order["seeds"])
        origins = (origin_of(shown.asked.model, first, request.plan, predicted=cells, measured=0),)
    return Finding(
        f"{heading(shown.goal, shown.asked.noun)} {take_home(shown)}", RANKING, labels(shown),
        tuple(figures(shown)), tuple(tables), f"screen?{query_of()}", origins, methods(shown),
    )  # fmt: skip


def reported(shown: Shown) -> Table:
    """The first of the ranking with what a meeting asks for; files of the ranking hold every column."""
    truth = shown.truth.capitalize()
    contains = shown.containing.map({True: CONTAINS, False: None})
    table = shown.table.assign(measured_score=shown.truths, parts=shown.parts, target=contains)[list(KEPT)]
    headings = {
        "score": f"Predicted score: {shown.axis}", "low": "Score, 95 % from", "high": "to",
        "measured_score": f"{truth} score", "rank_low": "Rank, 95 % from", "rank_high": "to",
    }  # fmt: skip
    return Table("Ranking", table.dropna(axis=1, how="all").head(REPORTED), headings)


def trust_told(shown: Shown) -> str:
    trust, caution = shown.ranking.screen.trust, shown.ranking.screen.caution
    told = " ".join(trust.lines) if trust is not None else without_trust(shown)
    return f"{caution} {told}".strip()


def methods(shown: Shown) -> str:
    order = shown.ranking.screen.about["order"]
    context = Condition((), shown.asked.covariates).context
    return METHODS.format(
        count=shown.asked.counted(shown.ranking.done), were="was" if shown.ranking.done == 1 else "were",
        context=f" in {context}" if context else "", truth=shown.truth,
        unit=shown.unit, cells=order["cells"], seeds=len(order["seeds"]), resamples=order["resamples"],
        trust=trust_told(shown),
    )  # fmt: skip


def figures(shown: Shown) -> list[SavedFigure]:
    found = []
    if not first_rows(shown.table).empty:
        found.append(drawn("The first of the ranking", partial(printed_first, shown), first_told(shown)))
    scale = scale_of(shown)
    grid = grid_of(shown, scale)
    if grid is not None:
        found.append(drawn("All pairs", partial(printed_pairs, shown, grid, scale), title_of(shown, scale)))
    return found


def drawn(title: str, make: "Callable[[], Figure]", alt: str) -> SavedFigure:
    return SavedFigure(title, svg(make()), alt)


def steps(shown: Shown) -> list[Step]:
    """The first scores, how far to trust them, all pairs, the next experiments; as far as there is something."""
    words = labels(shown)
    found = []
    if not first_rows(shown.table).empty:
        found.append(Step(take_home(shown), partial(draw_first, shown), words))
    trust = shown.ranking.screen.trust
    if trust is not None:
        found.insert(0, Step(trust.lines[0], partial(draw_trust, trust.lines[1:]), words))
    scale = scale_of(shown)
    grid = grid_of(shown, scale)
    if grid is not None:
        told = f"All pairs by {title_of(shown, scale).lower()}: {shown.table.iloc[0]['perturbation']} comes first."
        if scale == "interaction":
            told = "All pairs beside the sum of their parts: blue does less, orange more."
        found.append(Step(told, partial(draw_pairs, shown, grid, scale), words))
    table = shown.ranking.screen.next
    if len(table):
        named = ", ".join(table["perturbation"].head(3))
        found.append(
            Step(
                f"Next experiments: {named}.",
                partial(
                    draw_next,
                    shown,
                    table,
                    ("place", "perturbation", "score", "interval", "promising", "uncertain", "different"),
                ),
                words,
            )
        )
    return found


def draw_trust(lines: Sequence[str]) -> None:
    for line in lines:
        st.text(line)
