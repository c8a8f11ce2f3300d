"""A ranking in words: what was asked, what comes first, what is predicted and measured, how far to trust it."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
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
from primeflow_core.model_store.available_conditions import Standing
from primeflow_core.runtime.jobs import JobState, JobStatus
from primeflow_core.screening.candidates import Refusal
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.ranking import by_predicted_parts, contains_target, told_apart, without_score
from primeflow_core.screening.trust import FEWEST, Trust

MEASURED = (Standing.TRAINED, Standing.HELD_OUT)
MOST_REFUSED = 200
# What the model and the best baseline reach; the rest explains.
TRUST_LINES = 2
COLUMNS = {
    "label": "Ranked by", "conditions": "Held-out conditions", "spearman": "Rank correlation", "low": "from",
    "high": "to", "hits": "Hits among the best", "best": "Best looked at", "chance": "Hits by chance",
    "p": "Chance of so many hits",
}  # fmt: skip
CONTAINS = "contains the target"
CHECKED = ("perturbation", "measured", "predicted")


@dataclass(frozen=True)
class Shown:
    """A ranking with the question that it answers."""

    asked: Asked
    ranking: Ranking

    @property
    def table(self) -> pd.DataFrame:
        return self.ranking.screen.table

    @property
    def goal(self) -> Goal:
        return self.ranking.screen.goal

    @property
    def simulated(self) -> bool:
        return self.ranking.simulated

    @property
    def truth(self) -> str:
        """``simulated`` or ``measured``, so that simulated cells are never called measured."""
        return "simulated" if self.simulated else "measured"

    @property
    def unit(self) -> str:
        return self.goal.record.unit

    @property
    def axis(self) -> str:
        """The unit of the score with the scale of the expression behind it; shares and cosines have none."""
        return f"{self.unit} (log-normalised)" if self.goal.record.log_scale else self.unit

    def number(self, value: float) -> str:
        """A score as text, with as many decimals for all of them and a true minus."""
        most = np.abs(self.table["score"].to_numpy(np.float64))
        decimals = 2 if most[np.isfinite(most)].max(initial=0.0) >= 1 else 3
        return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")

    @property
    def measured(self) -> pd.Series:
        """(N,) whether a candidate was measured, in training or held out."""
        return self.table["standing"].isin([str(one) for one in MEASURED])

    @property
    def truths(self) -> pd.Series:
        """(N,) the measured scores of candidates that were held out and checked, NaN for the others."""
        trust, context = self.ranking.screen.trust, Condition((), self.asked.covariates).context
        checked = () if trust is None else trust.checked
        known = {one.perturbation: one.measured for one in checked if one.context == context}
        return self.table["perturbation"].map(known).astype(np.float64)

    @property
    def parts(self) -> pd.Series:
        """(N,) whether the parts that a combination's score is a share of were measured alone, or predicted for want of
        one of them; None without a score, and for other goals."""
        predicted = by_predicted_parts(self.table, self.goal)
        told = ["predicted" if each else self.truth for each in predicted]
        known = self.table["score"].notna() & self.goal.record.share_of_sum
        found = [one if scored else None for one, scored in zip(told, known, strict=True)]
        return pd.Series(found, index=self.table.index, dtype=object)

    @property
    def containing(self) -> pd.Series:
        """(N,) whether a candidate has every perturbation of the target, so that a near score is expected."""
        return pd.Series(contains_target(self.table["perturbation"], self.goal), index=self.table.index)

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """The candidates by label; the page ranks one context at a time."""
        request = self.asked.request
        return {} if request is None else {condition.label: condition for condition in request.candidates}


def heading(goal: Goal, noun: str) -> str:
    """The goal's question, with the noun of what is ranked."""
    return re.sub(r"^Which (candidates|combinations) ", f"Which {noun} ", goal.sentence)


def first_told(shown: Shown) -> str:
    """What comes first, with its score and interval."""
    scored = shown.table[shown.table["rank"].notna()]
    if scored.empty:
        return "No candidate has a score: each targets the goal's genes itself, or its effect is no larger than noise."
    best = scored.iloc[0]
    number = shown.number
    return (
        f"{best['perturbation']} comes first: {shown.unit} {number(best['score'])} ({number(best['low'])} to "
        f"{number(best['high'])}).{first_without_target(shown, scored)}"
    )


def first_without_target(shown: Shown, scored: pd.DataFrame) -> str:
    """Where the first of the ranked rows ``scored`` holds the target: that it does, and the first that does not."""
    holds = shown.containing[scored.index]
    if not holds.iloc[0]:
        return ""
    said = " It contains the target itself"
    if holds.all():
        return f"{said}, as all of them do."
    other = scored[~holds].iloc[0]
    return f"{said}; the first without it is {other['perturbation']}, rank {other['rank']:,}."


def take_home(shown: Shown) -> str:
    """What comes first, and which ranks can be told apart."""
    return f"{first_told(shown)} {told_apart(shown.table)}".rstrip()


def left_without(shown: Shown) -> str:
    """How many have no score, and why; empty where all have one."""
    said = without_score(shown.table, shown.goal)
    return re.sub(r" of [\d,]+ candidates? ", f" of {shown.asked.counted(len(shown.table))} ", said, count=1)


def labels(shown: Shown) -> tuple[str, ...]:
    """The words of the badges: what is simulated, predicted and measured."""
    order = shown.ranking.screen.about["order"]
    cells = order["cells"] * len(order["seeds"])
    words = ["SIMULATED data"] if shown.simulated else []
    words.append(f"PREDICTED {shown.asked.counted(shown.ranking.done)}, {cells:,} cells each")
    if count := int(shown.measured.sum()):
        words.append(f"{shown.truth.upper()} {count:,} of them")
    return tuple(words)


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


def without_trust(shown: Shown) -> str:
    """Why we cannot say how far to trust the ranking."""
    if shown.ranking.screen.about["controls"] == "predicted":
        return (
            f"There are no {shown.truth} cells of this model on this machine: changes are measured from predicted "
            "control cells, and we cannot say how far to trust the ranking."
        )
    if "read_from" in shown.ranking.screen.about:
        return (
            f"Read from the changes of another ranking ({shown.ranking.screen.about['read_from']}). The change of "
            f"this gene is not checked yet. Press Rank on the left to compare it with what was {shown.truth}."
        )
    if not shown.ranking.is_whole:
        return "The ranking ended before the held-out conditions were checked."
    if shown.ranking.screen.about["checked"] >= FEWEST:
        return (
            f"{shown.ranking.screen.about['checked']} such conditions were held out of training and {shown.truth}, but "
            "fewer than three of them have a score for this goal, so we cannot say how far to trust the "
            "ranking. Treat it as a list of guesses."
        )
    return (
        f"Fewer than three such conditions were held out of training and {shown.truth}, so we cannot say how far to "
        "trust the ranking. Treat it as a list of guesses."
    )
