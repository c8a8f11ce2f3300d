"""What kind of model a description tells of, in words: a flow from noise or from control cells, or a baseline."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import DIRECT

BASELINES: Mapping[str, str] = MappingProxyType(
    {
        "no_change": "gives control cells of the same context back, as if perturbations did nothing",
        "mean": "gives the mean of all training cells, whatever the condition",
        "additive": "moves control cells by the sum of what the parts do alone",
        "ridge": "moves control cells by a ridge regression of all measured shifts",
        "linear": "moves control cells by a learnt constant for each perturbation (Linear Additive of PerturBench)",
        "latent": "adds perturbations to control cells in a latent space (Latent Additive of PerturBench)",
        "decoder_only": "gives one learnt profile for each condition (Decoder-Only of PerturBench)",
        "cpa": "is a compositional perturbation autoencoder (CPA; Lotfollahi et al. 2023)",
        "sams_vae": "is a variational autoencoder with sparse mechanism shifts (SAMS-VAE; Bereket and Karaletsos 2023)",
        "baseline": "moves control cells by a rule that is known in closed form",
        "biolord": "keeps what is known of a cell apart from the rest of it (Biolord; Piran et al. 2024)",
    }
)
"""By the row of the model in config.json, to follow "which"."""


def is_flow(manifest: Manifest) -> bool:
    """Whether it makes cells in steps; others make them in one pass."""
    return manifest.sampling.sampler != DIRECT


def is_guided(manifest: Manifest) -> bool:
    """Whether a guidance weight other than 1 can be asked for: of a flow that learnt without the condition too."""
    return is_flow(manifest) and bool(_flow(manifest).get("prob_unconditional", 1.0))


def from_noise(manifest: Manifest) -> bool:
    """Whether its cells begin as noise, and not as control cells or at their place."""
    return is_flow(manifest) and _flow(manifest).get("source", "gaussian") == "gaussian"


def way_of(manifest: Manifest) -> str:
    """How the model makes cells, to follow "which": ``carries Gaussian noise to cells by flow matching ...``."""
    if not is_flow(manifest):
        row = next((name for name in manifest.settings if name in BASELINES), "")
        return BASELINES.get(row, "makes cells in one pass, without a flow")
    genes = f"{len(manifest.genes):,} genes"
    source = "Gaussian noise to cells" if from_noise(manifest) else "control cells of the context to perturbed ones"
    paired = ", paired by optimal transport," if _flow(manifest).get("coupling") == "optimal-transport" else ""
    within = f"principal components of {genes}" if _flow(manifest).get("space") == "components" else genes
    return f"carries {source}{paired} by flow matching in the space of {within}"


def _flow(manifest: Manifest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest.settings.get("flow", {})
    return found
