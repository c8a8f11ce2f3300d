"""Everything that a page knows about one answer."""

from dataclasses import dataclass

import streamlit as st

import pages
from pages import plain
from pages.parts.explore.combination import interplay_of
from pages.parts.explore.trust import trust_in
from pages.parts.shared.answers import Answer
from pages.parts.shared.view import View
from primeflow_core.errors import PrimeflowError
from primeflow_core.prediction.combination_effect import Interplay
from primeflow_core.prediction.measured_comparison import Comparison, OtherPredictions, compared, other_predictions
from primeflow_core.report.condition_trust import ConditionTrust


@dataclass(frozen=True)
class Seen:
    """A view, its answer (None: not predicted yet), and what the comparison found; None if nothing can be compared."""

    view: View
    answer: Answer | None
    found: Comparison | None
    trust: ConditionTrust | None
    interplay: Interplay | None


def see(view: View, answer: Answer | None) -> Seen:
    """Compare the answer with the measured cells, the baselines, and the sum of its parts."""
    found = comparison_of(view, answer)
    return Seen(view, answer, found, trust_in(view, answer, found), interplay_of(view, answer))


def comparison_of(view: View, answer: Answer | None) -> Comparison | None:
    """None if there are no cells to compare with."""
    if answer is None or view.known is None:
        return None
    known, genes = view.known, view.model.manifest.genes
    try:
        return pages.kept(
            ("comparison", *view.place_key, view.condition.label, answer.key),
            lambda: compared(answer.prediction.values, view.measured, known, genes, others_beside(view)),
        )
    except PrimeflowError as error:
        st.warning(plain(f"{view.condition.label}: {error}"))
        return None


def others_beside(view: View) -> OtherPredictions:
    """Typical perturbed cells, if the training cells are on this machine, and cells of other conditions that came with
    the model. Raises PrimeflowError."""
    training = None if view.trained_on is None else pages.perturbed_training(view.model, view.trained_on)
    return other_predictions(view.condition, training, pages.previews(view.model))
