"""Numbers of a training that several models share, by the names that TrainingConfig has for them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

UNLIMITED = 1e9
"""No limit, for gradients, and for steps if epochs end the training."""
PERTURBENCH: Mapping[str, Any] = MappingProxyType(
    {
        "batch_size": 4000, "optimizer": "adam", "clip": 0.0, "ema": 0.0, "warmup": 0, "decay": "plateau",
        "steps": 10**9, "epochs": 500, "validate_every": 0, "validation_draws": 1, "patience": 50, "save_every": 1000,
    }
)  # fmt: skip
"""The settings with which PerturBench trains all baselines. Passes over the cells end the training, not steps."""
JIANG: Mapping[str, Any] = MappingProxyType({**PERTURBENCH, "batch_size": 2000, "epochs": 400})
CPU: Mapping[str, Any] = MappingProxyType(
    {
        **PERTURBENCH, "batch_size": 256, "learning_rate": 1e-3, "decay": "cosine", "steps": 1000, "epochs": 0,
        "validate_every": 50, "patience": 1000,
    }
)  # fmt: skip
"""A fixed number of steps for any number of cells: 60 passes over 800 cells are 200 steps, which is too few for all of
them."""
VARIATIONAL_CPU: Mapping[str, Any] = MappingProxyType(
    {
        "batch_size": 128, "learning_rate": 3e-3, "clip": UNLIMITED, "ema": 0.99, "decay": "cosine", "steps": 2000,
        "validate_every": 100, "validation_draws": 1, "patience": 1000, "save_every": 1000,
    }
)  # fmt: skip
"""A fixed number of steps for any number of cells, so that the learning rate falls to 0 at the end."""
CLOSED: Mapping[str, Any] = MappingProxyType({"steps": 0})
ON_A_CPU = "small; for a CPU and a few thousand cells"
NORMAN, SRIVATSAN, JIANG_DATA = "Norman19", "Srivatsan20", "Jiang24"


def variational(
    learning_rate: float, weight_decay: float, batch_size: int = 4000, epochs: int = 500
) -> Mapping[str, Any]:
    """PerturBench's training of a variational model."""
    return {
        **PERTURBENCH, "clip": UNLIMITED, "learning_rate": learning_rate, "weight_decay": weight_decay,
        "batch_size": batch_size, "epochs": epochs,
    }  # fmt: skip


def best(model: str, data: str) -> str:
    """The summary of a row with published parameters."""
    return f"{model} with PerturBench's best parameters for {data}"
