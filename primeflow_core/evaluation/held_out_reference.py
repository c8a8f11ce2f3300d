"""The measured cells of one part of a split: the reference for predictions of its conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.data.split_file import TRAIN
from primeflow_core.data.splits import Split
from primeflow_core.errors import DataError
from primeflow_core.evaluation.covariate_headings import covariate_headings
from primeflow_core.evaluation.labelled import LabelledCells, group_of, labelled, predicted_cells
from primeflow_core.evaluation.pair import Pair, paired
from primeflow_core.evaluation.typical_cells import PerturbedTraining


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


def check_controls(cells: Cells, split: Split, part: str, conditions: Sequence[Condition]) -> None:
    """Raises DataError where ``conditions`` of ``part`` have no control cells there to measure their effect from; it
    says whether the split or the data lack them. A condition alone in its context is not scored, and needs none."""
    there = split.conditions(cells, part)
    contexts = [condition.covariates for condition in there if not condition.is_control]
    bare = [condition for condition in conditions if condition.control() not in there]
    lacking = [condition for condition in bare if contexts.count(condition.covariates) > 1]
    if not lacking and (not bare or len(bare) < len(conditions)):
        return
    control = (lacking or bare)[0].control()
    where = f" of {control.context}" if control.context else ""
    number = len(cells.where(control))
    if not number:
        raise DataError(
            f"{cells.source} has no control cells{where}; effects are measured from them. Hold out something else."
        )
    raise DataError(
        f"The split {split.source} puts none of the {number:,} control cells{where} into {part}; effects are measured "
        "from them. Put some there, as `primeflow split` does."
    )


def truth(cells: Cells, split: Split, part: str) -> Truth:
    """The truth of ``part`` of ``split``; the floor's controls are those of training."""
    # A label of its file may stand for several conditions, and predictions are called by the product's own labels.
    reference = labelled(replace(cells.subset(split.indices(cells, part)), labels=()))
    columns = covariate_headings([column for column, _ in cells.conditions[0].covariates])
    return Truth(reference, columns, _training_controls(cells, split))


def _training_controls(cells: Cells, split: Split) -> dict[tuple[str, ...], np.ndarray]:
    trained_on = split.indices(cells, TRAIN)
    of_cell = cells.condition_of[trained_on]
    return {
        group_of(condition): cells.dense(trained_on[of_cell == i])
        for i, condition in enumerate(cells.conditions)
        if condition.is_control
    }


def perturbed_training(cells: Cells, split: Split) -> PerturbedTraining:
    """The perturbed training cells, of which typical ones are the baseline of calibrated scores."""
    return PerturbedTraining(cells.subset(split.indices(cells, TRAIN)))


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
