"""What is searched of each kind of model, as rows: of every setting a range for a CPU and one of the paper's size.

The large ranges are those of PerturBench's own searches (Wu et al. 2024), widened where its best rows, or the paper's
(Appendix E), lie outside; the small ones stand about the small recipes. What makes a step dearer without an end, such
as the batch, the steps and the fold of the genes, is not searched: trials are to cost about the same.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from primeflow_core.errors import SettingError
from primeflow_core.models.architectures import TRAINING
from primeflow_core.training.recipes.recipe import Recipe
from primeflow_core.training.tuning.ranges import OptionRange, Point, Real, SettingRange, Value, Whole


@dataclass(frozen=True)
class Searched:
    """The ranges of a setting, None where it is left as it is; ``unless`` a setting of the row has a value with which
    it does nothing."""

    small: SettingRange | None
    large: SettingRange | None
    unless: tuple[str, Value] | None = None


def _both(one: SettingRange, unless: tuple[str, Value] | None = None) -> Searched:
    return Searched(one, one, unless)


@dataclass(frozen=True)
class Family:
    """What is searched of a row; of the paper's size where the setting ``extent`` is ``large`` or more."""

    settings: Mapping[str, Searched]
    extent: str = ""
    large: int = 0


RATE, DECAY = "learning_rate", "weight_decay"
WIDTH = Searched(Whole(64, 1024, step=64), Whole(256, 5376, step=256))
LATENT = Searched(OptionRange((8, 16, 32, 64, 128)), OptionRange((32, 64, 128, 192, 256, 512)))
LAYERS = Searched(Whole(1, 4), Whole(1, 7))
DROPOUT = Searched(Real(0.0, 0.5, step=0.1), Real(0.0, 0.8, step=0.1))
WEIGHT = _both(Real(0.1, 20.0, log=True))
YES_OR_NO = _both(OptionRange((False, True)))
NO_ADVERSARY = ("adversary", False)
WIDE = 1024

FAMILIES: MappingProxyType[str, Family] = MappingProxyType(
    {
        "field": Family(
            {
                "channels": Searched(Whole(32, 96, step=16), Whole(128, 320, step=64)),
                "channel_mult": Searched(None, OptionRange(((1, 1, 2, 2, 4), (1, 2, 2, 4, 4)))),
                "num_res_blocks": _both(Whole(1, 3)),
                "gene_features": Searched(OptionRange((8, 16, 32)), OptionRange((128, 256))),
                "dropout": _both(Real(0.0, 0.3, step=0.1)),
                "dense": Searched(OptionRange((128, 256, 512)), None, unless=("dense", 0)),
            },
            extent="channels", large=128,
        ),
        "mlp": Family(
            {
                "hidden": Searched(Whole(128, 1024, step=128), Whole(1024, 4096, step=256)),
                "dropout": _both(Real(0.0, 0.5, step=0.1)),
                "expression_layers": Searched(Whole(1, 3), Whole(1, 5)),
                "condition_layers": Searched(Whole(1, 3), Whole(1, 5)),
                "time_layers": Searched(Whole(1, 3), Whole(1, 5)),
                "decode_layers": Searched(Whole(1, 3), Whole(1, 5)),
            },
            extent="hidden", large=WIDE,
        ),
        "flow": Family(
            {
                "path": _both(OptionRange(("linear", "trigonometric"))),
                "sigma": _both(OptionRange((0.0, 0.01, 0.1))),
                "prob_unconditional": _both(Real(0.0, 0.5, step=0.1)),
                "factors": _both(OptionRange((16, 32, 64, 128)), unless=("factors", 0)),
                "components": _both(OptionRange((30, 50, 100, 200)), unless=("space", "genes")),
                "entropy": _both(Real(0.01, 0.5, log=True), unless=("coupling", "independent")),
            }
        ),
        "linear": Family({"use_covariates": YES_OR_NO}),
        "latent": Family(
            {
                "width": WIDTH, "latent": LATENT, "layers": LAYERS, "dropout": DROPOUT,
                "encode_covariates": YES_OR_NO, "decode_covariates": YES_OR_NO,
            },
            extent="width", large=WIDE,
        ),
        "decoder_only": Family(
            {
                "width": WIDTH, "layers": LAYERS, "dropout": DROPOUT, "softplus": YES_OR_NO,
                "use_covariates": YES_OR_NO,
            },
            extent="width", large=WIDE,
        ),
        "cpa": Family(
            {
                "width": WIDTH, "latent": LATENT, "encoder_layers": LAYERS, "perturbation_layers": _both(Whole(1, 4)),
                "covariate_layers": _both(Whole(1, 3)), "dropout": DROPOUT, "kl_weight": WEIGHT,
                "adversary_width": Searched(
                    Whole(32, 512, log=True), Whole(128, 1024, log=True), unless=NO_ADVERSARY
                ),
                "adversary_layers": _both(Whole(1, 4), unless=NO_ADVERSARY),
                "adversary_steps": _both(OptionRange((2, 3, 5, 7, 10, 20, 30)), unless=NO_ADVERSARY),
                "adversary_weight": _both(Real(0.1, 20.0, log=True), unless=NO_ADVERSARY),
                "penalty": _both(Real(0.1, 1e3, log=True), unless=NO_ADVERSARY),
                "warmup_epochs": _both(Whole(0, 20, step=5), unless=NO_ADVERSARY),
            },
            extent="width", large=WIDE,
        ),
        "sams_vae": Family(
            {
                "width": WIDTH, "latent": LATENT, "encoder_layers": LAYERS, "effect_layers": LAYERS,
                "decoder_layers": LAYERS, "dropout": DROPOUT, "covariates": YES_OR_NO,
                "mask_prior": _both(Real(1e-4, 0.99, log=True), unless=("sparse", False)),
            },
            extent="width", large=WIDE,
        ),
        "biolord": Family(
            {
                "width": WIDTH, "latent": LATENT, "layers": LAYERS, "dropout": DROPOUT,
                "penalty_weight": Searched(Real(0.1, 1e4, log=True), Real(1e4, 1e8, log=True)),
            },
            extent="width", large=WIDE,
        ),
    }
)  # fmt: skip
TRAININGS: MappingProxyType[str, Searched] = MappingProxyType(
    {
        RATE: Searched(Real(1e-4, 1e-2, log=True), Real(5e-6, 5e-3, log=True)),
        DECAY: _both(Real(1e-11, 1e-3, log=True)),
        "composed": _both(Real(0.0, 0.5, step=0.05), unless=("composed", 0.0)),
        "cells_per_condition": Searched(
            OptionRange((32, 64, 128)), OptionRange((128, 256)), unless=("cells_per_condition", 0)
        ),
    }
)
RATES_OF: MappingProxyType[str, Searched] = MappingProxyType({"linear": _both(Real(1e-4, 1e-1, log=True))})
"""A model of one layer has no size of its own, and takes larger steps."""


