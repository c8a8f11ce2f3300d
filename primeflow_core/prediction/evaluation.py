"""One evaluation of predicted cells: the table, how far to trust each number of it, and simple baselines beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from primeflow_core.data.layout import SEPARATOR
from primeflow_core.evaluation.agreement import bounds
from primeflow_core.evaluation.calibration import Calibration, calibrations, with_calibration
from primeflow_core.evaluation.defaults import PCS, RESAMPLES, TOP_GENES
from primeflow_core.evaluation.held_out_reference import perturbed_training, training_profiles
from primeflow_core.evaluation.scores import ScoredPair, score
from primeflow_core.evaluation.table import table
from primeflow_core.evaluation.typical_cells import PerturbedTraining
from primeflow_core.evaluation.virtual_cell import virtual_cell_table
from primeflow_core.models.baselines.held_out_scores import BaselineTable, baselines_beside

if TYPE_CHECKING:
    from primeflow_core.evaluation.evaluation_input import EvaluationInput


@dataclass(frozen=True)
class Evaluation:
    """``scores``: a row for each condition, then their mean. ``bounds``: the same with floor, ceiling, the prediction
    of another condition and an interval; with a split, if the truth has all its cells, also baseline, replicate and
    calibrated score. ``calibrations``: of each metric over all conditions, empty without those. ``moved``: the
    conditions whose typical perturbed cells come from other contexts. ``without``: those for which there are none.
    ``baselines``: None where they were not asked for."""

    scored: ScoredPair
    scores: pd.DataFrame
    bounds: pd.DataFrame
    baselines: BaselineTable | None
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    moved: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def evaluation(
    asked: "EvaluationInput",
    *,
    pcs: int = PCS,
    top_genes: int = TOP_GENES,
    resamples: int = RESAMPLES,
    seed: int = 0,
    baselines: bool = False,
) -> Evaluation:
    """PerturBench's metrics. Raises SettingError for ``baselines`` without a split."""
    scored = score(asked.pair, pcs=pcs, top_genes=top_genes)
    training = perturbed_training(*asked.training()) if asked.has_training else None
    bounded = bounds(scored, asked.floor, training, seed=seed, resamples=resamples)
    beside = baselines_beside(asked, seed=seed, pcs=pcs, top_genes=top_genes) if baselines else None
    found = Evaluation(scored, table(scored), bounded, beside)
    return found if training is None else _calibrated(found, training)


def _calibrated(found: Evaluation, training: PerturbedTraining) -> Evaluation:
    typical = {one.label: training.typical(one.parts, one.group) for one in found.scored.pair.scored}
    return replace(
        found,
        bounds=with_calibration(found.bounds),
        calibrations=calibrations(found.bounds.iloc[:-1]),
        moved=tuple(name for name, one in typical.items() if one is not None and one.elsewhere),
        without=tuple(name for name, one in typical.items() if one is None),
    )


def virtual_cell_scores(asked: "EvaluationInput") -> pd.DataFrame:
    """The metrics of the Virtual Cell Challenge; with a split beside the mean of the training cells."""
    baseline = None if asked.split_path is None else training_profiles(*asked.training())
    return virtual_cell_table(asked.pair, baseline, separator=asked.layout.separator or SEPARATOR)
