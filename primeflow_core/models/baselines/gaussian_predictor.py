"""The Gaussian part of PRiMeFlow-plus as a saved model of its own: noise carried to N(m, S) in closed form."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.models.baselines.architecture import Architecture
from primeflow_core.models.baselines.direct import DirectPredictor
from primeflow_core.models.flow.gaussian import GaussianVelocity
from primeflow_core.models.kinds.kind import ModelParts, RecipeRow
from primeflow_core.models.kinds.training_settings import CLOSED
from primeflow_core.models.predictor import Batch
from primeflow_core.models.sampling_plan import SamplingPlan

UNGUIDED = 1.0
PATH = "linear"
"""Either path ends at the same Gaussian."""


@dataclass(frozen=True)
class GaussianConfig(Architecture):
    """``factors`` of the covariance; ``interplay``: whether parts scale each other, as in the flow of this name."""

    factors: int = 64
    interplay: bool = True

    def __post_init__(self) -> None:
        if self.factors < 1:
            raise SettingError(f"factors is {self.factors}; it must be 1 or more.")

    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "GaussianPredictor":
        return GaussianPredictor(genes, vocabulary, self)


class GaussianPredictor(DirectPredictor):
    """Makes cells of a condition by drawing from the fitted Gaussian."""

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary, config: GaussianConfig) -> None:
        super().__init__(genes, vocabulary)
        interacting = len(vocabulary.perturbations) if config.interplay else 0
        self.gaussian = GaussianVelocity(len(self.genes), vocabulary.size, config.factors, PATH, interacting)

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        super().fit_statistics(chunks)
        self.gaussian.fit(lambda: ((batch.x_1, batch.condition) for batch in chunks()))

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(B,) squared distance to a draw of the same condition, mean over genes."""
        noise = torch.randn(batch.x_1.shape, generator=generator, device=batch.x_1.device)
        return (self.made(noise, batch.condition) - batch.x_1).square().mean(dim=1)

    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        return torch.randn(cells, len(self.genes), generator=generator)

    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        with torch.autocast(drawn.device.type, enabled=False):
            return self.gaussian.carried(drawn, self.gaussian.mean_of(condition, UNGUIDED), 0.0, 1.0)

    @torch.inference_mode()
    def mean_of(self, condition: Condition) -> np.ndarray:
        """(G,) float64. Raises ConditionError for anything outside the vocabulary."""
        mean: np.ndarray = self.gaussian.mean_of(self.encoded(condition), UNGUIDED)[0].double().cpu().numpy()
        return mean

    def cells_of(self, condition: Condition, cells: int, seed: int) -> np.ndarray:
        """(cells, G) float32, at least 0."""
        return self.predict(condition, cells, self.settled(SamplingPlan(seed=seed, zeros="smallest")))


GAUSSIAN = ModelParts(
    GaussianConfig,
    (
        RecipeRow(
            "gaussian",
            "the Gaussian part of PRiMeFlow-plus without its network",
            {"gaussian": GaussianConfig()},
            CLOSED,
        ),
    ),
)