def space_of(recipe: Recipe, fixed: Collection[str] = ()) -> dict[str, SettingRange]:
    """The range of every setting that is searched about ``recipe``, but those that are ``fixed``.

    Raises SettingError where nothing is left to search.
    """
    if not recipe.training.steps:
        raise SettingError(
            f"{recipe.name} is known in closed form, and there is nothing to search. Choose a recipe that is trained."
        )
    large = any(_is_large(name, row) for name, row in recipe.rows.items())
    settings: dict[str, Any] = {**recipe.rows, TRAINING: recipe.training}
    found: dict[str, SettingRange] = {}
    for name, row in settings.items():
        for key, searched in _searched(name, recipe).items():
            one = searched.large if large else searched.small
            without = searched.unless is not None and getattr(row, searched.unless[0]) == searched.unless[1]
            if one is not None and not without and key not in fixed:
                found[key] = one
    if not found:
        raise SettingError(f"Every setting of {recipe.name} that is searched is fixed by --set. Leave one of them out.")
    return found


def _is_large(name: str, row: object) -> bool:
    family = FAMILIES.get(name)
    return family is not None and bool(family.extent) and getattr(row, family.extent) >= family.large


def _searched(name: str, recipe: Recipe) -> Mapping[str, Searched]:
    if name != TRAINING:
        return FAMILIES[name].settings if name in FAMILIES else {}
    rates = [rate for row, rate in RATES_OF.items() if row in recipe.rows]
    return {**TRAININGS, **({RATE: rates[0]} if rates else {})}


def point_of(recipe: Recipe, space: Mapping[str, SettingRange]) -> Point:
    """Where ``recipe`` itself lies, its settings moved into their ranges."""
    values = recipe.values()
    return {key: one.place(values[key]) for key, one in space.items()}


def at(recipe: Recipe, space: Mapping[str, SettingRange], point: Mapping[str, Any]) -> Recipe:
    """``recipe`` with its settings at ``point`` of ``space``. Raises SettingError where they do not go together."""
    return recipe.with_values({key: space[key].value(place) for key, place in point.items()})
