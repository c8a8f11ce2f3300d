"""All kinds of models, one row each, in the order of lists. Torch-free: a model's own file is imported when needed.

To add a model: write its file with its configuration, its network and its ModelParts (baselines/linear.py is short),
then add the import and the row here.
"""

from collections.abc import Iterable

from primeflow_core.models.kinds.kind import Family, ModelKind, ModelParts


def _unet() -> ModelParts:
    from primeflow_core.models.flow.unet import UNET

    return UNET


def _mlp() -> ModelParts:
    from primeflow_core.models.flow.mlp import PERCEPTRON

    return PERCEPTRON


def _no_change() -> ModelParts:
    from primeflow_core.models.baselines.closed_form_recipes import NO_CHANGE

    return NO_CHANGE


def _mean() -> ModelParts:
    from primeflow_core.models.baselines.closed_form_recipes import MEAN

    return MEAN


def _additive() -> ModelParts:
    from primeflow_core.models.baselines.closed_form_recipes import ADDITIVE

    return ADDITIVE


def _ridge() -> ModelParts:
    from primeflow_core.models.baselines.closed_form_recipes import RIDGE

    return RIDGE


def _gaussian() -> ModelParts:
    from primeflow_core.models.baselines.gaussian_predictor import GAUSSIAN

    return GAUSSIAN


def _any_baseline() -> ModelParts:
    from primeflow_core.models.baselines.closed_form_recipes import ANY_BASELINE

    return ANY_BASELINE


def _linear() -> ModelParts:
    from primeflow_core.models.baselines.linear import LINEAR

    return LINEAR


def _latent() -> ModelParts:
    from primeflow_core.models.baselines.latent import LATENT_ADDITIVE

    return LATENT_ADDITIVE


def _decoder_only() -> ModelParts:
    from primeflow_core.models.baselines.decoder_only import DECODER_ONLY

    return DECODER_ONLY


def _cpa() -> ModelParts:
    from primeflow_core.models.baselines.cpa import COMPOSITIONAL

    return COMPOSITIONAL


def _sams_vae() -> ModelParts:
    from primeflow_core.models.baselines.sams_vae import SPARSE_SHIFTS

    return SPARSE_SHIFTS


def _biolord() -> ModelParts:
    from primeflow_core.models.baselines.biolord import BIOLORD

    return BIOLORD


COMPOSED = "-composed"
"""The end of the name of a recipe that learns from composed cells too."""
UNSEEN = "predict a perturbation that is not in its training cells"
NO_GUIDANCE = f"{UNSEEN}, or use a guidance weight other than 1"
ALL_ALIKE = "predict that cells of one condition respond differently: all of them are moved by the same amount"
FLOWS = (
    ModelKind(
        "field", Family.FLOW,
        {"primeflow": "PRiMeFlow", "primeflow-plus": "PRiMeFlow-plus", "unet": "PRiMeFlow"},
        "carries noise to cells by a U-Net", UNSEEN, _unet, sampler="euler",
    ),
    ModelKind(
        "mlp", Family.FLOW,
        {"primeflow-mlp": "PRiMeFlow MLP", "primeflow-mlp-plus": "PRiMeFlow-plus MLP", "mlp": "PRiMeFlow MLP",
         "fm": "FM PCA", "fm-ot": "FM PCA OT"},
        "carries noise to cells by a multilayer perceptron", UNSEEN, _mlp, sampler="adams-bashforth",
    ),
)  # fmt: skip
"""Velocity fields. What such a model does depends on its row `flow` too, see model_kind.way_of."""
BASELINES = (
    ModelKind(
        "no_change", Family.CLOSED_FORM, {"no-change": "No change"},
        "gives control cells of the same context back, as if perturbations did nothing",
        "tell one perturbation from another", _no_change,
    ),
    ModelKind(
        "mean", Family.CLOSED_FORM, {"mean": "Mean of all cells"},
        "gives the mean of all training cells, whatever the condition",
        "tell one condition from another, or predict how cells of one condition differ", _mean,
    ),
    ModelKind(
        "additive", Family.CLOSED_FORM, {"additive": "Sum of single effects"},
        "moves control cells by the sum of what the parts do alone",
        "predict a combination effect, or a combination with a part that was not measured alone", _additive,
    ),
    ModelKind(
        "ridge", Family.CLOSED_FORM, {"ridge": "Ridge"},
        "moves control cells by a ridge regression of all measured shifts", ALL_ALIKE, _ridge,
    ),
    ModelKind(
        "gaussian", Family.CLOSED_FORM, {"gaussian": "Gaussian alone"},
        "draws cells from a Gaussian fitted to the training cells, whose mean adds up what the parts do",
        "make cells that a Gaussian does not have", _gaussian, zeros="smallest",
    ),
    ModelKind(
        "baseline", Family.CLOSED_FORM, {}, "makes cells by a rule that is known in closed form",
        "learn anything that the rule does not say", _any_baseline,
    ),
    ModelKind(
        "linear", Family.BASELINE, {"linear": "Linear Additive"},
        "moves control cells by a learnt constant for each perturbation (Linear Additive of PerturBench)",
        "learn that a perturbation acts differently in a combination than alone", _linear,
    ),
    ModelKind(
        "latent", Family.BASELINE, {"latent": "Latent Additive"},
        "adds perturbations to control cells in a latent space (Latent Additive of PerturBench)", NO_GUIDANCE, _latent,
    ),
    ModelKind(
        "decoder_only", Family.BASELINE, {"decoder-only": "Decoder-Only"},
        "gives one learnt profile for each condition (Decoder-Only of PerturBench)",
        "predict how cells of one condition differ", _decoder_only,
    ),
    ModelKind(
        "cpa", Family.BASELINE, {"cpa": "CPA", "cpa-noadv": "CPA (noAdv)"},
        "is a compositional perturbation autoencoder (CPA; Lotfollahi et al. 2023)", NO_GUIDANCE, _cpa,
    ),
    ModelKind(
        "sams_vae", Family.BASELINE, {"sams-vae": "SAMS-VAE", "sams-vae-s": "SAMS-VAE (S)"},
        "is a variational autoencoder with sparse mechanism shifts (SAMS-VAE; Bereket and Karaletsos 2023)",
        NO_GUIDANCE, _sams_vae,
    ),
    ModelKind(
        "biolord", Family.BASELINE, {"biolord": "Biolord"},
        "keeps what is known of a cell apart from the rest of it (Biolord; Piran et al. 2024)", NO_GUIDANCE, _biolord,
    ),
)  # fmt: skip
KINDS: tuple[ModelKind, ...] = (*FLOWS, *BASELINES)


def all_kinds() -> tuple[ModelKind, ...]:
    return KINDS


def kinds_of(family: Family, *others: Family) -> tuple[ModelKind, ...]:
    return tuple(kind for kind in all_kinds() if kind.family in (family, *others))


def kind_of(rows: Iterable[str]) -> ModelKind | None:
    """The kind of a model with these rows in its config.json; None where this version knows none of them."""
    names = set(rows)
    return next((kind for kind in all_kinds() if kind.row in names), None)


def label_of(recipe: str) -> str:
    """``PRiMeFlow`` for ``primeflow-tiny``: by the longest beginning that fits, else the recipe's own name."""
    if recipe.endswith(COMPOSED):
        return f"{label_of(recipe.removesuffix(COMPOSED))}, composed cells"
    labels = {beginning: label for kind in all_kinds() for beginning, label in kind.labels.items()}
    fitting = [beginning for beginning in labels if recipe == beginning or recipe.startswith(f"{beginning}-")]
    return labels[max(fitting, key=len)] if fitting else recipe
