"""Predicts the cells of one or more conditions, and writes them as one table with its provenance."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from primeflow_core.data.conditions import Condition, novelty, parse_perturbations
from primeflow_core.data.h5ad.writing import as_anndata, label_column, packed, write_anndata
from primeflow_core.data.layout import Layout
from primeflow_core.data.reading import Reading
from primeflow_core.data.repair import Repair
from primeflow_core.models.checkpoint import Manifest, of_model
from primeflow_core.models.sampling_plan import SamplingPlan, SamplingProgress
from primeflow_core.prediction.projection import PCAMap, enough_for_a_map
from primeflow_core.runtime.provenance import versions

if TYPE_CHECKING:
    import anndata

    from primeflow_core.models.predictor import Predictor


@dataclass(frozen=True)
class Generated:
    """Predicted cells (N, G) and, for each of the N, its condition and the label it was asked by."""

    values: np.ndarray
    conditions: tuple[Condition, ...]
    labels: tuple[str, ...]


def generate(
    predictor: "Predictor",
    conditions: Sequence[Condition],
    labels: Sequence[str],
    cells: int,
    plan: SamplingPlan,
    on_step: Callable[[int], None],
) -> Generated:
    """``cells`` cells of each condition; every condition starts from the same noise, so that they compare well.

    ``on_step`` hears how many cell-steps are done.
    """
    values = []
    for i, condition in enumerate(conditions):
        values.append(predictor.predict(condition, cells, plan, _counter(on_step, i * cells * plan.steps)))
    return Generated(
        np.concatenate(values) if values else np.zeros((0, len(predictor.genes)), np.float32),
        tuple(condition for condition in conditions for _ in range(cells)),
        tuple(label for label in labels for _ in range(cells)),
    )


def _counter(on_step: Callable[[int], None], before: int) -> Callable[[SamplingProgress], None]:
    def count(progress: SamplingProgress) -> None:
        in_batch = len(progress.state) * progress.step
        on_step(before + progress.first * progress.steps + in_batch)

    return count


def provenance(manifest: Manifest, plan: SamplingPlan, conditions: Sequence[Condition]) -> dict[str, Any]:
    """The facts needed to make the same cells again, and how far to trust them.

    No time of day: the same request gives the same file, byte for byte.
    """
    return {
        **of_model(manifest),
        "sampling": asdict(plan),
        "novelty": {
            condition.label: str(novelty(condition, manifest.trained_on)) for condition in dict.fromkeys(conditions)
        },
        "versions": versions(),
    }


def _readings(manifest: Manifest, generated: Generated) -> dict[str, Any]:
    """The reading settings of the written cells, and of the cells that the model was trained on."""
    return {
        "reading": Reading(_layout(manifest, generated), Repair(normalise=False)).to_json(),
        "trained_reading": manifest.reading.to_json(),
    }


def _layout(manifest: Manifest, generated: Generated) -> Layout:
    """The columns of the file; its labels have the separator of the model's data, as typed, or the product's own."""
    columns = tuple(column for column, _ in manifest.vocabulary.covariates)
    labelled = dict(zip(generated.labels, generated.conditions, strict=True))
    labels = label_column(columns)
    own = replace(manifest.layout, condition=labels, covariates=columns, dose=None, kind=None, unit_column=None)

    def says(layout: Layout) -> bool:
        return all(
            parse_perturbations(label, separator=layout.separator, control=layout.control_labels)
            == condition.perturbations
            for label, condition in labelled.items()
        )

    return next(layout for layout in (own, Layout(labels, covariates=columns)) if says(layout))


def h5ad_bytes(generated: Generated, manifest: Manifest, plan: SamplingPlan, known: np.ndarray | None = None) -> bytes:
    """The .h5ad of ``write_generated``, for a browser to save."""
    return packed(generated_anndata(generated, manifest, plan, known))


def write_generated(
    path: Path, generated: Generated, manifest: Manifest, plan: SamplingPlan, known: np.ndarray | None = None
) -> None:
    """Write the AnnData of ``generated_anndata`` as an .h5ad."""
    write_anndata(path, generated_anndata(generated, manifest, plan, known))


def generated_anndata(
    generated: Generated, manifest: Manifest, plan: SamplingPlan, known: np.ndarray | None = None
) -> "anndata.AnnData":
    """With obs condition, covariates and origin, obsm ``X_pca`` and the provenance in uns.

    The components are those of ``known`` cells (m, G), such as the measured ones of the context, else of the cells
    themselves; too few cells or genes have none.
    """
    columns = [column for column, _ in manifest.vocabulary.covariates]
    covariates = {column: [dict(c.covariates)[column] for c in generated.conditions] for column in columns}
    return as_anndata(
        generated.values,
        manifest.genes,
        list(generated.labels),
        covariates,
        {**provenance(manifest, plan, generated.conditions), **_readings(manifest, generated)},
        extra_obs={"origin": ["predicted"] * len(generated.values)},
        places=_components(generated.values, generated.values if known is None else known),
    )


def _components(values: np.ndarray, fitted_on: np.ndarray) -> dict[str, np.ndarray]:
    if not enough_for_a_map(fitted_on):
        return {}
    return {"X_pca": PCAMap(fitted_on).scores(values)}
