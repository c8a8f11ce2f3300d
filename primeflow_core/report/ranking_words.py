"""What is said of a ranking: its question, what comes first, what is predicted and measured, how far to trust it."""

import re

import pandas as pd

from primeflow_core.report.finding import SIMULATED_DATA
from primeflow_core.report.ranking_view import RankingView
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.ranking import told_apart
from primeflow_core.screening.trust import FEWEST

COLUMNS = {
    "label": "Ranked by", "conditions": "Held-out conditions", "spearman": "Rank correlation", "low": "from",
    "high": "to", "hits": "Hits among the best", "best": "Best looked at", "chance": "Hits by chance",
    "p": "Chance of so many hits",
}  # fmt: skip
CONTAINS = "contains the target"


def heading(goal: Goal, noun: str) -> str:
    """The goal's question, with the noun of what is ranked."""
    return re.sub(r"^Which (candidates|combinations) ", f"Which {noun} ", goal.sentence)


def first_told(shown: RankingView) -> str:
    """What comes first, with its score and interval."""
    scored = shown.named[shown.table["rank"].notna()]
    if scored.empty:
        return "No candidate has a score: each targets the goal's genes itself, or its effect is no larger than noise."
    best = scored.iloc[0]
    number = shown.number
    return (
        f"{best['perturbation']} comes first: {shown.unit} {number(best['score'])} ({number(best['low'])} to "
        f"{number(best['high'])}).{first_without_target(shown, scored)}"
    )


def first_without_target(shown: RankingView, scored: pd.DataFrame) -> str:
    """Where the first of the ranked rows ``scored`` holds the target: that it does, and the first that does not."""
    holds = shown.containing[scored.index]
    if not holds.iloc[0]:
        return ""
    said = " It contains the target itself"
    if holds.all():
        return f"{said}, as all of them do."
    other = scored[~holds].iloc[0]
    return f"{said}; the first without it is {other['perturbation']}, rank {other['rank']:,}."


def take_home(shown: RankingView) -> str:
    """What comes first, and which ranks can be told apart."""
    return f"{first_told(shown)} {told_apart(shown.table)}".rstrip()


def labels(shown: RankingView) -> tuple[str, ...]:
    """The words of the badges: what is simulated, predicted and measured."""
    order = shown.screen.about["order"]
    cells = order["cells"] * len(order["seeds"])
    words = [SIMULATED_DATA] if shown.simulated else []
    words.append(f"PREDICTED {shown.counted(shown.done)}, {cells:,} cells each")
    if count := int(shown.measured.sum()):
        words.append(f"{shown.truth.upper()} {count:,} of them")
    return tuple(words)


def without_trust(shown: RankingView) -> str:
    """Why we cannot say how far to trust the ranking."""
    if shown.screen.about["controls"] == "predicted":
        return (
            f"There are no {shown.truth} cells of this model on this machine: changes are measured from predicted "
            "control cells, and we cannot say how far to trust the ranking."
        )
    if "read_from" in shown.screen.about:
        return (
            f"Read from the changes of another ranking ({shown.screen.about['read_from']}). The change of "
            f"this gene is not checked yet. Press Rank on the left to compare it with what was {shown.truth}."
        )
    if not shown.is_whole:
        return "The ranking ended before the held-out conditions were checked."
    if shown.screen.about["checked"] >= FEWEST:
        return (
            f"{shown.screen.about['checked']} such conditions were held out of training and {shown.truth}, but "
            "fewer than three of them have a score for this goal, so we cannot say how far to trust the "
            "ranking. Treat it as a list of guesses."
        )
    return (
        f"Fewer than three such conditions were held out of training and {shown.truth}, so we cannot say how far to "
        "trust the ranking. Treat it as a list of guesses."
    )
