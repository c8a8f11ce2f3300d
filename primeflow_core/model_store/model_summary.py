"""A model folder as rows for a page: what the model is, what it was trained on, and its held-out metrics."""

from dataclasses import dataclass

import pandas as pd

from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.evaluation.metrics.registry import metric_named
from primeflow_core.model_store.held_out_metrics import read_validation
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
    """``table``: metric, model, floor, ceiling and baselines, means over the conditions that the model was tested on.

    ``sentence``: what they are means over, and what they can tell.
    """

    table: pd.DataFrame
    sentence: str


def held_out_scores(model: Model) -> HeldOutScores | None:
    """None for a model that was never tested. Raises CheckpointError for metrics that cannot be read."""
    found = read_validation(model.folder)
    if found is None:
        return None
    rows = []
    for name, bounded in found.figures.items():
        metric = metric_named(name)
        row = {"Measure": f"{metric.page_label} ({metric.direction})", "Model": bounded.value}
        row |= {"Floor": bounded.floor, "Ceiling": bounded.ceiling}
        rows.append(row | {one.label: found.baselines.get(one.name, {}).get(name) for one in baselines_beside_model()})
    return HeldOutScores(pd.DataFrame(rows), found.sentence)
