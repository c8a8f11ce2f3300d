"""How far to trust a ranking, in sentences for people who know no statistics, with the numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from primeflow_core.screening.trust_row import TrustRow

MODEL, MODEL_LABEL = "model", "The model"


def without_trust(data: str, fewest: int, *, predicted_controls: bool, simulated: bool) -> str:
    """The text above a ranking that could not be checked. ``data``: what the model was trained on; ``fewest``: how
    many held-out conditions would be needed."""
    measured = "simulated" if simulated else "measured"
    why = (
        f"the cells of {data} are not on this machine"
        if predicted_controls
        else f"fewer than {fewest} held-out conditions like the candidates were {measured} and have a score"
    )
    return (
        f"This ranking could not be checked against {measured} cells: {why}. We cannot say how far to trust it. Treat "
        "it as the model's guess."
    )


def label_of(name: str) -> str:
    """The display name of the model or of a baseline."""
    from primeflow_core.models.baselines.registry import all_baselines  # the rules themselves, which words do without

    labels = {MODEL: MODEL_LABEL} | {baseline.name: baseline.label for baseline in all_baselines()}
    return labels.get(name, name)


def sentences(rows: "Sequence[TrustRow]", what: str, refused: Sequence[str], *, simulated: bool) -> tuple[str, ...]:
    """``rows``: the model's, then the baselines'; ``what``: what was held out; ``refused``: baselines without a row."""
    measured = "simulated" if simulated else "measured"
    model, baselines = rows[0], rows[1:]
    said = [_of_model(model, what, measured)]
    beside = [baseline for baseline in baselines if np.isfinite(baseline.spearman)]
    whole = [baseline for baseline in beside if baseline.conditions == model.conditions]
    if whole:
        said.append(_of_best_baseline(max(whole, key=lambda baseline: baseline.spearman), what))
    if partly := [baseline for baseline in beside if baseline not in whole and baseline.lead <= 0]:
        said.append(_of_partial_baseline(min(partly, key=lambda baseline: baseline.lead)))
    if tied := [baseline.label for baseline in baselines if not np.isfinite(baseline.spearman)]:
        said.append(
            f"{_list(tied)}: the same score for every condition, so there is no ranking and hits are by chance."
        )
    if refused:
        said.append(f"Left out, because they can score too few of these {what}: {_list(refused)}.")
    if not baselines:
        said.append("No baseline was available, so we cannot say whether a simple rule would rank as well.")
    said.append(
        f"1 is the {measured} order, 0 is no order, −1 is the reverse order. Brackets are 95 % intervals over cells "
        f"and {what}."
    )
    return tuple(said)


def _of_model(row: "TrustRow", what: str, measured: str) -> str:
    if not np.isfinite(row.spearman):
        return f"On {row.conditions} held-out {what} one of the two, model or experiment, ranks nothing: all are alike."
    verb = "agrees with" if row.low > 0 else "runs against" if row.high < 0 else "cannot be told from chance beside"
    return (
        f"On {row.conditions} held-out {what} the model's ranking {verb} the {measured} one: rank correlation "
        f"{_with_interval(row)}; {_hits(row, measured)}."
    )


def _hits(row: "TrustRow", measured: str) -> str:
    number = f"{row.hits:.1f}".removesuffix(".0")
    if row.best == 1 and number in "01":
        return (
            f"its best is {'' if number == '1' else 'not '}the {measured} best (by chance {row.chance:.1f} of the time)"
        )
    verb = "is" if number == "1" else "are"
    return f"of its best {row.best}, {number} {verb} among the {measured} best {row.best} (by chance {row.chance:.1f})"


def _of_best_baseline(baseline: "TrustRow", what: str) -> str:
    named = f"{baseline.label}, the best baseline, reaches {_with_interval(baseline)}"
    if not np.isfinite(baseline.lead):
        return f"{named}."
    if baseline.lead <= 0:
        return f"{named}: it ranks at least as well as the model, so for this goal the simple baseline is good enough."
    lead = f"{named}: the model is ahead by {baseline.lead:.2f} ({_range(baseline.lead_low, baseline.lead_high)})"
    return (
        f"{lead}." if baseline.lead_low > 0 else f"{lead}, which is too little to tell the two apart on these {what}."
    )


def _of_partial_baseline(baseline: "TrustRow") -> str:
    model = baseline.spearman + baseline.lead
    return (
        f"On the {baseline.conditions} that it can predict, {baseline.label} reaches {_with_interval(baseline)} and "
        f"ranks at least as well as the model, which reaches {_signed(model)} there."
    )


def _with_interval(row: "TrustRow") -> str:
    return f"{_signed(row.spearman)} ({_range(row.low, row.high)})"


def _range(low: float, high: float) -> str:
    return f"{_signed(low)} to {_signed(high)}"


def _signed(value: float) -> str:
    """The number with a real minus sign, and without a minus before 0."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _list(names: Sequence[str]) -> str:
    return "; ".join(names)
