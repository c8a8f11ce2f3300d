"""What a split is to test, as the user says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, parse_perturbations
from primeflow_core.data.context_split import TEST_SHARE, cells_split, transfer
from primeflow_core.data.design import COMBO_FRACTION
from primeflow_core.data.split_file import TEST
from primeflow_core.data.splits import Split, combo_split, held_out_split
from primeflow_core.errors import DataError, SettingError

SIMULATED = "simulated-screen"
USUAL_FRACTION = {"combo": COMBO_FRACTION, "transfer": 0.3, "cells": TEST_SHARE}


@dataclass(frozen=True)
class SplitTask:
    """``hold_out``: labels for the task ``named``, in the contexts with these ``covariates`` only.

    ``fraction``: the share that is held out, None for that of the task. ``context``: where ``transfer`` holds out.
    """

    task: str
    seed: int = 42
    fraction: float | None = None
    hold_out: tuple[str, ...] = ()
    covariates: Mapping[str, str] = field(default_factory=dict)
    context: str | None = None

    def split(self, cells: Cells, data: str) -> Split:
        """``data``: the name that the file was asked for by. Raises SettingError and DataError."""
        from primeflow_core.data.simulated_screen import default_split

        if self.task != "named" and (self.hold_out or self.covariates):
            raise SettingError("--hold-out and --covariate belong to --task named.")
        if self.task != "transfer" and self.context is not None:
            raise SettingError("--context belongs to --task transfer.")
        if self.task == "named":
            return held_out_split(cells, dict.fromkeys(self._named(cells), TEST), self.seed)
        if self.task == "simulated":
            if data != SIMULATED:
                raise SettingError(
                    f"--task simulated belongs to the data set {SIMULATED}; use combo or transfer for others."
                )
            return default_split(cells)
        return self._drawn(cells)

    def _drawn(self, cells: Cells) -> Split:
        """Of a task that holds out a share."""
        if self.task not in USUAL_FRACTION:
            tasks = ", ".join((*USUAL_FRACTION, "named", "simulated"))
            raise SettingError(f"{self.task!r} is not a task of a split. Tasks: {tasks}.")
        fraction = USUAL_FRACTION[self.task] if self.fraction is None else self.fraction
        if self.task == "transfer":
            return transfer(cells, self.seed, fraction, self.context)
        return (combo_split if self.task == "combo" else cells_split)(cells, self.seed, fraction)

    def _named(self, cells: Cells) -> list[Condition]:
        """The conditions that ``hold_out`` and ``covariates`` name."""
        if not self.hold_out:
            raise SettingError("--task named needs --hold-out LABEL, once for each condition to hold out.")
        found = []
        for label in self.hold_out:
            parts = parse_perturbations(label, separator=cells.layout.separator, control=cells.layout.control_labels)
            matching = [
                condition
                for condition in cells.conditions
                if (condition.perturbations == parts or condition.label == label)
                and not condition.is_control
                and self.covariates.items() <= dict(condition.covariates).items()
            ]
            if not matching:
                asked = ", ".join(f"{name}={value}" for name, value in self.covariates.items())
                where = f" with {asked}" if asked else ""
                raise DataError(
                    f"{cells.source} has no perturbed cells of {label!r}{where}. `primeflow check` describes it."
                )
            found += matching
        return found
