"""A ranking drawn: its first scores, all pairs as a heat map, and which experiments to do next."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts import address
from pages.parts.rank.headline import Shown
from pages.parts.rank.sidebar import key_of
from pages.parts.shared.explore_sidebar import number_in
from pages.parts.shared.saving import offer_figure, offer_table
from primeflow_core.figures.interactive.pairs import PairGrid, Scale, heat_map
from primeflow_core.figures.interactive.ranking import first_rows, ranked_scores
from primeflow_core.report.ranking_figures import (
    first_scores_told,
    grid_of,
    interaction_column,
    printed_first,
    printed_pairs,
    scale_of,
    title_of,
)
from primeflow_core.screening.next_experiments import RULE, next_experiments

if TYPE_CHECKING:
    pass

FEWEST_NEXT, MOST_NEXT = 1, 24
# Height of three lines of reasons, in pixels.
TALL_ROW, ROWS_AT_ONCE = 66, 8
SHOWN: dict[Scale, str] = {"score": "Score", "interaction": "Interaction"}
NEXT = {
    "place": "Place", "perturbation": "Perturbation", "score": "Score", "interval": "95 % interval",
    "why": "Why", "promising": "Promising", "uncertain": "Uncertain", "different": "Different",
    "sum_score": "Sum of its parts",
}  # fmt: skip


def draw_first(shown: Shown) -> None:
    st.plotly_chart(
        ranked_scores(shown.table, shown.axis, shown.truths, simulated=shown.simulated),
        key="ranked-scores", config=pages.FIGURE, alt=first_scores_told(shown),
    )  # fmt: skip


def show_first(shown: Shown) -> None:
    if first_rows(shown.table).empty:
        return
    with st.container(border=True):
        st.subheader("The first of the ranking", anchor=False)
        draw_first(shown)
        offer_figure("primeflow-ranking", partial(printed_first, shown), "ranked-scores")


def chosen_scale(shown: Shown) -> Scale:
    """What the colours of the heat map mean: as chosen, and as the scores are."""
    chosen = st.session_state.get(key_of("colour")) == "interaction" and not shown.ranking.screen.caution
    return scale_of(shown, by_interaction=chosen)


def draw_pairs(shown: Shown, grid: PairGrid, scale: Scale) -> None:
    st.plotly_chart(
        heat_map(
            grid, title_of(shown, scale), scale, simulated=shown.simulated,
            smaller_is_better=not shown.goal.record.larger_is_better,
        ),
        key="all-pairs", config=pages.FIGURE, alt=f"{title_of(shown, scale)} of all pairs of {len(grid.names)} names",
    )  # fmt: skip


def show_pairs(shown: Shown) -> None:
    if grid_of(shown, "score") is None:
        return
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader("All pairs", anchor=False, width="content")
            choose_colour(shown)
        scale = chosen_scale(shown)
        grid = grid_of(shown, scale)
        if grid is None:
            return
        draw_pairs(shown, grid, scale)
        st.caption(plain(pairs_told(shown, grid, scale)))
        offer_figure("primeflow-pairs", partial(printed_pairs, shown, grid, scale), "all-pairs")


def choose_colour(shown: Shown) -> None:
    """Scores or interactions, which are the same where the goal is an interaction, and unknown to a model that never
    saw a combination."""
    if shown.goal.record.share_of_sum or shown.ranking.screen.caution:
        return
    key = key_of("colour")
    if st.session_state.get(key) not in SHOWN:
        st.session_state[key] = "score"
    chosen = st.segmented_control(
        "Colour", list(SHOWN), format_func=SHOWN.__getitem__, required=True, key=key, label_visibility="collapsed",
        width="content",
    )  # fmt: skip
    address.write({"colour": "interaction" if chosen == "interaction" else ""})


def pairs_told(shown: Shown, grid: PairGrid, scale: Scale) -> str:
    told = f"Names in the order of their best pair; a ring marks pairs that were {shown.truth}."
    if scale == "interaction":
        told += (
            f" 1 is the sum of the parts' log2 changes ({parts_told(shown)}): blue does less, orange more; grey where "
            "that sum is no larger than its noise."
        )
    if grid.left_out:
        others = "1 other is" if grid.left_out == 1 else f"{grid.left_out:,} others are"
        told += f" The {len(grid.names)} names of the best pairs; {others} in the table only."
    return told


def parts_told(shown: Shown) -> str:
    """Which parts the interactions of the heat map are beside."""
    if shown.goal.record.share_of_sum and shown.parts.nunique() > 1:
        return f"{shown.truth} alone, or all of a pair predicted where one was not"
    none = interaction_column(shown) != "magnitude"
    return f"predicted, as none was {shown.truth}" if none else f"{shown.truth} alone"


def show_next(shown: Shown) -> None:
    with st.container(border=True, key="next-experiments"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader("Next experiments", anchor=False, width="content")
            count = choose_count(shown)
        table = next_table(shown, count)
        if table.empty:
            st.caption(f"All candidates with a score are already {shown.truth}.")
            return
        st.caption(plain(RULE))
        draw_next(shown, table)
        offer_table("Next experiments (csv)", lambda: table, "primeflow-next-experiments", "next-csv")


def choose_count(shown: Shown) -> int:
    usual = max(FEWEST_NEXT, min(MOST_NEXT, len(shown.ranking.screen.next)))
    key = key_of("next")
    st.session_state[key] = int(number_in(str(st.session_state.get(key)), FEWEST_NEXT, MOST_NEXT, usual))
    count = int(st.number_input("How many", FEWEST_NEXT, MOST_NEXT, key=key, width=140))
    address.write({"next": "" if count == usual else str(count)})
    return count


def next_table(shown: Shown, count: int) -> pd.DataFrame:
    """The screen's own list where that has as many, else as many as are asked for."""
    found = shown.ranking.screen
    if count == len(found.next):
        return found.next
    return pages.kept(
        ("next", shown.ranking.key, count),
        lambda: next_experiments(found.table, found.changes, count, found.goal),
    )


def draw_next(shown: Shown, table: pd.DataFrame, columns: Sequence[str] = tuple(NEXT)) -> None:
    told = table.assign(
        interval=[
            f"{shown.number(low)} to {shown.number(high)}"
            for low, high in zip(table["low"], table["high"], strict=True)
        ]
    )
    wanted = [column for column in columns if column in told and told[column].notna().any()]
    if shown.goal.record.share_of_sum:
        # The sum is 1 for all of them.
        wanted = [column for column in wanted if column != "sum_score"]
    number = st.column_config.NumberColumn(format="%.3f")
    share = st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=1.0, width=105)
    st.dataframe(
        told[wanted].rename(columns=NEXT), hide_index=True,
        alt=f"Next experiments: {', '.join(table['perturbation'])}", placeholder="",
        row_height=TALL_ROW if "why" in columns else None, height="content" if len(told) <= ROWS_AT_ONCE else "auto",
        column_config={
            "Place": st.column_config.NumberColumn(width=50),
            "Score": number, "Sum of its parts": number,
            "Promising": share, "Uncertain": share, "Different": share,
            "Why": st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip
