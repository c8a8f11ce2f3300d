"""Linear Additive: each perturbation adds its own constant to a control cell (PerturBench, spec "The baselines").

softplus(x_control + W [perturbations, covariates] + b), learnt by squared error from random pairs of a perturbed cell
and a control cell of the same context.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import softplus

from primeflow_core.data.conditions import Vocabulary
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.from_controls import PairedWithControls


@dataclass(frozen=True)
class LinearConfig(Architecture):
    """``use_covariates``: contexts have constants of their own, added to those of the perturbations."""

    use_covariates: bool = True

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "LinearAdditive":
        return LinearAdditive(genes, vocabulary, self)


class LinearAdditive(PairedWithControls):
    """What the perturbations add is the same for every control cell."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: LinearConfig) -> None:
        super().__init__(genes, vocabulary)
        self._inputs = vocabulary.size if config.use_covariates else len(vocabulary.perturbations)
        self.shift = nn.Linear(self._inputs, len(self.genes))

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        return softplus(drawn + self.shift(condition[:, : self._inputs]))
