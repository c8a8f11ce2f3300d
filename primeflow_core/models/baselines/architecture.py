"""The row of numbers that describes a model other than a flow."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from primeflow_core.data.conditions import Vocabulary

if TYPE_CHECKING:
    from primeflow_core.models.predictor import Predictor


@dataclass(frozen=True)
class Architecture(ABC):
    """Numbers of one model, all of them with a default."""

    @abstractmethod
    def build(self, genes: Sequence[str], vocabulary: Vocabulary) -> "Predictor":
        """The model with fresh weights, for cells of these genes and conditions of this vocabulary."""
