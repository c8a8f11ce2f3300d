"""Bootstrap samples of a set of cells: noise seeds with replacement, then cells of each sampled seed.

Which cells a replicate holds is decided by the role and the size of a set alone, so that replicates of two candidates
that were made from the same noise are paired. Drawing adds noise to that of the cells: with w how often each of the n
cells is in a replicate, its mean has sum(w^2) / n times the variance of the mean of the cells.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from primeflow_core.evaluation.profiles import PSEUDO, Profile, profile

CANDIDATE, CONTROLS, TARGET, TARGET_CONTROLS = "candidate", "controls", "target", "target's controls"
MOST_KEPT = 8


@dataclass(frozen=True)
class BootstrapDraws:
    """``log_means``: log2(mean + 0.1), (1 + B, G): of all cells, then of B replicates; ``by_seed``: (S, G).

    ``noise`` (1 + B,): by how much the variance of such a mean exceeds that of the mean of all cells; ``seed_noise``
    (S,) likewise.
    """

    profile: Profile
    log_means: np.ndarray
    by_seed: np.ndarray
    noise: np.ndarray
    seed_noise: np.ndarray

    @property
    def undrawn(self) -> "BootstrapDraws":
        """Without its replicates."""
        return replace(self, log_means=self.log_means[:1], noise=self.noise[:1])


@dataclass(frozen=True)
class Shares:
    """``of_cells`` (1 + B + S, n) float32: what each cell counts in the mean of all, of each replicate, of each seed.

    ``noise`` (1 + B + S,) as in BootstrapDraws.
    """

    of_cells: np.ndarray
    noise: np.ndarray


def drawn(by_seed: Sequence[np.ndarray], role: str, resamples: int) -> BootstrapDraws:
    """Bootstrap samples of cells (n, G) of each noise seed; measured cells are one entry."""
    cells = np.concatenate(by_seed) if len(by_seed) > 1 else by_seed[0]
    found = shares(tuple(map(len, by_seed)), role, resamples)
    logs = np.log2(found.of_cells @ cells + np.float32(PSEUDO))
    rows = 1 + resamples
    return BootstrapDraws(profile(cells), logs[:rows], logs[rows:], found.noise[:rows], found.noise[rows:])


@lru_cache(maxsize=MOST_KEPT)
def shares(sizes: tuple[int, ...], role: str, resamples: int) -> Shares:
    """Shares for a set with ``sizes`` cells of each seed. Do not change them in place."""
    draw = np.random.default_rng([zlib.crc32(role.encode()), *sizes])
    seeds = len(sizes)
    of_seed = draw.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    replicates = [draw.multinomial(of_seed[:, i] * n, np.full(n, 1 / n)) for i, n in enumerate(sizes)]
    alone = np.repeat(np.eye(seeds), sizes, axis=1)
    times = np.concatenate([np.ones((1, sum(sizes))), np.concatenate(replicates, axis=1), alone])
    of_cells = times / times.sum(axis=1, keepdims=True)
    noise = of_cells.shape[1] * np.square(of_cells).sum(axis=1)
    found = Shares(of_cells.astype(np.float32), noise)
    for array in (found.of_cells, found.noise):
        array.flags.writeable = False
    return found


def change(one: BootstrapDraws, control: BootstrapDraws) -> np.ndarray:
    """(1 + B + S, G) log2 changes; replicates against those of the controls, all else against all controls."""
    whole = one.log_means - control.log_means
    return np.concatenate([whole, one.by_seed - control.log_means[:1]])


def with_seeds(rows: np.ndarray, seeds: int) -> np.ndarray:
    """(1 + B, ...) to (1 + B + S, ...): the first row again for each seed."""
    return np.concatenate([rows, np.repeat(rows[:1], seeds, axis=0)])
