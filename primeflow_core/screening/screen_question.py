"""The input of a screen: which candidates of which model are ranked by which goal, and the measured cells to use."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from primeflow_core.data.cells import Cells
from primeflow_core.data.conditions import Condition, Perturbation, parse_perturbations
from primeflow_core.data.gene_search import NameSearch, found_genes
from primeflow_core.data.reading_request import Report
from primeflow_core.errors import ConditionError, DataError, SettingError
from primeflow_core.model_store.available_conditions import Catalogue, Covariates
from primeflow_core.model_store.training_file import found_training_file, training_cells
from primeflow_core.models.checkpoint import Manifest
from primeflow_core.models.sampling_plan import SamplingPlan
from primeflow_core.screening.candidates import (
    Asked,
    Candidates,
    Doses,
    all_pairs,
    all_singles,
    all_triples,
    listed,
    read_file,
)
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.goals.record import GoalRecord, Need
from primeflow_core.screening.goals.registry import goal_record
from primeflow_core.screening.screen_request import Request
from primeflow_core.screening.target_file import TargetFile, read_target
from primeflow_core.screening.unseen_combinations import check_goal
from primeflow_core.wording import counted

ALL_SINGLES, ALL_PAIRS, ALL_TRIPLES = "all-singles", "all-pairs", "all-triples"
ALL = "all"
MOST_REFUSED, MOST_NAMED = 8, 5
FEWEST_SEEDS, MOST_SEEDS, HIGHEST_SEED = 2, 64, 2**62


@dataclass(frozen=True)
class ScreenWishes:
    """What the user asks for, in the words of the options of `screen`.

    ``candidates``: all-singles, all-pairs, all-triples or a file. ``parts``, ``raised`` and ``lowered``: names joined
    by commas, or a file. ``contexts``: wanted values by covariate. ``data``: the training file, None to find it.
    """

    model: Path
    plan: SamplingPlan
    candidates: str
    parts: str | None = None
    contexts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    doses: str = "highest"
    goal: str = "effect"
    target: str | None = None
    target_data: TargetFile | None = None
    raised: str | None = None
    lowered: str | None = None
    gene: str | None = None
    cells: int = 200
    noise_seeds: int = 2
    seed: int = 0
    data: Path | None = None


@dataclass(frozen=True)
class ScreenQuestion:
    """``data``: the cells that the model was trained on, None where they are not on this machine.

    ``target_cells`` (m, G) come from a file of the user's.
    """

    request: Request
    candidates: Candidates
    data: Cells | None
    target_cells: np.ndarray | None


def check_seeds(noise_seeds: int, seed: int) -> None:
    """Raises SettingError for a number of noise seeds, or a first one, that is not possible."""
    if not FEWEST_SEEDS <= noise_seeds <= MOST_SEEDS:
        raise SettingError(f"--noise-seeds is {noise_seeds}; it must be {FEWEST_SEEDS} to {MOST_SEEDS}.")
    if not 0 <= seed < HIGHEST_SEED:
        raise SettingError(f"--seed is {seed}; it must be 0 or more, and below {HIGHEST_SEED:,}.")


def asked_goal(given: ScreenWishes) -> GoalRecord:
    """Raises SettingError where the goal lacks an option that it needs, or has one that is another's."""
    goal = goal_record(given.goal)
    needs = {
        "--target LABEL or --target-data FILE": (Need.TARGET, given.target or given.target_data),
        "--raise or --lower GENES": (Need.GENE_LISTS, given.raised or given.lowered),
        "--gene GENE": (Need.ONE_GENE, given.gene),
    }
    for options, (need, value) in needs.items():
        if goal.need is need and not value:
            raise SettingError(f"--goal {given.goal} needs {options}.")
        if value and goal.need is not need:
            raise SettingError(f"{options} does not belong to --goal {given.goal}.")
    if given.target and given.target_data:
        raise SettingError("Give the target by --target or by --target-data, not by both.")
    return goal


def question(given: ScreenWishes, record: GoalRecord, manifest: Manifest, report: Report) -> ScreenQuestion:
    """Read what is named. ``report`` hears what was chosen and what is left out.

    Raises SettingError for a goal that the model can say nothing about, and for what is not possible.
    """
    check_goal(record, manifest)
    contexts = contexts_named(given.contexts, manifest, report)
    candidates = _candidates(given, manifest, contexts)
    _tell_refused(candidates, report)
    raised, lowered, moved = (
        _genes(text, manifest.genes, report) for text in (given.raised, given.lowered, given.gene)
    )
    target_cells = read_target(given.target_data, manifest, report) if given.target_data else None
    data = _measured_cells(given, manifest, report)
    target = _target(given, manifest, data, contexts[0])
    if target is not None and len(contexts) > 1:
        report(f"The target is {target.label} in {target.context}, for all contexts.")
    goal = Goal(record.name, (*raised, *moved), lowered, target)
    request = Request(given.model, goal, candidates.conditions, given.plan, given.cells, given.noise_seeds, given.seed)
    return ScreenQuestion(request, candidates, data, target_cells)


