"""A ranking in words: what was asked, what comes first, what is predicted and measured, how far to trust it."""

import re
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts.rank import answer
from pages.parts.rank.answer import Ranking
from pages.parts.rank.sidebar import Asked
from pages.parts.shared.labels import show_labels
from pages.parts.shared.saving import offer_table
from primeflow_core.data.conditions import Condition
from primeflow_core.data.perturbation_wording import kind_of
from primeflow_core.errors import PrimeflowError
from primeflow_core.report.ranking_view import RankingView
from primeflow_core.report.ranking_words import COLUMNS, heading, labels, take_home, without_trust
from primeflow_core.runtime.jobs import JobState, JobStatus
from primeflow_core.screening.candidates import Refusal
from primeflow_core.screening.ranking import without_score
from primeflow_core.screening.trust import Trust

MOST_REFUSED = 200
# What the model and the best baseline reach; the rest explains.
TRUST_LINES = 2
CHECKED = ("perturbation", "measured", "predicted")


@dataclass(frozen=True)
class Shown(RankingView):
    """A ranking with the question that it answers."""

    asked: Asked
    ranking: Ranking


def shown_of(asked: Asked, ranking: Ranking) -> Shown:
    request = asked.request
    candidates, plan = ((), None) if request is None else (request.candidates, request.plan)
    return Shown(
        asked.model, ranking.screen, ranking.done, ranking.total, asked.noun, candidates, plan, asked, ranking
    )  # fmt: skip


def left_without(shown: Shown) -> str:
    """How many have no score, and why; empty where all have one."""
    said = without_score(shown.table, shown.goal)
    return re.sub(r" of [\d,]+ candidates? ", f" of {shown.asked.counted(len(shown.table))} ", said, count=1)


def show_headline(shown: Shown) -> None:
    st.header(plain(heading(shown.goal, shown.asked.noun)), anchor=False)
    st.text(take_home(shown))
    show_labels(labels(shown))
    st.caption(plain(" · ".join(filter(None, origin(shown)))))
    show_refused(shown.asked.refused)


def origin(shown: Shown) -> tuple[str, ...]:
    """Context, kind of perturbation, data and model."""
    manifest, request = shown.asked.model.manifest, shown.asked.request
    kind = ""
    if request is not None:
        try:
            kind = kind_of(pages.cells_of(shown.asked.model), request.candidates[0])
        except PrimeflowError as error:
            st.warning(plain(str(error)), icon=":material/error:")
    context = Condition((), shown.asked.covariates).context
    came = "came with the model" if shown.ranking.shipped else "ranked on this machine"
    return context, kind, f"data {manifest.dataset}", f"model {shown.asked.model.made}", came


def show_refused(refused: tuple[Refusal, ...]) -> None:
    if not refused:
        return
    with st.expander(f"Not ranked: {len(refused):,}", icon=":material/block:"):
        for one in refused[:MOST_REFUSED]:
            st.text(f"{one.label}: {one.why}")


def show_messages(status: JobStatus | None) -> None:
    """Why a ranking was not started, or ended before it was complete."""
    if refused := answer.refusal():
        st.warning(plain(refused), icon=":material/hourglass_top:")
    if status is None or status.state is JobState.DONE:
        return
    if status.state is JobState.FAILED:
        st.error(plain(status.error), icon=":material/error:")
    kept = answer.of_job(status)
    ended = "Cancelled" if status.state is JobState.CANCELLED else "It ended"
    told = f"after {kept.done:,} of {kept.total:,}; these are ranked among themselves" if kept is not None else (
        "before anything was ranked"
    )  # fmt: skip
    st.warning(f"{ended} {told}.", icon=":material/stop_circle:")


def show_trust(shown: Shown) -> None:
    """Above the ranking: how the same goal did where the truth is known."""
    with st.container(border=True, key="ranking-trust"):
        st.subheader("How far to trust this ranking", anchor=False)
        trust = shown.ranking.screen.trust
        if caution := shown.ranking.screen.caution:
            st.warning(plain(caution), icon=":material/warning:")
        if trust is None:
            st.text(without_trust(shown))
            return
        for line in trust.lines[:TRUST_LINES]:
            st.text(line)
        for line in trust.lines[TRUST_LINES:]:
            st.caption(plain(line))
        with st.expander("The numbers"):
            table = trust.table()[list(COLUMNS)].rename(columns=COLUMNS)
            number = st.column_config.NumberColumn(format="%.2f")
            st.dataframe(
                table, hide_index=True, alt=f"Agreement with the {shown.truth} ranking: {trust.lines[0]}",
                column_config={name: number for name in ("Rank correlation", "from", "to", "Hits by chance")}
                | {"Hits among the best": st.column_config.NumberColumn(format="%.1f")}
                | {"Chance of so many hits": st.column_config.NumberColumn(format="%.2g")},
                placeholder="",
            )  # fmt: skip
            offer_table("Trust (csv)", trust.table, "primeflow-ranking-trust", "ranking-trust-csv")
            show_checked(shown, trust)


def show_checked(shown: Shown, trust: Trust) -> None:
    """What was held out, one by one."""
    scores = trust.scores()
    inside = scores["perturbation"].isin(shown.table["perturbation"])
    named = ("Held out", f"{shown.truth.capitalize()} score", "Predicted score")
    table = pd.DataFrame(dict(zip(named, (scores[name] for name in CHECKED), strict=True)))
    number = st.column_config.NumberColumn(format="%.3f", help=shown.axis)
    st.dataframe(
        table.assign(**{"In the ranking below": inside}), hide_index=True,
        column_config={name: number for name in named[1:]},
        alt=f"{shown.truth.capitalize()} and predicted scores of {len(table)} held-out conditions",
    )  # fmt: skip
    if not inside.all():
        st.caption("Held-out conditions that are not in the ranking also test the model.")
