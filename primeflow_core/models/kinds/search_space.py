"""The settings of a model that `tune` searches: ranges for a CPU, and others for models of the paper's size.
Torch-free.

The large ranges are those of PerturBench's own searches (Wu et al. 2024), widened where its best rows, or the paper's
(Appendix E), lie outside; the small ones surround the small recipes. Settings that make a step ever more expensive,
such as the batch, the steps and the fold of the genes, are not searched: trials are to cost about the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from primeflow_core.models.kinds.ranges import OptionRange, Real, SettingRange, Value, Whole


@dataclass(frozen=True)
class Searched:
    """The ranges of a setting, None where it is left as it is; ``unless`` a setting of the row has a value with which
    it does nothing."""

    small: SettingRange | None
    large: SettingRange | None
    unless: tuple[str, Value] | None = None


def both(one: SettingRange, unless: tuple[str, Value] | None = None) -> Searched:
    """The same range for every size."""
    return Searched(one, one, unless)


@dataclass(frozen=True)
class SearchSpace:
    """What is searched of a row; of the paper's size where the setting ``extent`` is ``large`` or more.

    ``rate``: of the learning rate, where it is not the usual range.
    """

    settings: Mapping[str, Searched]
    extent: str = ""
    large: int = 0
    rate: Searched | None = None

    def is_large(self, row: object) -> bool:
        return bool(self.extent) and getattr(row, self.extent) >= self.large


WIDTH = Searched(Whole(64, 1024, step=64), Whole(256, 5376, step=256))
LATENT = Searched(OptionRange((8, 16, 32, 64, 128)), OptionRange((32, 64, 128, 192, 256, 512)))
LAYERS = Searched(Whole(1, 4), Whole(1, 7))
DROPOUT = Searched(Real(0.0, 0.5, step=0.1), Real(0.0, 0.8, step=0.1))
WEIGHT = both(Real(0.1, 20.0, log=True))
YES_OR_NO = both(OptionRange((False, True)))
WIDE = 1024
