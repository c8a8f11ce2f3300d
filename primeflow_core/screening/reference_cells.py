"""The measured cells that the scores of a screen are relative to, in one file that a worker needs no data set beside.

Predicted effects are measured from the controls of training; a target's own change from controls that training did not
use (comparison.py). Without measured cells, the model's own prediction of the controls replaces them.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition
from primeflow_core.errors import ConditionError, DataError
from primeflow_core.evaluation.interaction import FEWEST_CELLS
from primeflow_core.models.baselines.additive import SumOfSingles
from primeflow_core.models.baselines.measured import TrainingMeans
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.prediction.control_rows import control_rows, in_training
from primeflow_core.runtime.array_file import read_arrays
from primeflow_core.runtime.atomic_files import replaced
from primeflow_core.runtime.json_text import parse_json

if TYPE_CHECKING:
    from primeflow_core.model_store.available_conditions import Covariates
    from primeflow_core.models.predictor import Predictor

MOST_CELLS = 500
DAMAGED = (KeyError, IndexError, TypeError, ValueError, AttributeError)
PREDICTED_CONTROLS, CONTROL_SEED = 400, 0x636F6E74726F6C
"""Controls that the model makes where none were measured, from noise that no candidate is made from."""


@dataclass(frozen=True)
class Reference:
    """``cells``: controls of every context and cells of single perturbations, of training only, log-normalised CSR;
    at most 500 of a condition.

    ``target`` (m, G): cells of the target state, m = 0 without one, and ``target_controls`` (k, G), which its change is
    measured from. ``controls_predicted``: the controls were made by the model, and there are no singles.
    """

    cells: Cells
    target: np.ndarray
    target_controls: np.ndarray
    controls_predicted: bool = False

    def controls(self, covariates: "Covariates") -> np.ndarray:
        """(k, G) float32 of a context. Raises DataError where there are none."""
        control = Condition((), covariates)
        if control not in self._dense:
            found = self.cells.dense(self.cells.where(control))
            if not len(found):
                raise DataError(
                    f"There are no control cells in {control.context or 'these data'} to measure responses from. "
                    "Ask for a context that has them."
                )
            self._dense[control] = found
        return self._dense[control]

    def single(self, part: Condition) -> np.ndarray | None:
        """(n, G) float32 of one perturbation measured alone in this context; None below 4 cells."""
        rows = self.cells.where(part)
        return self.cells.dense(rows) if len(rows) >= FEWEST_CELLS else None

    def sum_cells(self, condition: Condition, cells: int, seed: int) -> np.ndarray | None:
        """(cells, G) of the sum of single effects; None where a part was not measured alone anywhere."""
        if self.controls_predicted:
            return None
        try:
            return self._sum.predict(condition, cells, seed)
        except (ConditionError, DataError):
            return None

    @cached_property
    def sha256(self) -> str:
        """The sha256 of the content."""
        found = hashlib.sha256()
        for name, array in self._arrays().items():
            found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def write(self, path: Path) -> None:
        """Write the cells to one .npz file."""
        with replaced(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **self._arrays())

    @staticmethod
    def read(path: Path) -> "Reference":
        """Raises DataError for anything but what ``write`` writes."""
        try:
            arrays = read_arrays(path, sys.maxsize)
        except DataError as error:
            raise DataError(f"{path} cannot be read: {error}. Delete its folder and screen again.") from error
        try:
            return _from_arrays(arrays, path.name)
        except DAMAGED as error:
            raise DataError(f"{path} cannot be read: {error}. Delete its folder and screen again.") from error

    @cached_property
    def _dense(self) -> dict[Condition, np.ndarray]:
        return {}

    @cached_property
    def _sum(self) -> SumOfSingles:
        return SumOfSingles(TrainingMeans.of(self.cells))

    def _arrays(self) -> dict[str, np.ndarray]:
        """Encodes text as UTF-8 bytes, which needs neither padding nor pickle."""
        values = sp.csr_matrix(self.cells.values)
        said = {
            "genes": list(self.cells.genes),
            "conditions": [condition.to_json() for condition in self.cells.conditions],
            "source": self.cells.source,
            "controls_predicted": self.controls_predicted,
        }
        return {
            "said": np.frombuffer(json.dumps(said, sort_keys=True).encode(), dtype=np.uint8),
            "data": values.data.astype(np.float32, copy=False),
            "indices": values.indices.astype(np.int32, copy=False),
            "indptr": values.indptr.astype(np.int64, copy=False),
            "condition_of": self.cells.condition_of.astype(np.int64, copy=False),
            "target": self.target.astype(np.float32, copy=False),
            "target_controls": self.target_controls.astype(np.float32, copy=False),
        }


def measured_reference(
    cells: Cells,
    folder: Path,
    genes: tuple[str, ...],
    conditions: Sequence[Condition],
    target: Condition | np.ndarray | None,
    target_controls: np.ndarray | None = None,
) -> Reference:
    """Makes the reference from measured cells, for a model of these ``genes`` in ``folder`` that predicts
    ``conditions``.

    ``target`` is a measured condition or cells (m, G), with their own controls if they come from another experiment.
    Cells that the model's split does not name were not trained on: all of them count. Raises DataError for other genes,
    and for too few controls or cells of the target.
    """
    if cells.genes != genes:
        raise DataError(
            f"{cells.source} has other genes than the model ({len(cells.genes)} and {len(genes)}, or another order). "
            "Use the file that the model was trained on."
        )
    trained = in_training(cells, folder)
    kept = _kept_rows(cells, trained, conditions)
    found, against = _target(cells, trained, conditions, target)
    return Reference(_unnamed(cells.subset(kept)), found, against if target_controls is None else target_controls)


def predicted_reference(
    predictor: "Predictor", conditions: Sequence[Condition], plan: SamplingPlan, target: np.ndarray | None = None
) -> Reference:
    """Without measured cells: 400 controls of each context as the model predicts them.

    ``target``: cells (m, G), measured from the first context's. Raises as ``Predictor.predict``.
    """
    from dataclasses import replace

    plan = replace(plan, seed=CONTROL_SEED)
    controls = tuple(dict.fromkeys(condition.control() for condition in conditions))
    made = [predictor.predict(control, PREDICTED_CONTROLS, plan) for control in controls]
    cells = Cells(
        sp.csr_matrix(np.concatenate(made)),
        predictor.genes,
        np.zeros(0, dtype="<U1"),
        controls,
        np.repeat(np.arange(len(controls)), PREDICTED_CONTROLS),
        source="predicted controls",
    )
    none = made[0][:0]
    return Reference(_unnamed(cells), *((none, none) if target is None else (target, made[0])), True)


def _kept_rows(cells: Cells, trained: np.ndarray, conditions: Sequence[Condition]) -> np.ndarray:
    """Controls of every context and cells of the parts of ``conditions`` in any, in file order."""
    asked = {condition.control() for condition in conditions}
    parts = {part.perturbations for condition in conditions for part in condition.parts}
    usable = trained if trained.any() else np.ones(len(cells), dtype=bool)
    kept = [_drawn(control_rows(cells, control, trained)[0]) for control in sorted(asked, key=lambda c: c.context)]
    for condition in cells.conditions:
        if condition.perturbations in parts or (condition.is_control and condition not in asked):
            rows = cells.where(condition)
            kept.append(_drawn(rows[usable[rows]]))
    return np.sort(np.concatenate(kept))


def _target(
    cells: Cells, trained: np.ndarray, conditions: Sequence[Condition], target: Condition | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of the target and the controls that its change is measured from."""
    if target is None:
        none = np.zeros((0, len(cells.genes)), dtype=np.float32)
        return none, none
    if isinstance(target, np.ndarray):
        rows = control_rows(cells, conditions[0], trained)[1]
        return target[_drawn(np.arange(len(target)))], cells.dense(_drawn(rows))
    others = control_rows(cells, target, trained)[1]
    rows = others if target.is_control else cells.where(target)
    if len(rows) < FEWEST_CELLS:
        raise DataError(
            f"{cells.source} has {len(rows)} cells of {target.label} in {target.context or 'all'}; a target needs "
            f"{FEWEST_CELLS} at least. Choose one that was measured."
        )
    return cells.dense(_drawn(rows)), cells.dense(_drawn(others))


