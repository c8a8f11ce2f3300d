"""Products of the effects of one candidate and its parts, of all its cells, of its replicates and of each noise seed.

Those of evaluation.effect_products, whose parts and controls are prepared once and kept, so that one more combination
costs its own means alone. Resampling adds noise of known size to each replicate
(bootstrap_draws.py), which is subtracted too.
"""

from collections.abc import Sequence

import numpy as np

from primeflow_core.evaluation.effect_products import Measures, gene_weight, log_variance, measures
from primeflow_core.evaluation.interaction import Interaction, judged
from primeflow_core.screening.bootstrap_draws import BootstrapDraws, change, with_seeds


def sizes(one: BootstrapDraws, control: BootstrapDraws) -> np.ndarray:
    """(1 + B + S,) sizes of the log2 change, corrected for noise; 0 where a change is no larger than its noise."""
    weight = gene_weight([one.profile], control.profile)
    effects = change(one, control)
    seeds = len(one.by_seed)
    own = log_variance(one.profile) @ weight * np.concatenate([one.noise, one.seed_noise])
    shared = log_variance(control.profile) @ weight * with_seeds(control.noise, seeds)
    return np.sqrt(np.maximum(np.square(effects, dtype=np.float64) @ weight - own - shared, 0.0))


def products(one: BootstrapDraws, parts: Sequence[BootstrapDraws], control: BootstrapDraws) -> np.ndarray:
    """(1 + B + S, 1 + parts, 1 + parts), the candidate first; a seed stands beside all cells of the parts."""
    sets, seeds = (one, *parts), len(one.by_seed)
    weight = gene_weight([each.profile for each in sets], control.profile)
    alone = [with_seeds(part.log_means - control.log_means, seeds) for part in parts]
    effects = np.stack([change(one, control), *alone], axis=1).astype(np.float64)
    noises = [np.concatenate([one.noise, one.seed_noise]), *(with_seeds(part.noise, seeds) for part in parts)]
    own = np.stack([log_variance(each.profile) @ weight * n for each, n in zip(sets, noises, strict=True)], axis=1)
    shared = log_variance(control.profile) @ weight * with_seeds(control.noise, seeds)
    found: np.ndarray = (weight * effects) @ effects.transpose(0, 2, 1)
    return found - own[:, :, None] * np.eye(len(sets)) - shared[:, None, None]


class AgainstParts:
    """A combination against the sum of its parts: ``interaction``, and ``magnitudes`` (1 + B + S,).

    Magnitudes are NaN throughout where the sum is no larger than its noise, as the interaction then says.
    """

    def __init__(
        self, names: Sequence[str], one: BootstrapDraws, parts: Sequence[BootstrapDraws], control: BootstrapDraws
    ) -> None:
        found = products(one, parts, control)
        rows = measures(found)
        replicates = slice(1, len(one.log_means))
        self.interaction: Interaction = judged(names, _taken(rows, 0), _taken(rows, replicates))
        clear = np.isfinite(self.interaction.magnitude.value)
        self.magnitudes: np.ndarray = rows.magnitude if clear else np.full(len(found), np.nan)


def _taken(of: Measures, which: int | slice) -> Measures:
    return Measures(*(getattr(of, name)[which] for name in of.__dataclass_fields__))
