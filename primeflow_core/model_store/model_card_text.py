"""The model card in Markdown, from the manifest and the metrics of a model folder."""

from collections.abc import Mapping, Sequence
from typing import Any

from primeflow_core.evaluation.calibration import (
    BASELINE,
    BRIEF,
    CALIBRATED,
    DISJOINT,
    REPLICATE,
    STANDARD_ERRORS,
    WINS,
    Calibration,
)  # fmt: skip
from primeflow_core.evaluation.metric import Metric, Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.model_store.student_notes import StudentNotes
from primeflow_core.models.checkpoint import SPLIT, Manifest
from primeflow_core.models.flow.additions import additions_of
from primeflow_core.models.model_kind import is_flow, limit_of
from primeflow_core.wording import counted


def card_text(
    manifest: Manifest, metrics: Mapping[str, Any], notes: Mapping[str, str], student: StudentNotes | None
) -> str:
    """The card in Markdown: what the model is, its training data, its metrics, and what it must not be used for.

    ``notes`` are those of the weights, ``student`` those of the student, if there is one.
    """
    source = "SIMULATED cells" if manifest.simulated else "real cells"
    command = " ".join(str(word) for word in manifest.provenance["command"])
    lines = [
        f"# {manifest.name}",
        "",
        f"{_method(manifest)}recipe `{manifest.recipe}`, trained on {source}: data set `{manifest.dataset}` "
        f"(sha256 `{manifest.data_sha256[:16]}…`), {len(manifest.genes)} genes, "
        f"{counted(len(manifest.vocabulary.perturbations), 'perturbation')}. Weights of step "
        f"{notes.get('step', '?')}, validation loss {notes.get('validation_loss', '?')}. Made {manifest.created}, "
        f"training seed {manifest.seed}.",
        "",
        "```",
        command,
        *([student.command] if student else []),
        " ".join(str(word) for word in metrics["command"]),
        "```",
        "",
        f"`{SPLIT}` in this folder is the split, cell by cell. With a limit in minutes, the number of steps depends on "
        "the machine. `--steps` with the number above gives the same weights on the same machine.",
        "",
        f"{_making(manifest)}{' (chosen on validation conditions)' if manifest.validated_on else ''}. "
        f"{metrics['cells_per_condition']} cells per condition, seed {metrics['sampling']['seed']}.",
        "",
        "Floor: training control cells offered as the prediction. Wrong condition: predictions of other conditions. "
        "Ceiling: one half of the measured cells against the other half. MMD is biased upward for few cells, so a "
        "prediction of more cells can be closer than the ceiling. "
        "The unbiased energy distance has no such bias.",
        "",
    ]
    for name, rows in metrics["scored"].items():
        lines += _section(name, rows, of_training=not manifest.held_out)
    lines += _student_section(student)
    lines += _baselines_section(metrics.get("rivals", {}).get("test", []))
    lines += _zeros_section(metrics["zeros_tried_on_val"])
    lines += _additions(manifest)
    lines += _limits(manifest)
    return "\n".join(lines) + "\n"


def _method(manifest: Manifest) -> str:
    """``PRiMeFlow-plus, `` for a flow that adds something to the paper's method; nothing for what is no flow."""
    if not is_flow(manifest):
        return ""
    return "PRiMeFlow-plus, " if additions_of(manifest.settings) else "PRiMeFlow, "


def _additions(manifest: Manifest) -> list[str]:
    """What the model adds to the paper's method; empty where it adds nothing."""
    rows = [f"- **{one.name}**: {one.does}." for one in additions_of(manifest.settings)] if is_flow(manifest) else []
    return ["## Added to the paper's method", "", *rows, ""] if rows else []


def _making(manifest: Manifest) -> str:
    plan = manifest.sampling
    guidance = f", guidance weight {plan.guidance:g}" if is_flow(manifest) else ""
    return f"Sampling: {plan.way}{guidance}, zeros `{plan.zeros}`"


def _section(name: str, rows: Sequence[Mapping[str, Any]], *, of_training: bool) -> list[str]:
    if not rows:
        return [f"## {name}", "", "No condition.", ""]
    mean, conditions = rows[-1], rows[:-1]
    number = len(conditions)
    what = f"held-out cells of {counted(number, 'condition')} seen in training"
    lines = [f"## {name}: mean of {what if of_training else counted(number, 'held-out condition')}", ""]
    metrics = _scored(mean)
    lines += [*_between_bounds(mean, metrics), "", *_calibrated(mean, metrics, number), *_head("condition", metrics)]
    for row in conditions:
        context = " ".join(str(row[key]) for key in row if key != "condition" and isinstance(row[key], str))
        lines.append(f"| {row['condition']} {context} | {_figures(row, metrics)} |")
    return [*lines, ""]


def _between_bounds(mean: Mapping[str, Any], metrics: Sequence[Metric]) -> list[str]:
    """Value, floor, ceiling and wrong condition of each metric; without the last in metrics of an earlier version."""
    ends = [end for end in ("_floor", "_wrong", "", "_ceiling") if any(f"{one.name}{end}" in mean for one in metrics)]
    names = {"_floor": "floor", "_wrong": "wrong condition", "": "model", "_ceiling": "ceiling"}
    lines = [f"| metric | {' | '.join(names[end] for end in ends)} |", "|" + "---|" * (len(ends) + 1)]
    for metric in metrics:
        figures = " | ".join(_figure(mean.get(f"{metric.name}{end}")) for end in ends)
        lines.append(f"| {metric.title} | {figures} |")
    return lines


