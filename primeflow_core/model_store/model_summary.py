"""A model folder as rows for a page: what the model is, what it was trained on, and its held-out metrics."""

from dataclasses import dataclass

import pandas as pd

from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.evaluation.bounded import Bounded
from primeflow_core.evaluation.metric import Metric
from primeflow_core.evaluation.metrics.registry import metric_named
from primeflow_core.model_store.held_out_metrics import HeldOutMetrics, read_validation
from primeflow_core.model_store.local_models import Model
from primeflow_core.models.baselines.registry import baselines_beside_model
from primeflow_core.models.checkpoint import STUDENT_WEIGHTS, Manifest
from primeflow_core.models.flow.additions import in_a_sentence
from primeflow_core.models.model_kind import is_flow, is_guided, limit_of, way_of
from primeflow_core.wording import counted


def facts_of(model: Model) -> list[tuple[str, str]]:
    """Name and value, for instance ``("Genes", "500")``."""
    manifest = model.manifest
    contexts = sorted({condition.context for condition in manifest.trained_on if condition.context})
    facts = [
        ("Trained on", f"{manifest.dataset} ({'simulated' if manifest.simulated else 'measured'} cells)"),
        ("Data, sha256", f"{manifest.data_sha256[:16]}…"),
        ("Genes", f"{len(manifest.genes):,}"),
        ("Perturbations", f"{len(manifest.vocabulary.perturbations):,}"),
        ("Conditions in training", f"{len(manifest.trained_on):,}, controls included"),
        ("Held out", ", ".join(c.label for c in manifest.held_out) or _held_out_cells(manifest)),
        ("Cells you start from", ", ".join(contexts) or "one kind"),
        ("Recipe", manifest.recipe),
        ("Made", f"{model.made}, seed {manifest.seed}"),
        ("What it does", f"It {way_of(manifest)}."),
        *_added(manifest),
        *([("What it cannot do", limit)] if (limit := limit_of(manifest)) else []),
        *_sampling(model),
    ]
    made = dict(manifest.provenance).get("versions", {})
    return [*facts, ("Versions", ", ".join(f"{name} {version}" for name, version in dict(made).items()))]


def _added(manifest: Manifest) -> list[tuple[str, str]]:
    """What a flow adds to the paper's method; nothing for other models."""
    if not is_flow(manifest):
        return []
    return [("Added to the paper's method", in_a_sentence(manifest.settings) or "nothing")]


def _held_out_cells(manifest: Manifest) -> str:
    seen = dict.fromkeys((*manifest.with_held_out_cells(VAL), *manifest.with_held_out_cells(TEST)))
    return f"no condition; cells of {counted(len(seen), 'condition')} seen in training" if seen else "none"


def _sampling(model: Model) -> list[tuple[str, str]]:
    """How the model makes cells. Only flows have steps and students."""
    plan = model.manifest.sampling
    if not is_flow(model.manifest):
        return [("Sampling", f"in one pass, zeros {plan.zeros}; no guidance")]
    guidance = "" if is_guided(model.manifest) else "; no guidance"
    return [
        ("Sampling", f"{plan.way}, zeros {plan.zeros}{guidance}"),
        ("Student", "yes, one evaluation a cell" if (model.folder / STUDENT_WEIGHTS).is_file() else "none"),
    ]


@dataclass(frozen=True)
class HeldOutScores:
    """``table``: metric, model, floor, ceiling and baselines, means over the conditions that the model was tested on;
    where they are known also the wrong condition, typical perturbed cells, and the calibrated score.

    ``sentence``: what they are means over, and what they can tell. ``silent``: the metrics (column ``Measure``) that
    cannot tell a good prediction from a typical one.
    """

    table: pd.DataFrame
    sentence: str
    silent: tuple[str, ...] = ()


def held_out_scores(model: Model) -> HeldOutScores | None:
    """None for a model that was never tested. Raises CheckpointError for metrics that cannot be read."""
    found = read_validation(model.folder)
    if found is None:
        return None
    beside = baselines_beside_model()
    rows = [
        _row(metric_named(name), bounded) | {one.label: found.baselines.get(one.name, {}).get(name) for one in beside}
        for name, bounded in found.figures.items()
    ]
    silent = tuple(_title(metric_named(name)) for name, bounded in found.figures.items() if bounded.silent)
    return HeldOutScores(pd.DataFrame(rows), " ".join([found.sentence, *_calibration_told(found)]), silent)


def _row(metric: Metric, bounded: Bounded) -> dict[str, object]:
    row: dict[str, object] = {
        "Measure": _title(metric), "Model": bounded.value, "Floor": bounded.floor, "Ceiling": bounded.ceiling,
    }  # fmt: skip
    if bounded.wrong is not None:
        row["Wrong condition"] = bounded.wrong
    if bounded.calibration is not None:
        row |= {"Typical cells": bounded.baseline, "Calibrated": bounded.score}
    return row


def _title(metric: Metric) -> str:
    return f"{metric.page_label} ({metric.direction})"


def _calibration_told(found: HeldOutMetrics) -> list[str]:
    """What the calibrated score is, and which metrics cannot tell; nothing for metrics of an earlier version."""
    known = {name: one for name, one in found.figures.items() if one.calibration is not None}
    if not known:
        return []
    silent = [metric_named(name).page_label for name, one in known.items() if one.silent]
    return [
        "Calibrated: 0 is as close as typical perturbed cells of training, 1 as close as a repeat of the experiment "
        "with half of its cells; effects of the two sides are measured from disjoint control cells.",
        *([f"Cannot tell a good prediction from a typical one here: {', '.join(silent)}."] if silent else []),
    ]
