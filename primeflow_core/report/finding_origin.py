"""The origin of a finding's cells: the model, its data, how cells were made, and the cells they are compared with."""

from primeflow_core.data.conditions import Condition
from primeflow_core.data.h5ad.writing import sha256_of
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.checkpoint import SPLIT
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.report.origin import Origin


def origin_of(
    model: Model,
    condition: Condition,
    plan: SamplingPlan | None,
    *,
    predicted: int,
    measured: int,
    measured_in: str = "",
) -> Origin:
    """The origin of ``predicted`` cells of ``model`` by ``plan``, and ``measured`` ones. Reads the model's split."""
    split = model.folder / SPLIT
    digest = sha256_of(split) if split.is_file() else ""
    return Origin(model.manifest, condition, plan, predicted, measured, digest, measured_in)
