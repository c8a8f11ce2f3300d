"""What this project's flow, PRiMeFlow-plus, adds to the paper's method, one row each. Torch-free.

The paper's method is flow matching from noise with a U-Net alone, 100 Euler steps (paper, section 3). Everything else
that a model has is listed here, and a card, the About page and a methods text name what their model has of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Mapping[str, Any]]
"""The rows of a config.json: of the field, of the flow, and of the training."""


@dataclass(frozen=True)
class Addition:
    """``name``; ``does``, a clause that follows it; ``off``: the setting that removes it.

    ``used``: whether a model with these settings has it.
    """

    name: str
    does: str
    off: str
    used: Callable[[Settings], bool] = field(compare=False)


def _is_set(row: str, setting: str, plain: object) -> Callable[[Settings], bool]:
    """Whether a row holds another value than the paper's ``plain`` one; rows written before the setting have none."""
    return lambda settings: settings.get(row, {}).get(setting, plain) != plain


ADDITIONS: tuple[Addition, ...] = (
    Addition(
        "a Gaussian part",
        "the velocity of a Gaussian fitted to the training cells is known in closed form, and the network corrects it",
        "factors=0", _is_set("flow", "factors", 0),
    ),
    Addition(
        "effects that scale each other",
        "in the Gaussian part and in composed pairs a part does as much of its effect as similar measured pairs show",
        "interplay=0", _is_set("flow", "interplay", False),
    ),
    Addition(
        "composed training cells",
        "a share of each batch shows pairs and contexts that were never measured, composed of measured cells",
        "composed=0", _is_set("training", "composed", 0.0),
    ),
    Addition(
        "a dense path",
        "a small network over all genes beside the U-Net",
        "dense=0", _is_set("field", "dense", 0),
    ),
    Addition(
        "folded genes",
        "several neighbouring genes share a position of the U-Net, and a small network reads each gene out",
        'fold=1 readout="position"', _is_set("field", "fold", 1),
    ),
)  # fmt: skip
SAMPLING = Addition(
    "its own sampling",
    "the Gaussian part is solved exactly and the network in a few steps, or a student makes cells in one step: it is "
    "trained from the finished model by `primeflow distill`, and makes nearly the same cells",
    "--sampler euler", _is_set("flow", "factors", 0),
)  # fmt: skip
"""Not a part of the model: the same model makes cells in the paper's way too."""


def additions_of(settings: Settings) -> tuple[Addition, ...]:
    """What a model with these rows adds to the paper's method; empty for the paper's method and for other models."""
    return tuple(addition for addition in ADDITIONS if addition.used(settings))


def in_a_sentence(settings: Settings) -> str:
    """For instance ``a Gaussian part and a dense path``; empty where nothing is added."""
    *first, last = [addition.name for addition in additions_of(settings)] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def additions_table() -> str:
    """All of it as a table in Markdown."""
    rows = [f"| {one.name} | {one.does} | `{one.off}` |" for one in (*ADDITIONS, SAMPLING)]
    return "\n".join(["| PRiMeFlow-plus adds | what it does | without it |", "|---|---|---|", *rows]) + "\n"
