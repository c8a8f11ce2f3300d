"""Where a result comes from: versions, machine and time, recorded with every artefact."""

import datetime
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any

from primeflow_core import __version__

if TYPE_CHECKING:
    from primeflow_core.models.checkpoint import Manifest

PACKAGES = ("torch", "numpy", "scipy", "pandas", "anndata", "scikit-learn", "safetensors")


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def of_model(manifest: "Manifest") -> dict[str, Any]:
    """What a prediction is, the model that made it and the data that the model learned from."""
    return {
        "kind": "predicted" + (", by a model of simulated data" if manifest.simulated else ""),
        "model": manifest.name,
        "model_created": manifest.created,
        "recipe": manifest.recipe,
        "data": manifest.dataset,
        "data_sha256": manifest.data_sha256,
        "training_seed": manifest.seed,
    }


def versions() -> dict[str, Any]:
    """Versions of PRiMeFlow, Python and what computes, and the kind of machine; imports nothing heavy."""
    return {
        "primeflow": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: metadata.version(name) for name in PACKAGES},
    }
