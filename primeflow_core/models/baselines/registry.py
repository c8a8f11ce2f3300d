"""All baselines, one row each, in the order of tables and figures."""

from primeflow_core.models.baselines.additive import SUM_OF_SINGLES, SUM_OF_SINGLES_CELLS
from primeflow_core.models.baselines.baseline import Baseline
from primeflow_core.models.baselines.composed_singles import COMPOSED_SINGLES
from primeflow_core.models.baselines.gaussian_alone import GAUSSIAN_ALONE
from primeflow_core.models.baselines.mixture import MIX_OF_SINGLES
from primeflow_core.models.baselines.no_change import NO_CHANGE
from primeflow_core.models.baselines.ridge import RIDGE, RIDGE_CELLS
from primeflow_core.models.baselines.typical_cells import MEAN_PERTURBED, TYPICAL_CELLS

BASELINES: tuple[Baseline, ...] = (
    NO_CHANGE,
    SUM_OF_SINGLES,
    SUM_OF_SINGLES_CELLS,
    MIX_OF_SINGLES,
    RIDGE,
    RIDGE_CELLS,
)
CONTROLS: tuple[Baseline, ...] = (MEAN_PERTURBED, TYPICAL_CELLS, COMPOSED_SINGLES, GAUSSIAN_ALONE)
"""What any perturbation does, and the ingredients of PRiMeFlow-plus: models of their own for benchmarks."""


def all_baselines() -> tuple[Baseline, ...]:
    return BASELINES


def baselines_beside_model() -> tuple[Baseline, ...]:
    """The baselines that are shown with a model."""
    return tuple(baseline for baseline in all_baselines() if baseline.beside_model)


def baselines_with_recipe() -> tuple[Baseline, ...]:
    """The baselines that can be trained, saved and benchmarked as models."""
    return tuple(baseline for baseline in (*all_baselines(), *CONTROLS) if baseline.recipe)


def baseline_named(name: str) -> Baseline:
    """Raises KeyError for a name that no baseline has."""
    return {baseline.name: baseline for baseline in (*all_baselines(), *CONTROLS)}[name]
