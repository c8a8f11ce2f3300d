"""The ranking as a table: filters, scores with their intervals, and what can be done with chosen rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts import address
from pages.parts.rank.headline import Shown, left_without
from pages.parts.rank.sidebar import key_of
from pages.parts.shared import answers, entries
from pages.parts.shared.entries import Entry
from primeflow_core.data.conditions import Condition
from primeflow_core.model_store.available_conditions import Standing
from primeflow_core.prediction.prediction_job import PredictionRequest
from primeflow_core.report.condition_link import BOXES
from primeflow_core.report.ranking_words import CONTAINS

GUESS = "a guess"
KNOWN = {
    Standing.TRAINED: "in training",
    Standing.HELD_OUT: "held out",
    Standing.PARTS_SEEN: "parts seen",
    Standing.PART_ELSEWHERE: GUESS,
    Standing.PART_UNSEEN: GUESS,
}
BADGES = {
    "in training": "● in training",
    "held out": "◉ held out",
    "parts seen": "◆ each part seen",
    GUESS: "? a guess",
}
BETWEEN = ","
HEIGHT, FEW = 460, 12
NARROWEST, WIDEST = 100, 210


def known_of(standing: str) -> str:
    """How well a candidate is known, in a word or two."""
    return KNOWN.get(Standing(standing), GUESS)


def show_ranking(shown: Shown) -> None:
    st.subheader("The ranking", anchor=False)
    if without := left_without(shown):
        st.text(without)
    rows = filtered(shown, *choose_filters(shown))
    if rows.empty:
        st.info("No rows match. Relax the filters above.", icon=":material/filter_alt_off:")
        return
    key = f"ranked-{shown.ranking.key}-{hash(tuple(rows.index))}"
    with st.container(key="ranking-table"):
        event = st.dataframe(
            readable(rows, shown), hide_index=True, height=HEIGHT if len(rows) > FEW else "auto", key=key,
            column_config=columns(shown), on_select="rerun", selection_mode="multi-row",
            alt=f"Ranking of {shown.asked.counted(len(rows))}", placeholder="",
        )  # fmt: skip
    few = f"{len(rows):,} of {shown.asked.counted(len(shown.table))}. " if len(rows) < len(shown.table) else ""
    st.caption(plain(f"{few}{explanation(shown)}"))
    if sums := sums_told(shown):
        st.caption(plain(sums))
    show_actions(shown, chosen(rows, event, shown))


def choose_filters(shown: Shown) -> tuple[str, list[str], list[str], bool]:
    """Text, how well known, kinds of interaction, and whether only those that cannot be told from the first."""
    known = list(dict.fromkeys(map(known_of, shown.table["standing"])))
    truth = [shown.truth, f"not {shown.truth}"]
    kinds = sorted(kind for kind in set(shown.table["interaction"]) if kind)
    with st.container(horizontal=True, vertical_alignment="bottom", key="ranking-filters"):
        text = st.text_input("Find", key=key_of("find"), placeholder="A name, or names with blanks between", width=260)
        wanted = pills("How well known", [*known, *truth], "known")
        kind = pills("Interaction", kinds, "kinds") if len(kinds) > 1 else []
        st.session_state[key_of("top")] = bool(st.session_state.get(key_of("top")))
        top = st.toggle(
            "Cannot be told from the first", key=key_of("top"), help="Only candidates whose score may be the best."
        )
    address.write({"find": text, "known": BETWEEN.join(wanted), "kinds": BETWEEN.join(kind), "top": "1" if top else ""})
    return text, wanted, kind, top


def pills(label: str, options: Sequence[str], name: str) -> list[str]:
    """Of ``options``, what the address or the reader chose; what there is not is left out."""
    said: Any = st.session_state.get(key_of(name)) or []
    listed = said.split(BETWEEN) if isinstance(said, str) else said
    st.session_state[key_of(name)] = [one for one in listed if one in options]
    return list(st.pills(label, list(options), selection_mode="multi", key=key_of(name)))


def filtered(shown: Shown, text: str, known: Sequence[str], kinds: Sequence[str], top: bool) -> pd.DataFrame:
    """The rows that pass every filter; choices of one filter stand side by side."""
    table = shown.table
    keep = np.ones(len(table), dtype=bool)
    for word in text.casefold().replace("+", " ").split():
        keep &= table["perturbation"].str.casefold().str.contains(word, regex=False).to_numpy()
    standing = table["standing"].map(known_of)
    if ways := [way for way in known if way in BADGES]:
        keep &= standing.isin(ways).to_numpy()
    truth = [way == shown.truth for way in known if way not in BADGES]
    if len(truth) == 1:
        keep &= shown.measured.to_numpy() == truth[0]
    if kinds:
        keep &= table["interaction"].isin(kinds).to_numpy()
    if top:
        keep &= (table["tier"] == 1).fillna(False).to_numpy(dtype=bool)
    return table[keep]


def readable(rows: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """The columns of the table on the page, in words; those without any value are left out."""
    found = {
        "Rank": rows["rank"],
        "Perturbation": rows["perturbation"],
        "Target": [CONTAINS if holds else None for holds in shown.containing[rows.index]],
        "Score": rows["score"],
        "95 % interval": between(rows["low"], rows["high"], shown.number),
        f"{shown.truth.capitalize()} score": shown.truths[rows.index],
        "How well known": [BADGES[known_of(standing)] for standing in rows["standing"]],
        "Interaction": rows["interaction"].replace("", None),
        "Parts": shown.parts[rows.index],
        "Genes up": rows["genes_up"],
        "Genes down": rows["genes_down"],
        "95 % of ranks": between(rows["rank_low"], rows["rank_high"], "{:.0f}".format),
        "Share of the sum": with_interval(rows),
        shown.truth.capitalize(): shown.measured[rows.index],
        "Sum of its parts": rows["sum_score"],
        "Seeds differ by": rows["seed_spread"],
    }
    if shown.goal.record.share_of_sum:
        del found["Sum of its parts"]
    return pd.DataFrame(found, index=rows.index).dropna(axis=1, how="all")


def with_interval(rows: pd.DataFrame) -> list[str | None]:
    """Sizes as shares of the sum of the parts measured alone."""
    columns = zip(rows["magnitude"], rows["magnitude_low"], rows["magnitude_high"], strict=True)
    return [f"{value:.2f} ({low:.2f} to {high:.2f})" if np.isfinite(value) else None for value, low, high in columns]


def between(low: pd.Series, high: pd.Series, said: Callable[[float], str]) -> list[str | None]:
    return [
        None if pd.isna(one) or pd.isna(other) else f"{said(one)} to {said(other)}"
        for one, other in zip(low, high, strict=True)
    ]


def columns(shown: Shown) -> Mapping[str, Any]:
    """Bars for scores that begin at 0 and are better the longer they are, numbers for others."""
    column = st.column_config
    scores = shown.table["score"].to_numpy(np.float64)
    scores = scores[np.isfinite(scores)]
    score: Any = column.NumberColumn(format="%.3f", width=70, help=shown.axis)
    if len(scores) and scores.min() >= 0 and scores.max() > 0 and shown.goal.record.larger_is_better:
        score = column.ProgressColumn(
            format="%.3f", min_value=0.0, max_value=float(scores.max()), help=shown.axis, color="orange", width=130
        )
    return {
        "Rank": column.NumberColumn(format="%d", width=45),
        "95 % of ranks": column.TextColumn(width=85),
        "Perturbation": column.TextColumn(width=name_width(shown), pinned=True),
        "Score": score,
        "Target": column.TextColumn(
            width=125, help="It contains the perturbations of the target, so a near score is expected."
        ),
        "95 % interval": column.TextColumn(width=100),
        f"{shown.truth.capitalize()} score": column.NumberColumn(
            format="%.3f", width=105, help=f"{shown.axis}; of held-out conditions"
        ),
        "How well known": column.TextColumn(width=125),
        "Genes up": column.NumberColumn(format="%d", width=70),
        "Genes down": column.NumberColumn(format="%d", width=80),
        "Interaction": column.TextColumn(width=95),
        "Parts": column.TextColumn(width=85, help="Of the parts alone, which the score is a share of."),
        "Share of the sum": column.TextColumn(width=140),
        "Sum of its parts": column.NumberColumn(format="%.3f"),
        "Seeds differ by": column.NumberColumn(format="%.3f"),
    }


def name_width(shown: Shown) -> int:
    """In pixels: the longest of the names, within limits."""
    longest = int(shown.table["perturbation"].str.len().max())
    return min(max(NARROWEST, 20 + 8 * longest), WIDEST)


def explanation(shown: Shown) -> str:
    order = shown.ranking.screen.about["order"]
    better = "larger is better" if shown.goal.record.larger_is_better else "smaller is better"
    if shown.goal.record.both_ways:
        better = "up or down, the larger change first"
    share = " Share of the sum: size of the change, as a share of what the parts do alone."
    share = share if shown.table["magnitude"].notna().any() else ""
    return (
        f"Score, predicted: {shown.axis}; {better}. Intervals are over cells and "
        f"{len(order['seeds'])} noise seeds of {order['cells']:,} cells each, which all candidates share.{share}"
    )


def sums_told(shown: Shown) -> str:
    """How Score and Interaction compare a combination with its parts, and which of them ranks."""
    table = shown.table
    beside = f"parts that were {shown.truth} alone"
    if shown.goal.record.share_of_sum:
        told = (
            "The ranking uses Score: log2 changes of mean expression, beside the sum of those of the parts. "
            f"Interaction names what a combination does beside {beside}."
        )
        mixed = " Parts: where one was not, all of that combination's are predicted, and there is no name."
        return told + mixed if "predicted" in set(shown.parts) else told
    if (table["interaction"] == "").all() or table["sum_score"].isna().all():
        return ""
    return (
        "The ranking uses Score. Sum of its parts is the same score of control cells, each moved in expression by the "
        f"sum of what the parts do alone. Interaction adds up something else: log2 changes of mean expression of "
        f"{beside}. They can disagree, most at low expression: expression adds up and stops at 0, log2 changes "
        "multiply."
    )


def chosen(rows: pd.DataFrame, event: Any, shown: Shown) -> list[Condition]:
    """The conditions of the selected rows."""
    places = event["selection"]["rows"] if event else []
    labels = [rows.iloc[place]["perturbation"] for place in places if place < len(rows)]
    known = shown.conditions
    return [known[label] for label in labels if label in known]


def show_actions(shown: Shown, conditions: Sequence[Condition]) -> None:
    """Open one row in Explore, set two to six side by side."""
    with st.container(horizontal=True, vertical_alignment="center", key="ranking-actions"):
        if not conditions:
            st.caption(
                f"Tick rows on the left of the table: one to open it in Explore, {entries.FEWEST} to {entries.MOST} to "
                "compare them."
            )
            return
        st.text(f"{len(conditions):,} chosen", width="content")
        if len(conditions) == 1:
            pages.link_to("explore", "Open in Explore", query=explore_query(shown, conditions[0]))
        new = [entry for entry in map(lambda c: entry_of(shown, c), conditions) if not entries.has(entry)]
        if not new:
            pages.link_to("compare", f"In Compare ({entries.count()})")
            return
        room = entries.MOST - entries.count()
        st.button(
            "Add to Compare", key="ranked-to-compare", icon=":material/compare_arrows:", on_click=add, args=(new,),
            disabled=len(new) > room,
        )  # fmt: skip
        if len(new) > room:
            st.caption(f"Compare takes {entries.MOST} and has {entries.count()}: choose fewer, or remove some there.")


def add(new: Sequence[Entry]) -> None:
    for entry in new:
        entries.add(entry)


def entry_of(shown: Shown, condition: Condition) -> Entry:
    """The same response as Explore and Compare ask for it."""
    model, request = shown.asked.model, shown.asked.request
    guidance = request.plan.guidance if request is not None else 1.0
    plan = replace(model.manifest.sampling, guidance=guidance)
    return Entry(model.key, PredictionRequest(model.folder, model.version, condition, answers.usual_cells(model), plan))


def explore_query(shown: Shown, condition: Condition) -> dict[str, str]:
    """The address of Explore that asks for the condition."""
    said = {"model": shown.asked.model.key, "context": condition.context}
    for box, part in zip(BOXES, condition.perturbations, strict=False):
        said[box] = part.name
        if part.dose is not None:
            said[f"dose_{box}"] = f"{part.dose:g}"
    if shown.asked.request is not None and shown.asked.request.plan.guidance != 1:
        said["w"] = f"{shown.asked.request.plan.guidance:g}"
    return {key: value for key, value in said.items() if value}
