"""The methods paragraph of a report: models, their training cells, sampling, comparison and versions."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from primeflow_core.data.split_file import TEST, VAL
from primeflow_core.evaluation.halves import HALVINGS
from primeflow_core.evaluation.metric import Place
from primeflow_core.evaluation.metrics.registry import metrics_at
from primeflow_core.evaluation.profiles import PSEUDO
from primeflow_core.evaluation.response import LARGEST_P, LEAST_CHANGE
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.flow.additions import in_a_sentence
from primeflow_core.models.model_kind import is_flow, way_of
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.report.finding import RANKING, Finding
from primeflow_core.report.origin import Origin
from primeflow_core.runtime.provenance import versions
from primeflow_core.wording import counted

MOST_NAMED = 12
ZERO_HANDLING = {
    "clip": "negative values were set to 0",
    "half-smallest": "values below half of a gene's smallest value above 0 in the training cells were set to 0",
    "smallest": "values below a gene's smallest value above 0 in the training cells were set to 0",
}
HYPOTHESES = (
    "Predictions are hypotheses for choosing experiments, not evidence, and have no clinical use. A combination whose "
    "parts were each seen alone is a prediction; a part seen only elsewhere, or never, makes it a guess."
)


def methods_paragraph(findings: Sequence[Finding]) -> str:
    """Paragraphs on every model, prediction and comparison in ``findings``, blank lines between them."""
    origins = list(dict.fromkeys(origin for finding in findings for origin in finding.origins))
    said = [finding.methods for finding in findings if finding.methods]
    closing = f"{HYPOTHESES} {_software()}"
    if not origins:
        return "\n\n".join([*(dict.fromkeys(said) or ["Nothing was predicted or compared."]), closing])
    by_model = groupby(sorted(origins, key=_model_key), key=_model_key)
    models = [model_paragraph(list(group)) for _, group in by_model]
    # A ranking says itself how it was checked.
    silent = all(finding.kind == RANKING for finding in findings) and not any(origin.measured for origin in origins)
    compared = [] if silent else [_comparison(origins)]
    return "\n\n".join([*models, *compared, *dict.fromkeys(said), closing])


def _model_key(origin: Origin) -> tuple[str, str, str]:
    manifest = origin.manifest
    return (manifest.name, manifest.created, manifest.data_sha256)


def model_paragraph(origins: Sequence[Origin]) -> str:
    first = origins[0]
    manifest = first.manifest
    trained = (
        f"Single-cell responses were predicted with the {'PRiMeFlow ' if is_flow(manifest) else ''}model "
        f"{manifest.name} (recipe {manifest.recipe}, made {first.day}, training seed {manifest.seed}), which "
        f"{way_of(manifest)}.{_added(manifest)} {_training(first)}"
    )
    return " ".join([trained, _held_out(manifest, first.split_sha256), *_predictions(origins)])


def _added(manifest: Manifest) -> str:
    """A sentence on what a flow adds to the published method; empty where it adds nothing."""
    added = in_a_sentence(manifest.settings) if is_flow(manifest) else ""
    return f" To the published method (PRiMeFlow) it adds {added}." if added else ""


def _training(origin: Origin) -> str:
    manifest, dataset = origin.manifest, origin.dataset
    contexts = sorted({condition.context for condition in manifest.trained_on} - {""})
    where = f" of {_listed(contexts)}" if contexts else ""
    source = f"the data set {manifest.dataset} ({dataset.citation}; licence {dataset.licence}; " if dataset else (
        f"the file {manifest.dataset} (the user's own; "
    )  # fmt: skip
    simulated = (
        " These cells are SIMULATED: a program made them, and no experiment stands behind them."
        if manifest.simulated
        else ""
    )
    return (
        f"It was trained on {counted(len(manifest.trained_on), 'condition')}{where}, controls included, of {source}"
        f"sha256 {manifest.data_sha256}).{simulated}"
    )


def _held_out(manifest: Manifest, split_sha256: str) -> str:
    if not manifest.held_out:
        cells = dict.fromkeys((*manifest.with_held_out_cells(VAL), *manifest.with_held_out_cells(TEST)))
        if cells:
            return (
                f"No condition was held out of training, only cells of {counted(len(cells), 'condition')}, of which "
                "training saw other cells."
            )
        return "No condition was held out of training."
    names = [f"{c.label} ({c.context})" if c.context else c.label for c in manifest.held_out]
    split = f"; the split of every cell is kept with the model, sha256 {split_sha256}" if split_sha256 else ""
    verb = "was" if len(names) == 1 else "were"
    chosen = len(manifest.validated_on)
    settings = f" ({chosen} of them to choose settings by)" if chosen else ""
    return f"{counted(len(names), 'condition')} {verb} held out of training{settings}: {_listed(names)}{split}."


def _predictions(origins: Sequence[Origin]) -> list[str]:
    """A sentence for each way in which cells were made: of which conditions, how many, and how."""
    made = [(origin.plan, origin) for origin in origins if origin.plan is not None]
    sentences = []
    for plan in dict.fromkeys(plan for plan, _ in made):
        conditions = "; ".join(_predicted(origin) for other, origin in made if other == plan)
        sentences.append(f"Predicted were {conditions}. {_sampling(plan)}")
    return sentences


def _predicted(origin: Origin) -> str:
    known = f"{'held out; ' if origin.held_out else ''}{origin.novelty}"
    return f"{origin.place} ({counted(origin.predicted, 'cell')}; {known})"


def _sampling(plan: SamplingPlan) -> str:
    if not plan.solver.of_a_flow:
        return f"Cells were made in {plan.solver.words}, seed {plan.seed}; {ZERO_HANDLING[plan.zeros]}."
    weight = (
        "so that no response was exaggerated" if plan.guidance == 1 else
        "below 1, which weakens the response" if plan.guidance < 1 else
        "above 1, which exaggerates the response"
    )  # fmt: skip
    return (
        f"Cells were made in {plan.in_steps} by {plan.solver.words}, seed {plan.seed}, with guidance weight "
        f"{plan.guidance:g}, {weight}; {ZERO_HANDLING[plan.zeros]}."
    )


def _comparison(origins: Sequence[Origin]) -> str:
    compared = [origin for origin in origins if origin.measured]
    if not compared:
        return "Nothing predicted here was ever measured, so there is no agreement to report."
    truth = "; ".join(
        f"{origin.place} ({counted(origin.measured, 'SIMULATED cell' if origin.manifest.simulated else 'cell')}"
        f"{f' of the file {origin.measured_in}' if origin.measured_in else ''})"
        for origin in compared
    )
    return f"Compared with were {truth}. {_measures()}"


def _measures() -> str:
    return (
        f"The change of a gene is log2(m + {PSEUDO:g}) - log2(m of control + {PSEUDO:g}) on means m of log-normalised "
        "values; predicted change is against the control cells of training, measured change against control cells "
        f"that training did not use. A gene is expected to change at {LEAST_CHANGE:g} or more with p below "
        f"{LARGEST_P:g} (Welch's t test, Benjamini-Hochberg over all genes). Agreement is given as in PerturBench "
        f"(Wu et al. 2024, arXiv:2408.10609): {'; '.join(metric.methods for metric in metrics_at(Place.EXPLORE))}. "
        "Each stands between a floor, control cells offered as the prediction, and a ceiling, one half of the "
        f"measured cells against the other half, mean of {HALVINGS} halvings. The calibrated score is "
        "(u - b) / (r - b): u is the value of the prediction, b that of typical perturbed cells (training cells of "
        "other perturbations, each condition with the same weight), r that of one half of the measured cells against "
        "the other half, each with its own half of the control cells. Effects of the two sides are then measured from "
        "disjoint control cells. A metric by which r is not better than b by 2 standard errors (over conditions; over "
        "halvings for fewer than three) takes no part in what is said."
    )


def _software() -> str:
    used = versions()
    rest = ", ".join(f"{name} {used[name]}" for name in used if name not in ("primeflow", "machine"))
    return f"Software: PRiMeFlow {used['primeflow']}, {rest}, on {used['machine']}."


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(every[:MOST_NAMED])
    return shown if len(every) <= MOST_NAMED else f"{shown} and {len(every) - MOST_NAMED} more"
