"""The row of numbers that describes a velocity field."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class FieldConfig(ABC):
    """Numbers of one field, all of them with a default."""

    @abstractmethod
    def build(self, outputs: int, condition_channels: int) -> nn.Module:
        """The field with fresh weights: (x_t (B, D), t (B,), condition (B, C), null (B,)) -> velocity (B, D)."""
