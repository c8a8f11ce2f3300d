"""Reading, checking and writing .h5ad files: what a file is, what is wrong with it, and its cells.

``inspect`` describes a file and lists every problem; ``read_cells`` with the same choices succeeds exactly when
the inspection is ``ready``. Choices left at None are found by the conventions of published files; the word
``none`` for separator, dose or kind says that the file has none.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primeflow_core.data.cells import Cells
from primeflow_core.data.content_hash import content_sha256
from primeflow_core.data.h5ad import storage
from primeflow_core.data.h5ad.condition_parsing import ConditionTable, condition_table
from primeflow_core.data.h5ad.covariates import PossibleContext
from primeflow_core.data.h5ad.fixes import gene_names, gene_positions, repaired_obs, repaired_wishes
from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.missing_values import SetAside
from primeflow_core.data.h5ad.obs_columns import FoundLayout, find_layout
from primeflow_core.data.h5ad.scale import Scale, log_normalised, median_total, scale_of, value_problems
from primeflow_core.data.h5ad.survey import Survey, survey
from primeflow_core.data.h5ad.wishes import Wishes
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair, X
from primeflow_core.errors import DataError

OF_MEASURED_CELLS = (
    "one-condition", "context-without-control", "few-cells", "several-controls", "all-zero", "scaled", "linear",
    "counts", "scale-unclear", "mixed-kinds", "no-control-cells",
)  # fmt: skip
"""Problems that predicted cells may have."""
OF_VALUES = ("normalised-already", "log2", "log-of-counts")
"""Doubts about a scale, which predicted cells take from what the model learned from."""


@dataclass(frozen=True)
class Inspection:
    """A description of a file, as far as it could be read; without a condition and a control ``layout`` is None.

    ``matrix``: where its values are; ``matrices``: where all values of the file are.
    """

    source: str
    size: int
    cells: int
    genes: int
    obs_columns: tuple[str, ...]
    layout: Layout | None
    why: dict[str, str]
    scale: Scale
    lowest: float
    highest: float
    zeros: float
    control_cells: int
    cells_of: dict[str, int]
    conditions: int
    combinations: tuple[str, ...]
    contexts: tuple[str, ...]
    problems: tuple[Problem, ...]
    set_aside: tuple[SetAside, ...] = ()
    possible_contexts: tuple[PossibleContext, ...] = ()
    matrix: str = X
    matrices: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return all(problem.severity is not Severity.ERROR for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ready": self.ready}


def inspect(
    path: Path,
    *,
    condition: str | None = None,
    covariates: Sequence[str] | None = None,
    control: str | Sequence[str] | None = None,
    separator: str | None = None,
    dose: str | None = None,
    kind: str | None = None,
    normalise: bool | None = None,
) -> Inspection:
    """Describe an .h5ad without loading its values. Raises DataError only for what is not an AnnData file at all."""
    wishes = Wishes(condition, covariates, control, separator, dose, kind)
    return examine(path, wishes, Repair(normalise=normalise)).inspection


def examine(path: Path, wishes: Wishes, repair: Repair) -> "Examined":
    """Like ``inspect``, with the tables it read; ``read_mended`` reads the cells that it describes."""
    surveyed, repair, notes = _surveyed(path, repair)
    found = examined(surveyed, wishes, repair)
    problems = sorted((*found.inspection.problems, *notes), key=lambda problem: list(Severity).index(problem.severity))
    return replace(found, inspection=replace(found.inspection, problems=tuple(problems)))


def _surveyed(path: Path, repair: Repair) -> tuple[Survey, Repair, tuple[Problem, ...]]:
    """The survey of a file in any format, with what its conversion chose and what it has to say."""
    from primeflow_core.data.formats.local_file import as_h5ad  # the formats themselves stand above this package

    local = as_h5ad(path, modality=repair.modality, metadata=repair.metadata)
    with local.named():
        found = survey(local.h5ad, repair.matrix)
    chosen = replace(repair, modality=local.modality, metadata=local.metadata)
    return replace(found, source=path.name), chosen, local.notes


def read_cells(
    path: Path,
    *,
    condition: str | None = None,
    covariates: Sequence[str] | None = None,
    control: str | Sequence[str] | None = None,
    separator: str | None = None,
    dose: str | None = None,
    kind: str | None = None,
    normalise: bool | None = None,
) -> Cells:
    """Cells of an .h5ad, log-normalised. Raises DataError for the first problem that must be fixed."""
    wishes = Wishes(condition, covariates, control, separator, dose, kind)
    return read_mended(path, wishes, Repair(normalise=normalise))


def read_as(path: Path, reading: Reading) -> Cells:
    """Cells of a file that is read like another, for instance like the one a model was trained on."""
    return read_mended(path, Wishes.exactly(reading.layout), reading.repair)


def read_mended(path: Path, wishes: Wishes, repair: Repair) -> Cells:
    """The cells of a file, with fixes applied while it is read. Raises DataError as ``read_cells``."""
    return values_of(path, examine(path, wishes, repair))


def values_of(path: Path, found: "Examined") -> Cells:
    """The cells that were examined. Raises DataError for the first problem that must be fixed."""
    for problem in found.inspection.problems:
        if problem.severity is Severity.ERROR:
            raise DataError(f"{path.name}: {problem}")
    table, reading = found.table, found.reading
    if table is None or reading is None:
        raise DataError(f"{path.name}: the condition of the cells is not known. Name the column with --condition.")
    from primeflow_core.data.formats.local_file import as_h5ad

    local = as_h5ad(path, modality=reading.repair.modality, metadata=reading.repair.metadata)
    with local.named(), storage.opened(local.h5ad) as file:
        values = storage.read_values(file, local.h5ad, reading.repair.matrix)
    if len(table.rows) < values.shape[0]:
        values = values[table.rows]
    if reading.repair.normalise:
        reading = replace(reading, repair=replace(reading.repair, total=reading.repair.total or median_total(values)))
        values = log_normalised(values, reading.repair.total)
    if len(found.genes) < values.shape[1]:
        values = values[:, found.columns]
    return Cells(
        values, found.genes, found.names[table.rows], table.conditions, table.condition_of, table.kinds,
        reading, path.name, content_sha256(path), table.labels, table.label_order, np.delete(found.names, table.rows),
    )  # fmt: skip


@dataclass(frozen=True)
class Examined:
    """An inspection and what it rests on: ``genes`` at these ``columns`` of X, names of the cells (N,), obs, var.

    ``reading``: what was found or given, None where there is no condition or control.
    """

    inspection: Inspection
    reading: Reading | None
    genes: tuple[str, ...]
    columns: np.ndarray
    names: np.ndarray
    table: ConditionTable | None
    obs: pd.DataFrame
    var: pd.DataFrame


def read_predicted(path: Path, reading: Reading, report: Callable[[str], None]) -> Cells:
    """Predicted cells in the columns of ``reading``, values as they are. They need no control among them.

    ``report`` hears what is doubtful about their labels. Raises DataError for a column that is not there, a label that
    cannot be read, repeated names, or NaN.
    """
    surveyed, chosen, _ = _surveyed(path, reading.repair)
    _check_columns(surveyed, reading.layout)
    repair = replace(chosen, normalise=bool(chosen.normalise))
    found = examined(surveyed, Wishes.exactly(reading.layout), repair, FoundLayout(reading.layout, {}, ()))
    kept = tuple(problem for problem in found.inspection.problems if problem.code not in OF_MEASURED_CELLS)
    for problem in kept:
        if problem.severity is Severity.WARNING and problem.code not in OF_VALUES:
            report(f"{surveyed.source}: WARNING: {problem}")
    return values_of(path, replace(found, inspection=replace(found.inspection, problems=kept)))


def _check_columns(surveyed: Survey, layout: Layout) -> None:
    needed = (layout.condition, *layout.covariates, *filter(None, [layout.dose]))
    lacking = [name for name in needed if name not in surveyed.obs.columns]
    if lacking:
        raise DataError(
            f"{surveyed.source} has no obs column {lacking[0]!r}, by which it is read. It has: "
            f"{', '.join(map(str, surveyed.obs.columns[:20])) or 'none'}. Give the column this name."
        )


def examined(surveyed: Survey, wishes: Wishes, repair: Repair, found: FoundLayout | None = None) -> Examined:
    """Work out how a surveyed file is read, and what is wrong with it. ``found``: its layout, if that is known."""
    cells, genes = surveyed.shape
    obs, names = repaired_obs(surveyed.obs, repair), gene_names(surveyed.var, repair)
    found = found or find_layout(obs, repaired_wishes(wishes, repair))
    values = surveyed.values
    scale, told = scale_of(values), repair.normalise
    if repair.normalise is None:
        repair = replace(repair, normalise=scale is Scale.COUNTS)
    problems = [*found.problems, *([] if repair.distinct else _repeated(obs.index, names))]
    problems += _numbered(names, surveyed.var) if repair.gene_column is None else []
    problems += value_problems(values, scale, told, bool(repair.normalise), obs.index, names, surveyed.others)
    table = condition_table(obs, found.layout, problems) if found.layout else None
    problems = [problem for problem in problems if problem.code not in repair.accepted]
    problems.sort(key=lambda problem: list(Severity).index(problem.severity))
    inspection = Inspection(
        source=surveyed.source, size=surveyed.size, cells=cells, genes=genes,
        obs_columns=tuple(str(name) for name in obs.columns), layout=found.layout, why=found.why,
        scale=scale, lowest=values.lowest, highest=values.highest, zeros=1 - values.nonzero / (cells * genes),
        problems=tuple(problems), set_aside=table.set_aside if table else (), possible_contexts=found.possible,
        matrix=surveyed.matrix, matrices=(surveyed.matrix, *surveyed.others),
        **_condition_facts(table),
    )  # fmt: skip
    columns = gene_positions(names, repair)
    reading = Reading(found.layout, repair, str(scale)) if found.layout else None
    return Examined(
        inspection, reading, tuple(names[columns]), columns, obs.index.to_numpy(dtype=str), table, obs, surveyed.var
    )


def _condition_facts(table: ConditionTable | None) -> dict[str, Any]:
    if table is None:
        return {"control_cells": 0, "cells_of": {}, "conditions": 0, "combinations": (), "contexts": ()}
    counts = np.bincount(table.condition_of, minlength=len(table.conditions))
    cells_of: dict[str, int] = {}
    for condition, count in zip(table.conditions, counts, strict=True):
        cells_of[condition.label] = cells_of.get(condition.label, 0) + int(count)
    perturbed = [condition for condition in table.conditions if not condition.is_control]
    return {
        "control_cells": sum(int(counts[i]) for i, c in enumerate(table.conditions) if c.is_control),
        "cells_of": cells_of,
        "conditions": len(perturbed),
        "combinations": tuple(dict.fromkeys(c.label for c in perturbed if len(c.perturbations) > 1)),
        "contexts": tuple(dict.fromkeys(c.context for c in table.conditions)),
    }


def _numbered(genes: pd.Index, var: pd.DataFrame) -> list[Problem]:
    """A warning where genes are called by numbers and a column of var has words for them."""
    if not all(name.isdigit() for name in genes):
        return []
    worded = [name for name in var.columns if var[name].nunique() > len(var) // 2 and _in_words(var[name])]
    if not worded:
        return []
    text = (
        f"Genes are called {', '.join(genes[:3])} …; var column {worded[0]!r} has names for them "
        f"({', '.join(map(str, var[worded[0]][:3]))} …)."
    )
    return [
        Problem(Severity.WARNING, "numbered-genes", text, f"In Python: adata.var_names = adata.var[{worded[0]!r}].")
    ]


def _in_words(values: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(values) and not values.astype(str).str.isdigit().any()


def _repeated(cells: pd.Index, genes: pd.Index) -> list[Problem]:
    problems = []
    for index, one, plural, mend in ((genes, "gene", "genes", "var"), (cells, "cell", "cells", "obs")):
        twice = index[index.duplicated()].unique()
        if len(twice):
            names = f"{one} name is" if len(twice) == 1 else f"{one} names are"
            text = f"{len(twice):,} {names} used more than once, for instance {twice[0]}."
            problems.append(error(f"repeated-{plural}", text, f"In Python: adata.{mend}_names_make_unique()."))
    return problems
