"""How far to trust one prediction: wrong conditions, calibrated scores, and metrics that cannot tell."""

import pytest

from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.calibration import Calibration
from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metric_named, metrics_at
from primeflow_core.figures.interactive.agreement import SILENT, agreement_ranges
from primeflow_core.figures.paper import agreement as print_agreement
from primeflow_core.prediction.measured_comparison import Comparison
from primeflow_core.report.condition_trust import CALIBRATED, TELLS, WRONG, trust_beside


def comparison(silent=(), *, calibrated=True):
    """Every metric a quarter of the way from typical cells to a repeat."""
    found = {}
    for metric in metrics_at(Place.EXPLORE):
        floor, ceiling = (0.1, 0.9) if metric.larger_is_better else (0.9, 0.1)
        value = floor + 0.25 * (ceiling - floor)
        errors = 0.5 if metric.name in silent else 9.0
        told = Calibration(metric_named(metric.name), value, floor, ceiling, 1.0, errors, 1) if calibrated else None
        found[metric.name] = Bounded(value, floor, ceiling, metric.larger_is_better, floor, told)
    return Comparison(None, found)


def test_the_wrong_condition_stands_beside_every_metric_with_its_calibrated_score():
    table = trust_beside(comparison(), []).table().set_index("Measure")
    assert table[WRONG].tolist() == table["Floor"].tolist()
    assert table[CALIBRATED].tolist() == pytest.approx([0.25] * len(table))
    assert set(table[TELLS]) == {"yes"}


def test_a_metric_that_cannot_tell_is_pale_and_not_the_one_that_is_named():
    first, second, *_ = metrics_at(Place.EXPLORE)
    trust = trust_beside(comparison(silent=(first.name,)), [])
    assert trust.first.label == second.page_label
    assert [entry.label for entry in trust.ranges if entry.silent] == [first.page_label]
    assert trust.table().set_index("Measure").loc[first.page_label, TELLS] == "no"
    notes = [note["text"] for note in agreement_ranges(trust.ranges).layout.annotations]
    assert [SILENT in note for note in notes] == [True] + [False] * (len(notes) - 1)
    words = {text.get_text() for axes in print_agreement.agreement_ranges(trust.ranges).axes for text in axes.texts}
    assert sum(SILENT in word for word in words) == 1


def test_without_training_cells_there_is_no_calibration():
    trust = trust_beside(comparison(calibrated=False), [])
    assert trust.calibrations == {}
    assert CALIBRATED not in trust.table()
    assert trust.telling == trust.ranges
