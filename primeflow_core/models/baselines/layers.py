"""The block that all baselines of PerturBench are made of."""

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear, then ``layers`` of linear, LayerNorm without weights, ReLU and dropout, then linear."""

    def __init__(self, inputs: int, width: int, outputs: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        blocks = [
            part
            for _ in range(layers)
            for part in (
                nn.Linear(width, width),
                nn.LayerNorm(width, elementwise_affine=False),
                nn.ReLU(),
                nn.Dropout(dropout),
            )
        ]
        self.stack = nn.Sequential(nn.Linear(inputs, width), *blocks, nn.Linear(width, outputs))

    def forward(self, h: Tensor) -> Tensor:
        found: Tensor = self.stack(h)
        return found
