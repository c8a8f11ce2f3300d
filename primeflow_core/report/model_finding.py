"""A model as a finding for the report: what it was trained on, and its metrics on held-out cells."""

import pandas as pd

from primeflow_core.data.conditions import Condition
from primeflow_core.model_store.available_conditions import Catalogue
from primeflow_core.model_store.held_out_metrics import read_validation
from primeflow_core.model_store.local_models import Model
from primeflow_core.model_store.model_summary import facts_of, held_out_scores
from primeflow_core.report.finding import SIMULATED_DATA, Finding, Table
from primeflow_core.report.finding_origin import origin_of
from primeflow_core.report.methods_text import model_paragraph
from primeflow_core.report.origin import Origin
from primeflow_core.wording import counted

ENDS = (
    "Floor: control cells offered as the prediction. Ceiling: one half of the measured cells against the other half; "
    "these are fewer cells than the model makes. Wrong condition: the model's predictions of the other conditions."
)


def model_finding(model: Model, *, alone: bool) -> Finding:
    """``alone``: no other finding says in the methods how the model was trained. Raises CheckpointError for metrics
    that cannot be read."""
    scores = held_out_scores(model)
    tables = [] if scores is None else [Table("Metrics on held-out cells", scores.table)]
    tables.append(Table("The model", pd.DataFrame(facts_of(model), columns=["Fact", "This model"])))
    said = [model_paragraph([_origin(model)])] if alone else []
    said += [] if scores is None else [f"The metrics of {model.manifest.name}: {scores.sentence} {ENDS}"]
    return Finding(
        _title(model), "model", _labels(model), (), tuple(tables), f"about?model={model.key}", (), " ".join(said)
    )  # fmt: skip


def _title(model: Model) -> str:
    found = read_validation(model.folder)
    if found is not None:
        return f"{model.manifest.name}: {found.line}."
    return (
        f"{model.manifest.name} was not evaluated yet. `primeflow card --model {model.folder}` scores it on held-out "
        "cells."
    )


def _labels(model: Model) -> tuple[str, ...]:
    manifest = model.manifest
    trained = f"{counted(len(manifest.trained_on), 'condition')} in training, {len(manifest.held_out):,} held out"
    return (*((SIMULATED_DATA,) if manifest.simulated else ()), trained)


def _origin(model: Model) -> Origin:
    """Control cells of the first context, of which nothing was predicted."""
    control = Condition((), Catalogue(model.manifest).contexts()[0])
    return origin_of(model, control, None, predicted=0, measured=0)
