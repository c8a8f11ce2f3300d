"""The part of the velocity that is known in closed form: that of a Gaussian fitted to the training cells.

Were the cells of a condition Gaussian, N(m, S), x_t = a x_0 + b x_1 would be Gaussian too, and its velocity linear:

    v(x_t) = b' m + (a a' I + b b' S) (a^2 I + b^2 S)^-1 (x_t - b m)

with a, b of the path. The mean m is a constant plus the sum of what the parts of the condition and its covariates add,
each part scaled by the others as measured pairs show it (composition/scaling.py), so a combination never seen starts
as the sum of its parts, or as similar pairs differ from theirs; S is the covariance within conditions, its first
eigenvectors and a variance of its own for each gene. A network finds neither easily: both need sums over all genes or
over all noise. It learns what is left, scaled to the size that it has in each gene at each t, as Karras et al. (2022,
"Elucidating the design space of diffusion-based generative models") scale a denoiser.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from primeflow_core.models.composed_cells.scaling import MeasuredEffects, scalings
from primeflow_core.models.flow.path import PATHS, Weights
from primeflow_core.models.torch_rng import drawing

Chunks = Callable[[], Iterable[tuple[Tensor, Tensor]]]

FLOOR = 0.05
"""Smallest standard deviation of a gene, in log expression: a silent gene's is 0, which nothing can be scaled by."""
PRIOR_CELLS = 10.0
"""A part's effect is shrunk as if it had been measured on so many cells more, without effect."""
MOST_CELLS = 20_000
"""Cells that the covariance is taken from."""


