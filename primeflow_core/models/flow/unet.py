"""The velocity field v(x_t, t, condition): a 1-D U-Net along the gene axis (paper, section 3).

The trunk follows guided diffusion: residual blocks with GroupNorm, SiLU and two convolutions of width 3,
scaled and shifted by time and condition; learned strided down-sampling; nearest-neighbour up-sampling and
a convolution; self-attention at the named down-sampling factor; skip connections.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.dense import DensePath
from primeflow_core.models.flow.embedding import GeneTokens, Modulation, mlp
from primeflow_core.models.flow.field_config import FieldConfig
from primeflow_core.models.kinds.kind import ModelParts
from primeflow_core.models.kinds.ranges import OptionRange, Real, Whole
from primeflow_core.models.kinds.search_space import Searched, SearchSpace, both


@dataclass(frozen=True)
class UNetConfig(FieldConfig):
    """Sizes of the field. ``fold`` neighbouring genes share one position of the trunk (1: the paper's resolution).

    ``readout`` "position": one convolution from the trunk to the velocities (the paper). "gene": the trunk is
    unfolded into features of each gene, which a small MLP reads together with the gene's own token; a folded
    trunk is too narrow to carry every value through. ``dense``: width of a path over all genes beside the trunk; 0:
    none (the paper).
    """

    channels: int = 256
    channel_mult: tuple[int, ...] = (1, 2, 2, 4, 4)
    num_res_blocks: int = 2
    attention_at: tuple[int, ...] = (16,)
    heads: int = 8
    dropout: float = 0.1
    gene_features: int = 256
    gene_join: Literal["add", "concat"] = "add"
    value_layers: int = 2
    condition_layers: int = 2
    fold: int = 1
    readout: Literal["position", "gene"] = "position"
    dense: int = 0

    def __post_init__(self) -> None:
        if self.channels % 8 or self.channels < 8:
            raise SettingError(f"channels is {self.channels}; it must be a multiple of 8.")
        if self.gene_features % 4 or self.fold < 1:
            raise SettingError(f"gene_features ({self.gene_features}) must be a multiple of 4 and fold at least 1.")
        if self.dense < 0:
            raise SettingError(f"dense is {self.dense}; it must be 0 or more.")
        if self.gene_join not in ("add", "concat"):
            raise SettingError(f"gene_join is {self.gene_join!r}; it must be add or concat.")
        if self.readout not in ("position", "gene"):
            raise SettingError(f"readout is {self.readout!r}; it must be position or gene.")
        if self.heads < 1:
            raise SettingError(f"heads is {self.heads}; it must be 1 or more.")
        if any(self.channels * mult % self.heads for mult in self.channel_mult):
            raise SettingError(f"every level's channels must divide into {self.heads} heads.")

    def build(self, outputs: int, condition_channels: int) -> "UNetField":
        """The field with fresh weights."""
        return UNetField(self, outputs, condition_channels)

    @property
    def positions_multiple(self) -> int:
        """Gene counts are padded to a multiple of this."""
        return self.fold * 2 ** (len(self.channel_mult) - 1)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(32, channels // 8), channels)


Layer = TypeVar("Layer", nn.Conv1d, nn.Linear)


def _zeroed(layer: Layer) -> Layer:
    # Residual branches that start at zero make a deep net trainable from the first step (guided diffusion).
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """GroupNorm, SiLU, convolution; scale and shift by the modulation; again; plus a skip connection."""

    def __init__(self, inside: int, outside: int, modulation: int, dropout: float) -> None:
        super().__init__()
        self.norm_in, self.norm_out = _norm(inside), _norm(outside)
        self.conv_in = nn.Conv1d(inside, outside, 3, padding=1)
        self.modulate = nn.Linear(modulation, 2 * outside)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = _zeroed(nn.Conv1d(outside, outside, 3, padding=1))
        self.skip = nn.Identity() if inside == outside else nn.Conv1d(inside, outside, 1)

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        branch = self.conv_in(F.silu(self.norm_in(h)))  # (B, outside, L)
        scale, shift = self.modulate(F.silu(modulation)).unsqueeze(-1).chunk(2, dim=1)
        branch = self.norm_out(branch) * (1 + scale) + shift
        return self.skip(h) + self.conv_out(self.dropout(F.silu(branch)))


class Attention(nn.Module):
    """Self-attention of every position to every other, added to its input."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = _norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        batch, channels, length = h.shape
        qkv = self.qkv(self.norm(h)).view(batch, 3, self.heads, channels // self.heads, length)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # (B, heads, L, channels / heads)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return h + self.out(mixed.transpose(-1, -2).reshape(batch, channels, length))


class Downsample(nn.Module):
    """Halves the positions with a learned convolution of stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, stride=2, padding=1)

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        return self.conv(h)


class Upsample(nn.Module):
    """Doubles the positions by repetition, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        return self.conv(h.repeat_interleave(2, dim=-1))


class Stage(nn.ModuleList):
    """Layers in a row that share the modulation."""

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        for layer in self:
            h = layer(h, modulation)
        return h


class Trunk(nn.Module):
    """Down, middle and up stages; (B, channels, L) to (B, channels, L) with L a multiple of 2^(levels - 1)."""

    def __init__(self, config: UNetConfig, modulation: int) -> None:
        super().__init__()
        self.down, skips = _down_stages(config, modulation)
        deepest = skips[-1]
        self.middle = Stage(
            [
                ResidualBlock(deepest, deepest, modulation, config.dropout),
                Attention(deepest, config.heads),
                ResidualBlock(deepest, deepest, modulation, config.dropout),
            ]
        )
        self.up = _up_stages(config, modulation, skips)

    def forward(self, h: Tensor, modulation: Tensor) -> Tensor:
        skips = [h]
        for stage in self.down:
            h = stage(h, modulation)
            skips.append(h)
        h = self.middle(h, modulation)
        for stage in self.up:
            h = stage(torch.cat([h, skips.pop()], dim=1), modulation)
        return h


def _residual_stage(inside: int, outside: int, factor: int, modulation: int, config: UNetConfig) -> Stage:
    stage = Stage([ResidualBlock(inside, outside, modulation, config.dropout)])
    if factor in config.attention_at:
        stage.append(Attention(outside, config.heads))
    return stage


def _down_stages(config: UNetConfig, modulation: int) -> tuple[nn.ModuleList, list[int]]:
    stages, width, skips = nn.ModuleList(), config.channels, [config.channels]
    last = len(config.channel_mult) - 1
    for level, mult in enumerate(config.channel_mult):
        for _ in range(config.num_res_blocks):
            stages.append(_residual_stage(width, config.channels * mult, 2**level, modulation, config))
            width = config.channels * mult
            skips.append(width)
        if level < last:
            stages.append(Stage([Downsample(width)]))
            skips.append(width)
    return stages, skips


def _up_stages(config: UNetConfig, modulation: int, skips: list[int]) -> nn.ModuleList:
    stages, width, remaining = nn.ModuleList(), skips[-1], list(skips)
    for level, mult in reversed(list(enumerate(config.channel_mult))):
        for block in range(config.num_res_blocks + 1):
            stage = _residual_stage(
                width + remaining.pop(), config.channels * mult, 2**level, modulation, config
            )  # fmt: skip
            width = config.channels * mult
            if level and block == config.num_res_blocks:
                stage.append(Upsample(width))
            stages.append(stage)
    return stages


class PositionReadout(nn.Module):
    """GroupNorm, SiLU and one convolution to the velocities of a position's genes (guided diffusion)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        width = config.channels * config.channel_mult[0]
        self.norm = _norm(width)
        self.conv = _zeroed(nn.Conv1d(width, config.fold, 3, padding=1))

    def forward(self, h: Tensor, tokens: Tensor) -> Tensor:
        """(B, channels, L) to (B, fold L); the tokens are not looked at."""
        return self.conv(F.silu(self.norm(h))).transpose(1, 2).flatten(1)


class GeneReadout(nn.Module):
    """Features of each gene, unfolded from its position, and its token through one MLP that all genes share."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        width, features = config.channels * config.channel_mult[0], config.gene_features
        self.features = features
        self.norm = _norm(width)
        self.unfold = nn.Conv1d(width, config.fold * features, 3, padding=1)
        self.mix = mlp([2 * features, 2 * features])
        self.velocity = _zeroed(nn.Linear(2 * features, 1))

    def forward(self, h: Tensor, tokens: Tensor) -> Tensor:
        """(B, channels, L) and tokens (B, G, d) to (B, G)."""
        unfolded = self.unfold(F.silu(self.norm(h))).transpose(1, 2)  # (B, L, fold d)
        context = unfolded.reshape(len(h), -1, self.features)[:, : tokens.shape[1]]  # (B, G, d)
        mixed = F.silu(self.mix(torch.cat([context, tokens], dim=-1)))
        return self.velocity(mixed).squeeze(-1)


class UNetField(nn.Module):
    """v(x_t, t, condition) for G genes and C condition channels."""

    def __init__(self, config: UNetConfig, genes: int, condition_channels: int) -> None:
        super().__init__()
        self.config = config
        self.genes = genes
        self.padded = math.ceil(genes / config.positions_multiple) * config.positions_multiple
        modulation = 4 * config.channels
        self.tokens = GeneTokens(genes, config.gene_features, config.value_layers, config.gene_join)
        self.modulation = Modulation(condition_channels, config.channels, modulation, config.condition_layers)
        self.stem = nn.Conv1d(config.fold * config.gene_features, config.channels, 3, padding=1)
        self.trunk = Trunk(config, modulation)
        self.readout = GeneReadout(config) if config.readout == "gene" else PositionReadout(config)
        self.dense = DensePath(genes, config.dense, modulation) if config.dense else None

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> Tensor:
        """Velocity of every gene.

        x_t (B, G) float; t (B,) in [0, 1]; condition (B, C); null (B,) bool, True where the condition is omitted. These
        three may be one row for all cells. Returns (B, G).
        """
        modulation = self.modulation(t, condition, null)  # (B, M)
        tokens = self.tokens(x_t)  # (B, G, d)
        h = self.stem(self._folded(tokens))  # (B, channels, L)
        h = self.trunk(h, modulation)
        velocity: Tensor = self.readout(h, tokens)[:, : self.genes]
        return velocity if self.dense is None else velocity + self.dense(x_t, modulation)

    def _folded(self, tokens: Tensor) -> Tensor:
        """(B, G, d) to (B, fold d, L). Padding comes after the embedding, so it is always zeros."""
        tokens = F.pad(tokens, (0, 0, 0, self.padded - self.genes))
        folded = tokens.reshape(len(tokens), self.padded // self.config.fold, -1)
        return folded.transpose(1, 2)


UNET = ModelParts(
    UNetConfig,
    search=SearchSpace(
        {
            "channels": Searched(Whole(16, 96, step=16), Whole(128, 320, step=64)),
            "channel_mult": Searched(None, OptionRange(((1, 1, 2, 2, 4), (1, 2, 2, 4, 4)))),
            "num_res_blocks": both(Whole(1, 3)),
            "gene_features": Searched(OptionRange((8, 16, 32)), OptionRange((128, 256))),
            "dropout": both(Real(0.0, 0.3, step=0.1)),
            "dense": Searched(OptionRange((128, 256, 512)), None, unless=("dense", 0)),
        },
        extent="channels",
        large=128,
    ),
)
