"""The base of the paper's baselines: they make cells in one pass, without steps and without guidance."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from primeflow_core.data.conditions import Condition, Vocabulary
from primeflow_core.errors import SettingError
from primeflow_core.models.precision import products
from primeflow_core.models.predictor import Batch, Predictor
from primeflow_core.models.sampling_plan import DIRECT, MOST_CELLS, OnProgress, SamplingPlan, SamplingProgress
from primeflow_core.models.space import smallest_nonzero, to_expression


class DirectPredictor(Predictor):
    """Makes cells in one pass: subclasses say how in ``made``, from cells that ``drawn`` gives them."""

    smallest: Tensor

    def __init__(self, genes: Sequence[str], vocabulary: Vocabulary) -> None:
        super().__init__(genes, vocabulary)
        self.register_buffer("smallest", torch.zeros(len(self.genes)))

    def fit_statistics(self, chunks: Callable[[], Iterable[Batch]]) -> None:
        self.smallest.copy_(torch.stack([smallest_nonzero(batch.x_1) for batch in chunks()]).amin(dim=0))

    def settled(self, plan: SamplingPlan) -> SamplingPlan:
        if plan.guidance != 1:
            raise SettingError(
                f"The guidance weight is {plan.guidance:g}, and this model has no guidance. Use --guidance 1."
            )
        return super().settled(plan).by(DIRECT)

    @torch.inference_mode()
    def predict(
        self, condition: Condition, cells: int, plan: SamplingPlan, on_progress: OnProgress | None = None
    ) -> np.ndarray:
        if not 1 <= cells <= MOST_CELLS:
            raise SettingError(f"Asked for {cells:,} cells; ask for 1 to {MOST_CELLS:,}.")
        plan = self.settled(plan)
        encoded = self.encoded(condition)
        generator = torch.Generator().manual_seed(plan.seed)
        drawn = self.drawn(encoded, cells, generator)
        result = np.empty((cells, len(self.genes)), dtype=np.float32)
        self.eval()
        for first in range(0, cells, plan.batch_size):
            batch = drawn[first : first + plan.batch_size].to(self.device)
            with products(plan.precision, self.device):
                x_1 = self.made(batch, encoded.expand(len(batch), -1))
            values = to_expression(x_1.float(), self.smallest, plan.zeros).cpu().numpy()
            result[first : first + len(batch)] = values
            if on_progress is not None:
                on_progress(SamplingProgress(first, cells, 1, 1, values))
        return result

    @abstractmethod
    def drawn(self, condition: Tensor, cells: int, generator: torch.Generator) -> Tensor:
        """The input of ``made``, one row for each of ``cells``, for a condition (1, C): control cells, or noise.

        Drawn on the CPU from ``generator`` at once, so that the size of batches changes nothing.
        """

    @abstractmethod
    def made(self, drawn: Tensor, condition: Tensor) -> Tensor:
        """(B, G) cells from rows of ``drawn`` and conditions (B, C)."""
