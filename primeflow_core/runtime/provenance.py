"""Where a result comes from: versions, machine and time, recorded with every artefact."""

import datetime
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from primeflow_core import __version__

if TYPE_CHECKING:
    pass

PACKAGES = ("torch", "numpy", "scipy", "pandas", "anndata", "scikit-learn", "safetensors")


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of PRiMeFlow, Python and what computes, and the kind of machine; imports nothing heavy."""
    return {
        "primeflow": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: metadata.version(name) for name in PACKAGES},
    }
