"""A path over all genes at once, in addition to the U-Net.

Convolutions along an arbitrary order of genes find sums over all genes late, and a condition reaches a single gene
only through features that many genes share. This path reads every gene into one vector, and gives each gene a scale
and a shift of its own by time and condition. It has no part in the paper's recipes.
"""

import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = 2


class DenseBlock(nn.Module):
    """LayerNorm, scaled and shifted by the modulation, and two linear layers, gated and added to the input."""

    def __init__(self, width: int, modulation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(modulation, 3 * width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        scale, shift, gate = self.modulate(modulation).chunk(3, dim=-1)
        branch = self.widen(self.norm(h) * (1 + scale) + shift)
        return h + (1 + gate) * self.narrow(F.silu(branch))


class DensePath(nn.Module):
    """x_t (B, G) and modulation (B, M) to what is added to the velocity (B, G)."""

    def __init__(self, genes: int, width: int, modulation: int) -> None:
        super().__init__()
        self.inside = nn.Linear(genes, width)
        self.blocks = nn.ModuleList([DenseBlock(width, modulation) for _ in range(BLOCKS)])
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.outside = nn.Linear(width, genes)
        self.of_gene = nn.Linear(modulation, 2 * genes)
        for layer in (self.outside, self.of_gene):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x_t: Tensor, modulation: Tensor) -> Tensor:
        modulation = F.silu(modulation)
        h = self.inside(x_t)
        for block in self.blocks:
            h = block(h, modulation)
        scale, shift = self.of_gene(modulation).chunk(2, dim=-1)
        added: Tensor = self.outside(self.norm(h)) + scale * x_t + shift
        return added
