"""The kind of a model in words: a flow from noise or from control cells, or a baseline."""

from collections.abc import Mapping
from typing import Any

from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.kinds.registry import kind_of


def is_flow(manifest: Manifest) -> bool:
    """Whether it makes cells in steps; others make them in one pass."""
    return manifest.sampling.solver.of_a_flow


def is_guided(manifest: Manifest) -> bool:
    """Whether other guidance weights than 1 are possible: only for a flow that was also trained without condition."""
    return is_flow(manifest) and bool(_flow(manifest).get("prob_unconditional", 1.0))


def from_noise(manifest: Manifest) -> bool:
    """Whether its cells start as noise, and not as control cells."""
    return is_flow(manifest) and _flow(manifest).get("source", "gaussian") == "gaussian"


def way_of(manifest: Manifest) -> str:
    """The way in which the model makes cells, to follow "which": ``carries Gaussian noise to cells by flow matching
    ...``."""
    if not is_flow(manifest):
        kind = kind_of(manifest.settings)
        return kind.does if kind else "makes cells in one pass, without a flow"
    genes = f"{len(manifest.genes):,} genes"
    source = "Gaussian noise to cells" if from_noise(manifest) else "control cells of the context to perturbed ones"
    paired = ", paired by optimal transport," if _flow(manifest).get("coupling") == "optimal-transport" else ""
    within = f"principal components of {genes}" if _flow(manifest).get("space") == "components" else genes
    return f"carries {source}{paired} by flow matching in the space of {within}"


def limit_of(manifest: Manifest) -> str:
    """A sentence on what the model cannot do; nothing for a model that this version does not know."""
    kind = kind_of(manifest.settings)
    return f"It cannot {kind.cannot}." if kind else ""


def _flow(manifest: Manifest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest.settings.get("flow", {})
    return found