class GaussianVelocity(nn.Module):
    """Velocity of the fitted Gaussian, and the scale of what it leaves to the network."""

    mean: Tensor
    spread: Tensor
    directions: Tensor
    variances: Tensor
    rest: Tensor
    scalings: Tensor | None

    def __init__(self, genes: int, condition_channels: int, factors: int, path: str, interacting: int = 0) -> None:
        """``interacting``: how many of the first channels are perturbations that may scale each other; 0: all add."""
        super().__init__()
        self.path = PATHS[path]
        factors = min(factors, genes)
        self.effects = nn.Parameter(torch.zeros(condition_channels, genes))
        self.register_buffer("mean", torch.zeros(genes))
        self.register_buffer("spread", torch.ones(genes))
        self.register_buffer("directions", torch.zeros(genes, factors))
        self.register_buffer("variances", torch.ones(factors))
        self.register_buffer("rest", torch.ones(genes))
        self.register_buffer("scalings", torch.zeros(interacting, interacting) if interacting else None)

    @torch.no_grad()
    def fit(self, chunks: Chunks) -> None:
        """Take means and covariance from cells (n, G) with encoded conditions (n, C), read twice in chunks."""
        distinct, means, count = condition_means(chunks())
        of_condition = {tuple(row.tolist()): i for i, row in enumerate(distinct)}
        thinned = -(-int(count.sum()) // MOST_CELLS)
        within = torch.cat(
            [
                cells[::thinned] - means[[of_condition[tuple(row.tolist())] for row in condition[::thinned]]]
                for cells, condition in chunks()
            ]
        )
        self.spread.copy_((within.square().mean(dim=0) + FLOOR**2).sqrt())
        self._fit_effects(distinct, means, count)
        self._fit_directions(within)

    def _fit_effects(self, condition: Tensor, means: Tensor, count: Tensor) -> None:
        """Call it after ``spread`` is known, which gives the noise of the means."""
        if self.scalings is not None:
            variance = float(self.spread.square().sum()) / count.double().cpu().numpy()
            found = scalings(measured_effects(condition, means, variance, len(self.scalings)))
            self.scalings.copy_(torch.from_numpy(found))
        mean, effects = additive_means(self.strengths(condition), means, count)
        self.mean.copy_(mean)
        self.effects.copy_(effects)

    def strengths(self, condition: Tensor) -> Tensor:
        """Conditions (B, C) in which each perturbation is scaled by the others, at least 0."""
        if self.scalings is None:
            return condition
        parts = condition[:, : len(self.scalings)]
        scaled = parts * (1 + parts @ self.scalings.T).clamp_min(0.0)
        return torch.cat([scaled, condition[:, len(self.scalings) :]], dim=1)

    def _fit_directions(self, within: Tensor) -> None:
        with drawing(0):
            found = min(self.directions.shape[1], *within.shape)
            _, singular, directions = torch.svd_lowrank(within, q=found, niter=4)
        variances = (singular.square() / len(within)).clamp_min(FLOOR**2)
        self.directions[:, :found] = directions
        self.variances[:found] = variances
        rest = within.square().mean(dim=0) - directions.square() @ variances
        self.rest.copy_(rest.clamp_min(FLOOR**2))

    def forward(self, x_t: Tensor, t: Tensor, condition: Tensor, null: Tensor) -> tuple[Tensor, Tensor]:
        """Velocity and scale, both (B, G) in float32, for x_t (B, G), t (B,), condition (B, C), null (B,) bool."""
        with torch.autocast(x_t.device.type, enabled=False):
            at = self.path(t.unsqueeze(-1))
            mean = self.mean + torch.where(null.unsqueeze(-1), 0.0, self.strengths(condition) @ self.effects)
            off = x_t - at.cell * mean
            along = off @ self.directions  # (B, factors)
            per_gene = _slope(at, self.rest)
            velocity = at.cell_rate * mean + per_gene * off
            # Along the directions the slope is that of their variance, in place of each gene's own.
            velocity = velocity + (_slope(at, self.variances) * along) @ self.directions.T
            velocity = velocity - per_gene * (along @ self.directions.T)
            return velocity, self.spread / (at.source**2 + at.cell**2 * self.spread**2).sqrt()

    def mean_of(self, condition: Tensor, guidance: float | Tensor) -> Tensor:
        """(B, G) mean of the guided velocity for a weight, or one of each row (B, 1).

        Guidance is linear in the mean, and the slopes do not depend on it.
        """
        return self.mean + guidance * (self.strengths(condition) @ self.effects)

    def carried(self, x_t: Tensor, mean: Tensor, t: float, u: float) -> Tensor:
        """x_t (B, G) from t to u along the Gaussian's velocity: each direction grows with its standard deviation.

        Exact where ``rest`` is the same for all genes; else its error falls with u - t.
        """
        before, after = self._at(t), self._at(u)
        off = x_t - before.cell * mean
        along = off @ self.directions
        own = _growth(before, after, self.rest) * (off - along @ self.directions.T)
        return after.cell * mean + own + (_growth(before, after, self.variances) * along) @ self.directions.T

    def gain(self, t: float, u: float) -> Tensor:
        """(G,) what a network output of 1 between t and u adds at u.

        With sigma(t)^2 = a^2 + b^2 spread^2 a deviation in units of sigma has the velocity spread / sigma^2 times the
        output: the rate at which the angle atan(b spread / a) turns, divided by b' a - a' b, a constant of either path.
        """
        before, after = self._at(t), self._at(u)
        turned = torch.atan2(after.cell * self.spread, after.source) - torch.atan2(
            before.cell * self.spread, before.source
        )
        constant = before.cell_rate * before.source - before.source_rate * before.cell
        return turned / constant * (after.source**2 + after.cell**2 * self.spread**2).sqrt()

    def _at(self, t: float) -> Weights:
        return self.path(torch.tensor(t, device=self.mean.device))


def _growth(before: Weights, after: Weights, variance: Tensor) -> Tensor:
    return ((after.source**2 + after.cell**2 * variance) / (before.source**2 + before.cell**2 * variance)).sqrt()


def _slope(at: Weights, variance: Tensor) -> Tensor:
    return (at.source * at.source_rate + at.cell * at.cell_rate * variance) / (at.source**2 + at.cell**2 * variance)


def condition_means(chunks: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Distinct rows of condition channels (n, C), the mean of their cells (n, G), and how many those are (n,)."""
    sums: dict[tuple[float, ...], tuple[Tensor, Tensor, int]] = {}
    for cells, condition in chunks:
        distinct, group = torch.unique(condition, dim=0, return_inverse=True)
        added = torch.zeros(len(distinct), cells.shape[1], dtype=torch.float64, device=cells.device)
        added.index_add_(0, group, cells.double())
        for row, total, count in zip(distinct, added, torch.bincount(group).tolist(), strict=True):
            _, before, counted = sums.get(tuple(row.tolist()), (row, 0, 0))
            sums[tuple(row.tolist())] = row, before + total, counted + count
    rows, totals, counts = zip(*sums.values(), strict=True)
    count = torch.tensor(counts, device=rows[0].device)
    return torch.stack(rows), (torch.stack(totals) / count[:, None]).float(), count


def measured_effects(condition: Tensor, means: Tensor, variance: np.ndarray, perturbations: int) -> MeasuredEffects:
    """The measured effects of conditions (n, C) with means (n, G) and a summed ``variance`` (n,), for those whose
    context has controls."""
    channels, profiles = condition.cpu().numpy(), means.double().cpu().numpy()
    present = channels[:, :perturbations] > 0
    _, context = np.unique(channels[:, perturbations:], axis=0, return_inverse=True)
    control = {int(context[row]): int(row) for row in np.flatnonzero(~present.any(axis=1))}
    kept = np.array([row for row in np.flatnonzero(present.any(axis=1)) if int(context[row]) in control], dtype=int)
    controls = np.array([control[int(context[row])] for row in kept], dtype=int)
    return MeasuredEffects(
        channels[kept, :perturbations],
        context[kept],
        profiles[kept] - profiles[controls],
        variance[kept],
        variance[controls],
    )


def additive_means(condition: Tensor, means: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Intercept (G,) and effects (C, G) of the ridge regression of condition means (n, G) on channels (n, C).

    Conditions weigh by their ``count`` (n,) of cells; the intercept is not shrunk.
    """
    weight = count.double().sqrt()[:, None]
    whole = count.sum().double()
    centre_x = (count.double() @ condition.double()) / whole
    centre_y = (count.double() @ means.double()) / whole
    x, y = weight * (condition.double() - centre_x), weight * (means.double() - centre_y)
    penalty = PRIOR_CELLS * torch.eye(condition.shape[1], dtype=x.dtype, device=x.device)
    effects = torch.linalg.solve(x.T @ x + penalty, x.T @ y)
    return (centre_y - centre_x @ effects).to(means), effects.to(means)
