"""A student of a velocity field: cells from noise with one evaluation, guidance included.

The exponential midpoint rule carries noise along the Gaussian's velocity, which costs nothing, to a time HALFWAY,
evaluates what the network adds there, and takes that for the whole way from t = 0 to t = 1. The student starts as the
field used in this way and learns what the right average is (distillation.py). The guidance weight is one of its inputs.
The field needs two evaluations for guidance.
"""

import torch
from torch import Tensor, nn

from primeflow_core.models.flow.gaussian import GaussianVelocity
from primeflow_core.models.flow.unet import UNetConfig, UNetField

HALFWAY = 0.6
"""The best of the times .3 to .9 for the rule before training (docs/experiments.md)."""
HIGHEST_GUIDANCE = 5.0
GUIDANCE_CHANNELS = 2


class Student(nn.Module):
    """A velocity field with two more input channels, for the guidance weight. One evaluation makes the cells."""

    def __init__(self, config: UNetConfig, genes: int, condition_channels: int) -> None:
        super().__init__()
        self.field = UNetField(config, genes, condition_channels + GUIDANCE_CHANNELS)

    @torch.no_grad()
    def start_as(self, field: UNetField) -> None:
        """Take the weights of ``field``; guidance changes nothing yet."""
        taught = {name: tensor.clone() for name, tensor in field.state_dict().items()}
        first = taught["modulation.condition.0.weight"]
        taught["modulation.condition.0.weight"] = torch.cat(
            [first, first.new_zeros(len(first), GUIDANCE_CHANNELS)], dim=1
        )
        self.field.load_state_dict(taught)

    def forward(self, gaussian: GaussianVelocity, x_0: Tensor, condition: Tensor, guidance: Tensor) -> Tensor:
        """Noise x_0 (B, G), conditions (B, C) and guidance weights (B,) from 1 to 5, to x_1 (B, G) in float32.

        Condition and weight may be one row for all cells, whose embedding is then computed once.
        """
        with torch.autocast(x_0.device.type, enabled=False):
            mean = gaussian.mean_of(condition, guidance.unsqueeze(-1))
            halfway = gaussian.carried(x_0, mean, 0.0, HALFWAY)
        weight = torch.stack([(guidance - 1) / (HIGHEST_GUIDANCE - 1), guidance.log()], dim=-1)
        t = x_0.new_full((len(condition),), HALFWAY)
        null = torch.zeros(len(condition), dtype=torch.bool, device=x_0.device)
        learned = self.field(halfway, t, torch.cat([condition, weight], dim=-1), null).float()
        with torch.autocast(x_0.device.type, enabled=False):
            return gaussian.carried(x_0, mean, 0.0, 1.0) + gaussian.gain(0.0, 1.0) * learned
