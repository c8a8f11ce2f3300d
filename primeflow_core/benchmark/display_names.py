"""Display names of the models of a benchmark: the names of the paper in place of recipe names."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from primeflow_core.models.baselines.registry import baselines_with_recipe

PRIMEFLOW = "PRiMeFlow"
FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "unet": PRIMEFLOW,
        "mlp": "PRiMeFlow MLP",
        "fm": "FM PCA",
        "fm-ot": "FM PCA OT",
        "mean": "Mean of all cells",
        "linear": "Linear Additive",
        "latent": "Latent Additive",
        "decoder-only": "Decoder-Only",
        "cpa": "CPA",
        "cpa-noadv": "CPA (noAdv)",
        "sams-vae": "SAMS-VAE",
        "sams-vae-s": "SAMS-VAE (S)",
        "biolord": "Biolord",
    }
)
"""By the beginning of a recipe's name. The longest beginning that fits counts. Baselines bring their own labels."""

Entry = tuple[str, float]
"""A recipe's name and a guidance weight: one row of the leaderboard."""


def family(recipe: str) -> str:
    """``PRiMeFlow`` for ``unet-tiny``; the recipe's own name if its family is not known."""
    families = {**FAMILIES, **{baseline.recipe: baseline.label for baseline in baselines_with_recipe()}}
    fitting = [beginning for beginning in families if recipe == beginning or recipe.startswith(f"{beginning}-")]
    return families[max(fitting, key=len)] if fitting else recipe


def labels(entries: Sequence[Entry]) -> dict[Entry, str]:
    """A unique name for each entry: with the recipe if its family has two, with the guidance weight unless 1."""
    recipes = dict.fromkeys(recipe for recipe, _ in entries)
    shared = Counter(map(family, recipes))
    found = {}
    for recipe, weight in entries:
        name = family(recipe)
        name = f"{name} ({recipe})" if shared[name] > 1 else name
        found[recipe, weight] = name if weight == 1 else f"{name}, w = {weight:g}"
    return found