def _drawn(rows: np.ndarray) -> np.ndarray:
    """At most 500 rows in order, always the same."""
    if len(rows) <= MOST_CELLS:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_CELLS, replace=False))


def _unnamed(cells: Cells) -> Cells:
    """The cells as they are read from the file: sparse, with numbers as names and without the file's wording."""
    names = np.arange(len(cells)).astype(str)
    return Cells(
        sp.csr_matrix(cells.values), cells.genes, names, cells.conditions, cells.condition_of, source=cells.source
    )


def _from_arrays(stored: dict[str, np.ndarray], name: str) -> Reference:
    said = parse_json(stored["said"].tobytes().decode())
    genes = tuple(said["genes"])
    condition_of = stored["condition_of"]
    shape = (len(condition_of), len(genes))
    values = sp.csr_matrix((stored["data"], stored["indices"], stored["indptr"]), shape=shape)
    values.check_format()
    conditions = tuple(Condition.from_json(one) for one in said["conditions"])
    if not all(
        cells.ndim == 2 and cells.shape[1] == len(genes) for cells in (stored["target"], stored["target_controls"])
    ):
        raise DataError(f"{name} holds a target of other genes than its cells. Delete its folder and screen again.")
    if len(condition_of) and not 0 <= condition_of.min() <= condition_of.max() < len(conditions):
        raise DataError(f"{name} names conditions that it does not list. Delete its folder and screen again.")
    names = np.arange(len(condition_of)).astype(str)
    cells = Cells(values, genes, names, conditions, condition_of, source=said["source"])
    return Reference(cells, stored["target"], stored["target_controls"], bool(said["controls_predicted"]))
