"""A ranking as a finding for the report, as the steps of a presentation, and as files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import streamlit as st

from pages.parts.rank.figures import chosen_scale, draw_first, draw_next, draw_pairs
from pages.parts.rank.headline import Shown
from pages.parts.shared.pinning import offer_pin
from pages.parts.shared.presenting import Step, offer_presentation
from pages.parts.shared.saving import offer_link, offer_table, query_of
from primeflow_core.figures.interactive.ranking import first_rows
from primeflow_core.report.finding import Finding
from primeflow_core.report.ranking_figures import grid_of, title_of
from primeflow_core.report.ranking_finding import ranking_finding
from primeflow_core.report.ranking_words import labels, take_home
from primeflow_core.screening.screen_file import write_screen

if TYPE_CHECKING:
    pass


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
    return ranking_finding(shown, f"screen?{query_of()}", chosen_scale(shown))


def steps(shown: Shown) -> list[Step]:
    """The first scores, how far to trust them, all pairs, the next experiments; as far as there is something."""
    words = labels(shown)
    found = []
    if not first_rows(shown.table).empty:
        found.append(Step(take_home(shown), partial(draw_first, shown), words))
    trust = shown.ranking.screen.trust
    if trust is not None:
        found.insert(0, Step(trust.lines[0], partial(draw_trust, trust.lines[1:]), words))
    scale = chosen_scale(shown)
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