def _tell_refused(candidates: Candidates, report: Report) -> None:
    for refusal in candidates.refused[:MOST_REFUSED]:
        report(" ".join(f"Left out {refusal.label}: {refusal.why}".split()))
    if len(candidates.refused) > MOST_REFUSED:
        more = f"Left out {len(candidates.refused) - MOST_REFUSED:,} more"
        report(
            f"{more}; the file of --out names them all, under about, refused." if candidates.conditions else f"{more}."
        )
    if candidates.unseen:
        count = counted(len(candidates.unseen), "perturbation")
        report(f"Left out {count} not in training, which the model cannot predict: {_first(candidates.unseen)}.")
    if candidates.not_alone:
        count = counted(len(candidates.not_alone), "perturbation")
        report(
            f"Not combined: {count} without a measurement alone in this context: {_first(candidates.not_alone)}. "
            "--parts takes any by name."
        )
    if not candidates.conditions:
        raise SettingError("There is no candidate left to screen. Name other parts, doses or contexts.")


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def contexts_named(asked: Mapping[str, Sequence[str]], manifest: Manifest, report: Report) -> tuple[Covariates, ...]:
    """The model's contexts that are asked for; a column without a value is as in the model's first view."""
    known = Catalogue(manifest).contexts()
    wanted = {name: {value.casefold() for value in values} for name, values in asked.items()}
    columns = dict(manifest.vocabulary.covariates)
    for name, values in wanted.items():
        if name not in columns:
            raise ConditionError(f"{manifest.name} has no covariate {name!r}. It has: {', '.join(columns) or 'none'}.")
        for value in values - {ALL} - {known_value.casefold() for known_value in columns[name]}:
            raise ConditionError(f"{value!r} is not a {name} this model knows. It knows: {', '.join(columns[name])}.")
    usual = dict(manifest.first_view.covariates if manifest.first_view else known[0])
    wanted = {name: {usual[name].casefold()} for name in columns} | wanted
    found = tuple(one for one in known if all({ALL, value.casefold()} & wanted[name] for name, value in one))
    if not found:
        listing = ", ".join(Condition((), one).context for one in known)
        raise ConditionError(f"{manifest.name} knows no cells of these covariates together. It knows: {listing}.")
    if not asked and len(known) > 1:
        name = found[0][0][0]
        report(
            f"In {Condition((), found[0]).context}; --covariate {name}=VALUE chooses another, {name}={ALL} takes all."
        )
    return found


def _candidates(given: ScreenWishes, manifest: Manifest, contexts: Sequence[Covariates]) -> Candidates:
    doses, names = _doses(given.doses), _names(given.parts)
    if given.candidates == ALL_TRIPLES:
        if names is None:
            raise SettingError(f"--candidates {ALL_TRIPLES} needs --parts: the perturbations to combine, or a file.")
        return all_triples(manifest, contexts, doses, names)
    if given.candidates in (ALL_SINGLES, ALL_PAIRS):
        every = all_singles if given.candidates == ALL_SINGLES else all_pairs
        return every(manifest, contexts, doses, names)
    if names is not None:
        raise SettingError(f"--parts belongs to {ALL_SINGLES}, {ALL_PAIRS} and {ALL_TRIPLES}, not to a file.")
    columns = [column for column, _ in manifest.vocabulary.covariates]
    return listed(manifest, read_file(Path(given.candidates), columns), contexts, doses)


def _doses(text: str) -> Doses:
    if text == "highest":
        return "highest"
    if text == ALL:
        return "all"
    try:
        return tuple(dict.fromkeys(float(dose) for dose in text.split(",")))
    except ValueError:
        raise SettingError(f"--doses {text!r} must be highest, all, or numbers such as 0.1,1,10.") from None


def _names(text: str | None) -> tuple[str, ...] | None:
    """Names as listed, or those of a file, one a line."""
    if text is None:
        return None
    content = _of_file(text)
    names = text.split(",") if content is None else content.splitlines()
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _of_file(text: str) -> str | None:
    """The text of a file; None where there is none of this name."""
    try:
        return Path(text).read_text(encoding="utf-8-sig") if Path(text).is_file() else None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # a list, not a file name
            return None
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{text} is not text in UTF-8. Save the names as plain text, one a line.") from error


def _genes(text: str | None, genes: Sequence[str], report: Report) -> tuple[str, ...]:
    """Genes of the model from a list or a file of any of their names; unknown ones are told of and left out."""
    if text is None:
        return ()
    content = _of_file(text)
    found = found_genes(text if content is None else content, genes)
    if not found.matched and not found.unknown:
        raise DataError(f"{text!r} names no gene. Give names, A,B,C, or a file with one a line.")
    search = NameSearch(genes)
    said = [
        name + (f" (did you mean {' or '.join(guesses)}?)" if (guesses := search.suggestions(name)) else "")
        for name in found.unknown
    ]
    if not found.matched:
        raise DataError(f"None of these genes is among the {len(genes):,} of the model: {', '.join(said) or text}.")
    if said:
        report(f"Left out, not among the {len(genes):,} genes of the model: {', '.join(said)}")
    return found.matched


def _measured_cells(given: ScreenWishes, manifest: Manifest, report: Report) -> Cells | None:
    if given.data is None and found_training_file(given.model, manifest) is None:
        report(
            f"The measured cells of {manifest.dataset} are not on this machine: changes are measured from "
            "predicted control cells, and we cannot say how far to trust the ranking. --data names their file."
        )
        return None
    return training_cells(given.model, manifest, given.data)


def _target(given: ScreenWishes, manifest: Manifest, data: Cells | None, covariates: Covariates) -> Condition | None:
    """The target by name; a file of cells is called by its own."""
    if given.target_data:
        return Condition((Perturbation(given.target_data.path.stem),), covariates)
    if not given.target:
        return None
    layout = manifest.layout
    as_typed = Condition(
        parse_perturbations(given.target, separator=layout.separator, control=layout.control_labels), covariates
    )
    if data is not None and len(data.where(as_typed)):
        return as_typed
    named = listed(manifest, [Asked(given.target)], [covariates])
    if not named.conditions:
        raise ConditionError(named.refused[0].why)
    return named.conditions[0]
