"""Linear Additive, Latent Additive and Decoder-Only as rows, and what is known in closed form.

PerturBench's best parameters for its data sets, and small rows for a CPU. Where its table says nothing of softplus and
covariates, both are used.
"""

from dataclasses import replace

from primeflow_core.models.baselines.closed_form import (
    AdditiveConfig,
    BaselineConfig,
    MeanConfig,
    NoChangeConfig,
    RidgeConfig,
)
from primeflow_core.models.baselines.decoder_only import DecoderOnlyConfig
from primeflow_core.models.baselines.latent import LatentConfig
from primeflow_core.models.baselines.linear import LinearConfig
from primeflow_core.models.baselines.registry import baselines_with_recipe
from primeflow_core.training.config import TrainingConfig
from primeflow_core.training.recipes.recipe import Recipe

PERTURBENCH = TrainingConfig(
    batch_size=4000, optimizer="adam", clip=0.0, ema=0.0, warmup=0, decay="plateau", steps=10**9, epochs=500,
    validate_every=0, validation_draws=1, patience=50, save_every=1000,
)  # fmt: skip
"""As PerturBench trains all baselines; passes over the cells end it, not steps."""
JIANG = replace(PERTURBENCH, batch_size=2000, epochs=400)
CPU = replace(
    PERTURBENCH, batch_size=256, learning_rate=1e-3, decay="cosine", steps=1000, epochs=0, validate_every=50,
    patience=1000,
)  # fmt: skip
"""As many steps whatever the number of cells: 60 passes over 800 cells are 200 steps, too few for any of them."""
LINEAR_CPU = replace(CPU, learning_rate=2e-2, steps=2000)
CLOSED = TrainingConfig(steps=0)
ON_A_CPU = "small; for a CPU and a few thousand cells"

SMALL_BASELINES = (
    Recipe("no-change", "control cells, as if perturbations did nothing", {"no_change": NoChangeConfig()}, CLOSED),
    Recipe("mean", "the mean of all training cells, whatever the condition", {"mean": MeanConfig()}, CLOSED),
    Recipe("additive", "control cells, moved by the sum of the parts alone", {"additive": AdditiveConfig()}, CLOSED),
    Recipe("ridge", "control cells, moved by a ridge regression of all shifts", {"ridge": RidgeConfig()}, CLOSED),
    Recipe("linear", f"Linear Additive, {ON_A_CPU}", {"linear": LinearConfig()}, LINEAR_CPU),
    Recipe("latent", f"Latent Additive, {ON_A_CPU}", {"latent": LatentConfig()}, CPU),
    Recipe("decoder-only", f"Decoder-Only, {ON_A_CPU}", {"decoder_only": DecoderOnlyConfig()}, CPU),
)


def baseline_recipes() -> tuple[Recipe, ...]:
    """Of every baseline with a recipe that has no row above."""
    rows = {recipe.name for recipe in SMALL_BASELINES}
    return tuple(
        Recipe(baseline.recipe, baseline.describe, {"baseline": BaselineConfig(baseline.name)}, CLOSED)
        for baseline in baselines_with_recipe()
        if baseline.recipe not in rows
    )


def _best(name: str, data: str) -> str:
    return f"{name} with PerturBench's best parameters for {data}"


BEST_BASELINES = (
    Recipe(
        "linear-norman19",
        _best("Linear Additive", "Norman19"),
        {"linear": LinearConfig(use_covariates=False)},
        replace(PERTURBENCH, learning_rate=4.717e-3, weight_decay=1.76e-8),
    ),
    Recipe(
        "linear-srivatsan20",
        _best("Linear Additive", "Srivatsan20"),
        {"linear": LinearConfig()},
        replace(PERTURBENCH, learning_rate=7.788e-4, weight_decay=1.06e-8),
    ),
    Recipe(
        "linear-jiang24",
        _best("Linear Additive", "Jiang24"),
        {"linear": LinearConfig()},
        replace(JIANG, learning_rate=1.421e-3, weight_decay=1.01e-8),
    ),
    Recipe(
        "latent-norman19",
        _best("Latent Additive", "Norman19"),
        {"latent": LatentConfig(4352, 512, 1, 0.1)},
        replace(PERTURBENCH, learning_rate=9.26e-5, weight_decay=2.18e-8),
    ),
    Recipe(
        "latent-srivatsan20",
        _best("Latent Additive", "Srivatsan20"),
        {"latent": LatentConfig(5376, 192, 2, 0.3, encode_covariates=True, decode_covariates=True)},
        replace(PERTURBENCH, learning_rate=3.41e-5, weight_decay=6.1e-11),
    ),
    Recipe(
        "latent-jiang24",
        _best("Latent Additive", "Jiang24"),
        {"latent": LatentConfig(2304, 64, 4, 0.3, encode_covariates=True, decode_covariates=True)},
        replace(JIANG, learning_rate=5.65e-5, weight_decay=5.8e-10),
    ),
    Recipe(
        "decoder-only-norman19",
        _best("Decoder-Only", "Norman19"),
        {"decoder_only": DecoderOnlyConfig(3328, 3, softplus=False, use_covariates=False)},
        replace(PERTURBENCH, learning_rate=1.375e-4, weight_decay=4.4e-5),
    ),
    Recipe(
        "decoder-only-srivatsan20",
        _best("Decoder-Only", "Srivatsan20"),
        {"decoder_only": DecoderOnlyConfig(4352, 5)},
        replace(PERTURBENCH, learning_rate=6.80e-5, weight_decay=7.6e-6),
    ),
    Recipe(
        "decoder-only-jiang24",
        _best("Decoder-Only", "Jiang24"),
        {"decoder_only": DecoderOnlyConfig(5376, 3)},
        replace(JIANG, learning_rate=9.43e-5, weight_decay=8.5e-8),
    ),
)