def _calibrated(mean: Mapping[str, Any], metrics: Sequence[Metric], conditions: int) -> list[str]:
    """The calibrated score of each metric and what it can tell; nothing for metrics of an earlier version."""
    known = [metric for metric in metrics if mean.get(f"{metric.name}{WINS}") is not None]
    if not known:
        return []
    lines = [
        "Calibrated: 0 is the baseline, typical perturbed cells of training (in a context without any: those of other "
        "contexts, moved to its control cells); 1 is the replicate, one half of the measured cells against the other "
        "half, each with its own half of the control cells. Effects of the two sides are measured from disjoint "
        "control cells, so the value of a metric of effects differs from the one above.",
        "",
        f"| metric | baseline | model | replicate | calibrated | {BRIEF} |",
        "|---|---|---|---|---|---|",
    ]
    for metric in known:
        own = DISJOINT if f"{metric.name}{DISJOINT}" in mean else ""
        figures = " | ".join(_figure(mean[f"{metric.name}{end}"]) for end in (BASELINE, own, REPLICATE, CALIBRATED))
        lines.append(f"| {metric.title} | {figures} | {_told(mean, metric, conditions)} |")
    return [*lines, ""]


def _told(mean: Mapping[str, Any], metric: Metric, conditions: int) -> str:
    value, baseline, replicate, errors = (
        float("nan") if (found := mean[f"{metric.name}{end}"]) is None else found
        for end in ("", BASELINE, REPLICATE, STANDARD_ERRORS)
    )
    wins = mean[f"{metric.name}{WINS}"]
    return Calibration(metric, value, baseline, replicate, wins, errors, conditions).brief


def _scored(row: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a card that ``row`` has; newer metrics are missing for a model that an earlier version scored."""
    return tuple(metric for metric in metrics_at(Place.CARD) if metric.name in row)


def _head(first: str, metrics: Sequence[Metric], *others: str) -> list[str]:
    """The head of a table with a column for each metric."""
    names = (first, *(metric.word for metric in metrics), *others)
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]


def _figures(row: Mapping[str, Any], metrics: Sequence[Metric]) -> str:
    return " | ".join(_figure(row[metric.name]) for metric in metrics)


def _student_section(student: StudentNotes | None) -> list[str]:
    """How the student compares with its teacher; empty without a student."""
    if not student:
        return []
    lines = [
        "## Student",
        "",
        f"Trained in {student.steps} steps, seed {student.seed} (`primeflow distill`), to make cells with one "
        "evaluation of the network for guidance weights from 1 to 5. The table has the unbiased energy distance, mean "
        "over conditions and two seeds, beside that of its teacher with four evaluations. Without guidance it is the "
        "distance to measured cells. With guidance it is the distance to other cells of the teacher, because an "
        "exaggerated response was never measured.",
        "",
        "| conditions | guidance weight | control cells | teacher | its seeds differ by | student |",
        "|---|---|---|---|---|---|",
    ]
    for row in student.judged:
        figures = " | ".join(f"{value:.4f}" for value in (row.controls, row.teacher, row.spread, row.student))
        lines.append(f"| {row.conditions} | {row.guidance:g} | {figures} |")
    return [*lines, ""]


def _baselines_section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The mean of each baseline, to compare with the model's own; empty without baselines."""
    means = list({row["rival"]: row for row in rows}.values())  # the last row of each is the mean
    if not means:
        return []
    metrics = _scored(means[0])
    lines = [
        "## Baselines on test",
        "",
        "Simple predictions from the training cells, mean over the conditions that each baseline can predict. No "
        "baseline repeats a cell, so it may have fewer cells. MMD is biased upward for few cells, so compare the "
        "unbiased energy distance.",
        "",
        *_head("baseline", metrics, "cells", "conditions"),
    ]
    for row in means:
        conditions = sum(other["rival"] == row["rival"] for other in rows) - 1
        lines.append(f"| {row['rival']} | {_figures(row, metrics)} | {row['cells']:.0f} | {conditions} |")
    return [*lines, ""]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _zeros_section(tried: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    rows = [(name, row) for name, found in tried.items() for row in found]
    lines = ["## Zero handling, on validation conditions", ""]
    metrics = _scored(rows[0][1]) if rows else metrics_at(Place.CARD)
    lines += _head("zeros", metrics)
    lines += [f"| {name} | {_figures(row, metrics)} |" for name, row in rows]
    return [*lines, ""]


def _limits(manifest: Manifest) -> list[str]:
    held_out = ", ".join(f"{c.label} ({c.context})" for c in manifest.held_out) or (
        "no condition; the scores above are for other cells of conditions that training saw"
    )
    contexts = ", ".join(sorted({c.context for c in manifest.trained_on} - {""})) or "one context"
    unknown = [c.label for c in manifest.held_out if not manifest.vocabulary.knows(c)]
    refused = [f"Not scored, because a part was never seen in training: {', '.join(unknown)}.", ""] if unknown else []
    return [
        "## Use",
        "",
        f"Held out of training: {held_out}. Trained on {len(manifest.trained_on)} conditions of {contexts}, "
        "controls included.",
        "",
        *refused,
        *([limit, ""] if (limit := limit_of(manifest)) else []),
        "Use it to choose experiments, not as evidence. Not for clinical use. A pair of seen parts is a prediction, "
        "not a memory. If a part was seen only in other contexts, the prediction is a guess.",
    ]
