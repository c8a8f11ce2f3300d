"""Compares one condition as predicted and as measured: the cells to draw, the genes that change, and how far to trust
the prediction.

Predicted effects are measured from the control cells of training, measured effects from control cells that training did
not use, so that neither side lends the other its noise. Where a file has no such split of its controls they are halved.
A user's own cells are compared with their own controls, and their prediction with controls of the model's experiment: a
difference between the two experiments is not an effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import DataError
from primeflow_core.evaluation.agreement import agreement
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.defaults import FEWEST, PCS
from primeflow_core.evaluation.labelled import group_of, parts_of
from primeflow_core.evaluation.measured_condition import MeasuredCondition
from primeflow_core.evaluation.principal_components import components
from primeflow_core.evaluation.response import ComparedCells, Response, response
from primeflow_core.evaluation.typical_cells import PerturbedTraining, TypicalPopulation
from primeflow_core.prediction.control_rows import control_rows, in_training

MOST_FITTED = 5_000


@dataclass(frozen=True)
class Background:
    """The measured cells of one context: two disjoint sets of controls (k, G), and cells (n, G) to fit maps on.

    ``controls``: the unperturbed cells of the same experiment as the measured ones, to show and to compare with.
    ``predicted_controls`` (k, G): if the measured cells are a user's own, controls of the model's experiment that
    training did not use, to score predicted effects from; else None.
    """

    training_controls: np.ndarray
    other_controls: np.ndarray
    context_cells: np.ndarray
    controls: np.ndarray
    predicted_controls: np.ndarray | None = None


def background(cells: Cells, genes: tuple[str, ...], condition: Condition, folder: Path, seed: int = 0) -> Background:
    """Controls and cells of the condition's context, for a model of these ``genes`` in ``folder``.

    Raises DataError where the cells have other genes, or too few of them are controls.
    """
    if cells.genes != genes:
        raise DataError(
            f"{cells.source} has other genes than the model ({len(cells.genes)} and {len(genes)}, or another order). "
            "Use the file that the model was trained on."
        )
    training, others = (cells.dense(rows) for rows in control_rows(cells, condition, in_training(cells, folder), seed))
    controls = np.concatenate([training, others])
    return Background(training, others, _context_cells(cells, condition, seed), controls)


def background_of_own(own: Background, trained_on: Background) -> Background:
    """A user's own cells together with those of training. Effects of each side are relative to its own controls."""
    return replace(
        own,
        training_controls=trained_on.training_controls,
        other_controls=own.controls,
        predicted_controls=trained_on.other_controls,
    )


def _context_cells(cells: Cells, condition: Condition, seed: int) -> np.ndarray:
    here = [i for i, known in enumerate(cells.conditions) if known.covariates == condition.covariates]
    rows = np.flatnonzero(np.isin(cells.condition_of, here))
    if len(rows) > MOST_FITTED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_FITTED, replace=False))
    return cells.dense(rows)


@dataclass(frozen=True)
class OtherPredictions:
    """What the score of a prediction is read against: ``typical`` perturbed cells of training, None where there are
    none, and predicted cells (n, G) of other conditions of the context, the ``wrong`` ones."""

    typical: TypicalPopulation | None = None
    wrong: Sequence[np.ndarray] = ()


NONE_ELSE = OtherPredictions()


def other_predictions(
    condition: Condition, training: PerturbedTraining | None, predicted: Mapping[Condition, np.ndarray]
) -> OtherPredictions:
    """``predicted``: cells that came with the model, of any conditions."""
    typical = None if training is None else training.typical(parts_of(condition), group_of(condition))
    wrong = [cells for other, cells in predicted.items() if _is_another(other, condition) and len(cells)]
    return OtherPredictions(typical, tuple(wrong))


def _is_another(other: Condition, condition: Condition) -> bool:
    return other.covariates == condition.covariates and other != condition and not other.is_control


@dataclass(frozen=True)
class Comparison:
    """``agreement`` is empty where the condition was never measured."""

    response: Response
    agreement: Mapping[str, Bounded]


def compared(
    predicted: np.ndarray,
    measured: np.ndarray,
    known: Background,
    genes: tuple[str, ...],
    others: OtherPredictions = NONE_ELSE,
    *,
    top: int = 50,
) -> Comparison:
    """Compare predicted cells (n, G) with measured ones (m, G; m = 0: never measured) of one condition."""
    from_training = ComparedCells(predicted, known.training_controls)
    if len(measured) < FEWEST:
        return Comparison(response(genes, from_training, None), {})
    return Comparison(
        response(genes, from_training, ComparedCells(measured, known.other_controls)),
        agreement(predicted, truth_of(measured, known, genes, others), top=top),
    )


def truth_of(
    measured: np.ndarray, known: Background, genes: tuple[str, ...], others: OtherPredictions = NONE_ELSE
) -> MeasuredCondition:
    """The reference that predictions of a condition are scored against: measured cells (m, G) and their background."""
    fitted = components(known.context_cells, PCS)
    return MeasuredCondition(
        measured, known.other_controls, known.training_controls, genes, fitted, known.predicted_controls, others.wrong,
        others.typical,
    )  # fmt: skip
