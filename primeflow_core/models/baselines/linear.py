"""Linear Additive: each perturbation adds its own constant to a control cell (PerturBench, spec "The baselines").

softplus(x_control + W [perturbations, covariates] + b), learnt by squared error from random pairs of a perturbed cell
and a control cell of the same context.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import softplus

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.from_controls import PairedWithControls
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.ranges import Real
from primeflow_core.models.kinds.search_space import YES_OR_NO, SearchSpace, both
from primeflow_core.models.kinds.training_settings import (
    CPU,
    JIANG,
    JIANG_DATA,
    NORMAN,
    ON_A_CPU,
    PERTURBENCH,
    SRIVATSAN,
    best,
)


@dataclass(frozen=True)
class LinearConfig(Architecture):
    """``use_covariates``: contexts have constants of their own, added to those of the perturbations."""

    use_covariates: bool = True

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "LinearAdditive":
        return LinearAdditive(genes, vocabulary, self)


class LinearAdditive(PairedWithControls):
    """The perturbations add the same to every control cell."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: LinearConfig) -> None:
        super().__init__(genes, vocabulary)
        self._inputs = vocabulary.size if config.use_covariates else len(vocabulary.perturbations)
        self.shift = nn.Linear(self._inputs, len(self.genes))

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        return softplus(drawn + self.shift(condition[:, : self._inputs]))


def _best(data: str, config: LinearConfig, training: Mapping[str, Any], rate: float, decay: float) -> RecipeRow:
    numbers = {**training, "learning_rate": rate, "weight_decay": decay}
    return RecipeRow(f"linear-{data.lower()}", best("Linear Additive", data), {"linear": config}, numbers, large=True)


LINEAR = ModelParts(
    LinearConfig,
    (
        RecipeRow(
            "linear",
            f"Linear Additive, {ON_A_CPU}",
            {"linear": LinearConfig()},
            {**CPU, "learning_rate": 2e-2, "steps": 2000},
        ),
        _best(NORMAN, LinearConfig(use_covariates=False), PERTURBENCH, 4.717e-3, 1.76e-8),
        _best(SRIVATSAN, LinearConfig(), PERTURBENCH, 7.788e-4, 1.06e-8),
        _best(JIANG_DATA, LinearConfig(), JIANG, 1.421e-3, 1.01e-8),
    ),
    # A model of one layer has no size of its own, and takes larger steps.
    SearchSpace({"use_covariates": YES_OR_NO}, rate=both(Real(1e-4, 1e-1, log=True))),
)
