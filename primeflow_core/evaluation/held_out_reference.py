"""The measured cells of one part of a split: the reference for predictions of its conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError
from primeflow_core.evaluation.labelled import LabelledCells, group_of, labelled, predicted_cells
from primeflow_core.evaluation.pair import Pair, paired


@dataclass(frozen=True)
class Truth:
    """``reference``: all cells of the part, controls included. ``floor_controls``: of each covariate group the
    training controls (n, G), which the reference does not hold."""

    reference: LabelledCells
    covariates: tuple[str, ...]
    floor_controls: Mapping[tuple[str, ...], np.ndarray]

    def pair(self, predicted: Mapping[Condition, np.ndarray], source: str) -> Pair:
        """Predicted cells (n, G) of each condition, genes in the order of the reference; ``source`` names them.

        Raises DataError where no condition was measured in this part.
        """
        return paired(predicted_cells(predicted, self.reference.genes, source), self.reference, self.covariates)


def truth(cells: Cells, split: Split, part: str) -> Truth:
    """The truth of ``part`` of ``split``; the floor's controls are those of training."""
    _check_controls(cells, split, part)
    # A label of its file may stand for several conditions, and predictions are called by the product's own labels.
    reference = labelled(replace(cells.subset(split.indices(cells, part)), labels=()))
    columns = tuple(column for column, _ in cells.conditions[0].covariates)
    return Truth(reference, columns, _training_controls(cells, split))


def _check_controls(cells: Cells, split: Split, part: str) -> None:
    """Raises DataError where the file has control cells and the split puts none into the part."""
    is_control = np.array([condition.is_control for condition in cells.conditions])[cells.condition_of]
    if is_control.any() and not is_control[split.indices(cells, part)].any():
        raise DataError(
            f"{split.source} puts none of the {is_control.sum():,} control cells of {cells.source} into {part}; "
            "effects are measured from them. Put some there."
        )


def _training_controls(cells: Cells, split: Split) -> dict[tuple[str, ...], np.ndarray]:
    trained_on = split.indices(cells, TRAIN)
    of_cell = cells.condition_of[trained_on]
    return {
        group_of(condition): cells.dense(trained_on[of_cell == i])
        for i, condition in enumerate(cells.conditions)
        if condition.is_control
    }


def training_profiles(cells: Cells, split: Split) -> dict[tuple[str, ...], np.ndarray]:
    """The mean (G,) of the mean profiles of the training conditions, controls included, by covariate group.

    The baseline of the Virtual Cell Challenge predicts it for every condition.
    """
    trained_on = split.indices(cells, TRAIN)
    of_cell = cells.condition_of[trained_on]
    means: dict[tuple[str, ...], list[np.ndarray]] = {}
    for i in np.unique(of_cell):
        profile = np.asarray(cells.values[trained_on[of_cell == i]].mean(axis=0), dtype=np.float64).ravel()
        means.setdefault(group_of(cells.conditions[i]), []).append(profile)
    return {group: np.mean(profiles, axis=0) for group, profiles in means.items()}
