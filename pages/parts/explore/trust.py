"""How far to trust it: each measure between its floor and its ceiling, beside the baselines."""

from functools import partial

import pandas as pd
import streamlit as st

import pages
from pages import plain
from pages.parts.shared.answers import Answer
from pages.parts.shared.fading import faded_columns
from pages.parts.shared.saving import offer_figure, offer_table
from pages.parts.shared.view import View
from primeflow_core.errors import PrimeflowError
from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.figures.interactive.agreement import agreement_ranges
from primeflow_core.figures.paper import agreement as print_agreement
from primeflow_core.models.baselines.condition_scores import BaselineAgreement
from primeflow_core.models.baselines.registry import baselines_beside_model
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.report.condition_trust import (
    CALIBRATED,
    REPEAT,
    TELLS,
    TYPICAL,
    WRONG,
    ConditionTrust,
    baselines_on,
    trust_beside,
)  # fmt: skip

FEW_CELLS = 50


def trust_in(view: View, answer: Answer | None, found: Comparison | None) -> ConditionTrust | None:
    """None if there are no measured cells to compare with."""
    if answer is None or found is None or not found.agreement:
        return None
    return trust_beside(found, baselines_of(view, answer))


def baselines_of(view: View, answer: Answer) -> tuple[BaselineAgreement, ...]:
    """The baselines on this condition; none if the training cells are not on this machine."""
    if view.trained_on is None or view.known is None:
        return ()
    count = len(answer.prediction.values)
    try:
        fitted = pages.fitted_baselines(view.model, view.trained_on)
        return pages.kept(
            ("baselines", *pages.name_of(view.model), *view.place_key, view.condition.label, count),
            lambda: baselines_on(view, fitted, count),
        )
    except PrimeflowError as error:
        st.warning(plain(str(error)))
        return ()


def show_trust(view: View, answer: Answer | None, trust: ConditionTrust | None) -> None:
    st.subheader("How far to trust it", anchor=False)
    if answer is None:
        truth = "simulated" if view.simulated else "measured"
        st.caption(f"The agreement with the {truth} cells appears here when cells have been predicted.")
        return
    if trust is None:
        st.caption(f"{view.without_truth} There is nothing to compare with.")
        return
    draw_trust(trust)
    with st.container(horizontal=True):
        offer_figure("primeflow-agreement", partial(print_agreement.agreement_ranges, trust.ranges), "agreement")
        offer_table("Metrics (csv)", trust.table, "primeflow-agreement", "agreement-csv")
    silent = [entry.label for entry in trust.ranges if entry.silent]
    st.table(
        faded_columns(shown(trust), silent),
        border="horizontal",
        alt="Each metric with its floor and ceiling",
    )
    st.caption("  \n".join(in_words(trust)))
    with st.expander("What these mean"):
        explain(view, answer, trust)


def shown(trust: ConditionTrust) -> pd.DataFrame:
    """The numbers as text, a column for each metric, so that they fit beside the map."""
    return trust.table().set_index("Measure").T.map(as_text)


def as_text(value: str | float | None) -> str:
    if isinstance(value, str):
        return value
    return "none" if value is None or pd.isna(value) else f"{value:.3f}"


def draw_trust(trust: ConditionTrust, row: int = 62) -> None:
    st.plotly_chart(
        agreement_ranges(trust.ranges, row=row), key="agreement", config={"displayModeBar": False},
        alt=f"Agreement: {trust.told}",
    )  # fmt: skip


def in_words(trust: ConditionTrust) -> list[str]:
    """Which baselines come closer, what lies beyond the ceiling, and what the metrics can tell. All easily misread."""
    told = []
    for baseline in dict(name for entry in trust.ranges for name in entry.baselines):
        closer = [entry.label for entry in trust.telling if entry.beaten_by(baseline)]
        if closer:
            told.append(f"**{baseline}** comes closer than the model in {len(closer)} of {len(trust.telling)} metrics.")
    if any((entry.position or 0.0) > 1 for entry in trust.telling):
        told.append(
            "Beyond the ceiling means: as close as a repeat of the experiment. The ceiling is one half of the measured "
            "cells; more predicted cells than that have less chance error."
        )
    return [*told, *calibrated_in_words(trust)]


def calibrated_in_words(trust: ConditionTrust) -> list[str]:
    """The calibrated score of the first metric that can tell, and the metrics that cannot."""
    told = []
    if (one := trust.calibrations.get(trust.first.label)) is not None and one.can_tell and one.score is not None:
        told.append(f"**Calibrated**, by {trust.first.label}: {one.score_in_words}.")
    if silent := [entry.label for entry in trust.ranges if entry.silent]:
        told.append(
            f"**Cannot tell** here: {', '.join(silent)}. A repeat of this experiment is not clearly better than "
            "typical perturbed cells by them, so they take no part in these sentences."
        )
    return told


def explain(view: View, answer: Answer, trust: ConditionTrust) -> None:
    meanings = [f"**{metric.page_label}**: {metric.explanation}" for metric in metrics_at(Place.EXPLORE)]
    ends = (
        "**Floor**: control cells offered as the prediction. **Ceiling**: one half of the measured cells against the "
        "other half; a prediction of more cells than that can come closer still."
    )
    others = (
        f"**{WRONG}**: cells that the model predicts for other conditions of this context, mean over those that came "
        f"with it. **{TYPICAL}**: training cells of other perturbations. **{REPEAT}**: one half of the measured cells "
        f"against the other half, each with its own half of the control cells. **{CALIBRATED}**: 0 as close as typical "
        "cells, 1 as close as the repeat; effects of the two sides are measured from disjoint control cells. "
        f"**{TELLS}**: the repeat is better than typical cells by 2 standard errors over halvings."
    )
    simpler = [f"**{baseline.label}**: {baseline.describe}" for baseline in baselines_beside_model()]
    st.caption("  \n".join([*meanings, ends, others, *simpler]))
    if not trust.calibrations:
        st.caption(
            "No calibrated score: the training cells are not on this machine, or none is typical of this context."
        )
    if not any(name == WRONG for entry in trust.ranges for name, _ in entry.baselines):
        st.caption(f"{WRONG} is not shown: no cells of another condition of this context came with the model.")
    for baseline in trust.baselines:
        if baseline.why:
            st.caption(plain(f"{baseline.label} is not shown: {baseline.why}"))
    if silent := [entry.label for entry in trust.ranges if not entry.tells_apart]:
        st.caption(f"No diamond for {', '.join(silent)}: control cells do as well as a second experiment there.")
    if min(len(view.measured), len(answer.prediction.values)) < FEW_CELLS:
        st.caption(f":material/warning: With fewer than {FEW_CELLS} cells these metrics are rough.")
