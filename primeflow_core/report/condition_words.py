"""What is said of one condition: the take-home in one sentence with numbers, and the labels beside it."""

from primeflow_core.data.conditions import Novelty, novelty
from primeflow_core.data.perturbation_wording import actions, described
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.prediction.prediction_job import Prediction
from primeflow_core.report.condition_view import ConditionView
from primeflow_core.report.finding import SIMULATED_DATA

NOVELTY_LABELS: dict[Novelty, str] = {
    Novelty.SEEN: "Seen in training: a memory, not a prediction",
    Novelty.PARTS_SEEN: "Each part seen alone, never together: a prediction",
    Novelty.PART_ELSEWHERE: "A part never seen alone here: treat as a guess",
    Novelty.PART_UNSEEN: "A part never seen: treat as a guess",
}
SINGLE_LABELS: dict[Novelty, str] = {
    Novelty.PART_ELSEWHERE: "Seen in other contexts only: treat as a guess",
    Novelty.PART_UNSEEN: "Never seen: treat as a guess",
}


def take_home(
    view: ConditionView, prediction: Prediction | None, found: Comparison | None, *, active: bool = False
) -> str:
    """For instance ``Switching up KLF1 and MAP2K6 in k562: the model expects 37 genes up, 12 down; …``"""
    done = described(view.condition, actions(view.trained_on or view.cells, view.condition.covariates))
    where = f" in {view.condition.context}" if view.condition.context else ""
    return f"{done[:1].upper()}{done[1:]}{where}: {_expectation(view, prediction, found, active=active)}"


def novelty_of(view: ConditionView) -> Novelty:
    """What training saw of the condition."""
    return novelty(view.condition, view.model.manifest.trained_on)


def labels(view: ConditionView, prediction: Prediction | None) -> tuple[str, ...]:
    """What is simulated, predicted and measured, and last what training saw of the condition."""
    found = [SIMULATED_DATA] if view.simulated else []
    if prediction is not None:
        found.append(f"PREDICTED {len(prediction.values):,} cells")
    if len(view.measured):
        word = "SIMULATED" if view.simulated else "MEASURED"
        held_out = ", held out" if view.condition in view.model.manifest.held_out and view.own is None else ""
        yours = ", yours" if view.own else ""
        found.append(f"{word} {len(view.measured):,} cells{held_out}{yours}")
    seen = novelty_of(view)
    alone = SINGLE_LABELS if len(view.condition.perturbations) == 1 else {}
    return (*found, alone.get(seen, NOVELTY_LABELS[seen]))


def _expectation(view: ConditionView, prediction: Prediction | None, found: Comparison | None, *, active: bool) -> str:
    """What the model expects, and how far the measured cells agree. It follows the words for what was done."""
    truth = "simulation" if view.simulated else "experiment"
    if prediction is None:
        done = "simulated" if view.simulated else "measured"
        absent = "not compared with your cells" if view.own else f"never {done}"
        known = f"{done} in {len(view.measured):,} cells" if len(view.measured) else absent
        return f"{known}, {'being predicted' if active else 'not predicted yet'}."
    if found is None:
        return f"{len(prediction.values):,} predicted cells, nothing to compare them with."
    response = found.response
    expected = response.up + response.down
    told = f"the model expects {response.up} genes up, {response.down} down"
    if not expected:
        told = "the model expects no gene to change clearly"
    if not response.measured:
        return f"{told}. {view.without_truth} There is nothing to compare with."
    return f"{told}; the {truth} agrees on {response.agreeing} of {expected}." if expected else f"{told}."
