"""The space the flow runs in, log-normalised genes or their principal components, and the way back to expression."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from types import MappingProxyType

import torch
from torch import Tensor, nn

ZERO_FACTOR = {"clip": 0.0, "half-smallest": 0.5, "smallest": 1.0}
GENES, COMPONENTS = "genes", "components"

WHOLE = 2000
"""Up to so many genes the principal components are exact, in one reading of the cells."""
SPARE, READINGS = 32, 12
"""Beyond: so many directions more are followed, over so many readings."""

Chunks = Callable[[], Iterable[Tensor]]


def smallest_nonzero(x_1: Tensor) -> Tensor:
    """(N, G) training cells to (G,): each gene's smallest value above 0; infinite for a gene that is always 0."""
    return torch.where(x_1 > 0, x_1, torch.inf).amin(dim=0)


def to_expression(x_1: Tensor, smallest: Tensor, zeros: str) -> Tensor:
    """Values of the flow at t = 1 (B, G) to expression >= 0.

    Log-normalised counts are mostly exact zeros and a continuous flow emits near-zeros: ``zeros`` names what
    becomes 0, negative values only (``clip``) or also what lies below (half of) ``smallest`` (G,).
    """
    clipped = x_1.clamp_min(0)
    factor = ZERO_FACTOR[zeros]
    return clipped if factor == 0 else torch.where(clipped < factor * smallest, 0.0, clipped)


class Space(nn.Module, ABC):
    """The space of x_0, x_t and x_1 of a flow, with ``dimensions`` D."""

    dimensions: int

    @abstractmethod
    def fit(self, chunks: Chunks) -> None:
        """Compute the statistics that are needed, from (n, G) training cells at a time. Each call reads them again."""

    @abstractmethod
    def inside(self, cells: Tensor) -> Tensor:
        """(B, G) genes to (B, D)."""

    @abstractmethod
    def outside(self, values: Tensor) -> Tensor:
        """(B, D) back to (B, G) genes, which may be negative."""


class GeneSpace(Space):
    """Genes as they are."""

    def __init__(self, genes: int) -> None:
        super().__init__()
        self.dimensions = genes

    def fit(self, chunks: Chunks) -> None:
        """Does nothing: this space needs no statistics."""

    def inside(self, cells: Tensor) -> Tensor:
        return cells

    def outside(self, values: Tensor) -> Tensor:
        return values


class ComponentSpace(Space):
    """Principal components of the training cells, centred, not scaled; each with its largest loading positive.

    ``centre`` (G,) and orthonormal ``axes`` (G, D), by falling variance; D is at most G.
    """

    centre: Tensor
    axes: Tensor

    def __init__(self, genes: int, components: int) -> None:
        super().__init__()
        self.dimensions = min(components, genes)
        self.register_buffer("centre", torch.zeros(genes))
        self.register_buffer("axes", torch.eye(genes, self.dimensions))

    @torch.no_grad()
    def fit(self, chunks: Chunks) -> None:
        """Subspace iteration on the covariance of all cells, so that neither cells nor covariance fill the memory."""
        centre = _mean(chunks)
        genes = len(centre)
        width = genes if genes <= WHOLE else min(genes, self.dimensions + SPARE)
        start = torch.randn(genes, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        basis = torch.linalg.qr(start.to(centre.device)).Q
        for _ in range(0 if width == genes else READINGS):
            basis = torch.linalg.qr(_through_covariance(chunks, centre, basis)).Q
        variances = basis.T @ _through_covariance(chunks, centre, basis)
        _, turned = torch.linalg.eigh((variances + variances.T) / 2)
        axes = (basis @ turned.flip(1))[:, : self.dimensions]
        largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
        self.centre.copy_(centre)
        self.axes.copy_(torch.where(largest < 0, -axes, axes))

    def inside(self, cells: Tensor) -> Tensor:
        with torch.autocast(cells.device.type, enabled=False):
            return (cells.float() - self.centre) @ self.axes

    def outside(self, values: Tensor) -> Tensor:
        with torch.autocast(values.device.type, enabled=False):
            return values.float() @ self.axes.T + self.centre


def _mean(chunks: Chunks) -> Tensor:
    sums = [(cells.sum(dim=0, dtype=torch.float64), len(cells)) for cells in chunks()]
    return torch.stack([total for total, _ in sums]).sum(dim=0) / sum(count for _, count in sums)


def _through_covariance(chunks: Chunks, centre: Tensor, basis: Tensor) -> Tensor:
    """The scatter of all cells about ``centre`` times ``basis`` (G, k)."""
    product = torch.zeros_like(basis)
    for cells in chunks():
        off = cells.double() - centre
        product += off.T @ (off @ basis)
    return product


SPACES: MappingProxyType[str, Callable[[int, int], Space]] = MappingProxyType(
    {GENES: lambda genes, _: GeneSpace(genes), COMPONENTS: ComponentSpace}
)
"""The space of that name, for so many genes and principal components."""
