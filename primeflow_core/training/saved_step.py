"""The step that a training has reached, by the state it resumes from."""

from pathlib import Path

from primeflow_core.errors import DataError, SettingError
from primeflow_core.training.trainer import STATE, Trainer
from primeflow_core.training.training_progress import progress_of


def saved_step(folder: Path) -> int:
    """0 where there is no state, or a damaged one, which resuming it says."""
    from safetensors import SafetensorError, safe_open

    if not (folder / STATE).is_file():
        return 0
    try:
        with safe_open(folder / STATE, framework="pt") as stored:
            return progress_of((stored.metadata() or {}).get("progress", "{}")).step
    except (SafetensorError, DataError, OSError):
        return 0


def check_steps(folder: Path, trainer: Trainer) -> None:
    """Raises SettingError where fewer steps are asked for than the training in ``folder`` has taken."""
    reached, asked = saved_step(folder), trainer.config.steps
    if asked < reached:
        raise SettingError(
            f"{folder} has {reached:,} steps behind it, and {asked:,} are asked for: it cannot be resumed to fewer. "
            "Ask for more steps, or choose another folder."
        )
