"""Finds the control cells of a file: told labels and patterns, spellings of one label, and numbered guides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from primeflow_core.data.conditions import split_label
from primeflow_core.data.control_labels import (
    SURE_GROUP,
    UNSURE_GROUP,
    control_key,
    is_numbered,
    is_pattern,
    key_of,
    matcher,
)
from primeflow_core.data.h5ad.issues import Problem, Severity, error
from primeflow_core.data.h5ad.missing_values import is_no_perturbation
from primeflow_core.data.h5ad.obs_values import ObsColumn, shown, shown_counts
from primeflow_core.data.h5ad.separator import SEPARATORS
from primeflow_core.data.layout import Layout


@dataclass(frozen=True)
class Controls:
    """``label``: the one that stands for all; ``others``: further labels and patterns."""

    label: str
    others: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label, *self.others)


def holds_control(values: Sequence[str], told: Sequence[str]) -> bool:
    """Whether a column may be the one with the perturbations, judged by its labels."""
    if told:
        is_control = matcher(tuple(told))
        return any(map(is_control, values))
    return any(control_key(value) in SURE_GROUP for value in values)


def find_controls(
    found: ObsColumn, told: Sequence[str], why: dict[str, str], problems: list[Problem]
) -> Controls | None:
    """The controls among the labels of a column; what is doubtful or wrong is added to ``problems``."""
    counts = _counts(found)
    chosen = _told(found.name, counts, told, problems) if told else _usual(found, counts, problems)
    if chosen is None:
        return None
    why["control"] = "named by you" if told else "a usual label of unperturbed cells"
    problems += _joined(chosen, counts, told)
    return chosen


def _counts(found: ObsColumn) -> dict[str, int]:
    """Cells of each label; where no label by itself is a control, of the parts of labels that are (``A_NegCtrl0``)."""
    counts = found.counts
    if any(control_key(label) in SURE_GROUP for label in counts):
        return counts
    for separator in SEPARATORS:
        if not any(separator in label for label in counts):
            continue
        parts: dict[str, int] = {}
        for label, cells in counts.items():
            for part in dict.fromkeys(split_label(label, separator)):
                parts[part] = parts.get(part, 0) + cells
        if len(parts) > 1 and any(control_key(part) in SURE_GROUP for part in parts):
            return {**counts, **{part: cells for part, cells in parts.items() if control_key(part) in SURE_GROUP}}
    return counts


def _told(name: str, counts: dict[str, int], told: Sequence[str], problems: list[Problem]) -> Controls | None:
    met = {text: [label for label in _with_parts(counts) if matcher((text,))(label)] for text in told}
    absent = [text for text, labels in met.items() if not labels]
    if len(absent) == len(told):
        text = f"No cell of obs column {name!r} is labelled {' or '.join(map(repr, told))}."
        problems.append(error("no-control", text, f"--control can be one of: {shown(list(counts))}."))
        return None
    if absent:
        text = f"No cell of obs column {name!r} is labelled {shown(absent)}; the other controls are used."
        problems.append(Problem(Severity.WARNING, "control-not-there", text, "Check --control."))
    first = next(text for text in told if met[text])
    label = first if first in met[first] else met[first][0]
    return Controls(label, tuple(text for text in dict.fromkeys(told) if text != label))


def _with_parts(counts: dict[str, int]) -> list[str]:
    parts = [
        part for label in counts for separator in SEPARATORS if separator in label
        for part in split_label(label, separator)
    ]  # fmt: skip
    return list(dict.fromkeys((*counts, *parts)))


def _usual(found: ObsColumn, counts: dict[str, int], problems: list[Problem]) -> Controls | None:
    groups = _grouped(counts, SURE_GROUP)
    unsure = _grouped(counts, UNSURE_GROUP)
    if not groups and len(unsure) != 1:
        problems.append(_asked(found, counts, unsure))
        return None
    if not groups:
        groups, unsure = unsure, {}
        text = f"{shown_counts(_of(counts, groups))} is taken as the control; in some screens it is a perturbation."
        problems.append(Problem(Severity.WARNING, "unsure-control", text, "Check it, or name another with --control."))
    number = min(groups, key=lambda one: (all(map(is_numbered, groups[one])), one))
    labels = groups.pop(number)
    others = {**groups, **unsure}
    if others:
        text = f"{labels[0]!r} is taken as the control; {shown_counts(_of(counts, others))} could be one too."
        every = " ".join(f"--control {label!r}" for label in (labels[0], *(names[0] for names in others.values())))
        problems.append(
            Problem(Severity.WARNING, "several-controls", text, f"Choose with --control; all of them: {every}.")
        )
    first = _leading(labels)
    keys = dict.fromkeys(control_key(label) for label in labels)
    more = [next(label for label in labels if control_key(label) == key) for key in keys if key != control_key(first)]
    return Controls(first, tuple(more))


def _leading(labels: list[str]) -> str:
    """The label without a number that is written most plainly."""
    order = list(SURE_GROUP)
    known = {key: order.index(key) for key in map(control_key, labels) if key in SURE_GROUP}
    return min(labels, key=lambda label: (is_numbered(label), known.get(control_key(label), 0), key_of(label) != label))


def _grouped(counts: dict[str, int], groups: dict[str, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for label in counts:
        if control_key(label) in groups:
            found.setdefault(groups[control_key(label)], []).append(label)
    return found


def _of(counts: dict[str, int], groups: dict[int, list[str]]) -> dict[str, int]:
    return {label: counts[label] for labels in groups.values() for label in labels}


def _asked(found: ObsColumn, counts: dict[str, int], unsure: dict[int, list[str]]) -> Problem:
    words = {label: cells for label, cells in counts.items() if is_no_perturbation(label)}
    text = f"No control label in obs column {found.name!r}; labels seen: {shown(found.values) or 'none'}."
    could = {**_of(counts, unsure), **words}
    if could:
        return error(
            "no-control",
            f"{text} These could be it: {shown_counts(could)}.",
            f"Say which: --control {next(iter(could))!r}.",
        )
    return error("no-control", text, "Name the unperturbed cells with --control.")


def _joined(chosen: Controls, counts: dict[str, int], told: Sequence[str]) -> list[Problem]:
    """A warning where labels that differ are read as one control, unless all were told."""
    is_control = matcher(chosen.labels)
    labels = {label: cells for label, cells in counts.items() if is_control(label)}
    by_pattern = matcher(tuple(filter(is_pattern, told)))
    if len(labels) < 2 or all(label in told or by_pattern(label) for label in labels):
        return []
    text = f"{len(labels):,} labels are read as one control: {shown_counts(labels)}."
    return [Problem(Severity.WARNING, "joined-controls", text, "If one is a perturbation, rename it in the file.")]


def controls_in_parts(
    found: ObsColumn, layout: Layout, separator: str | None, problems: list[Problem]
) -> tuple[str, ...]:
    """Parts of combinations that are usual controls of another name than the file's, as in ``A+ctrl``; one of each."""
    is_control = matcher(layout.control_labels)
    problems += _named_like_one(found.counts, is_control, separator)
    seen: dict[str, int] = {}
    for label, cells in found.counts.items():
        parts = split_label(label, separator)
        for part in dict.fromkeys(parts if len(parts) > 1 else ()):
            if control_key(part) in SURE_GROUP and not is_control(part):
                seen[part] = seen.get(part, 0) + cells
    if not seen:
        return ()
    text = f"Parts of combinations are read as controls too: {shown_counts(seen)}."
    problems.append(Problem(Severity.WARNING, "joined-controls", text, "If one is a perturbation, rename it."))
    return tuple({control_key(part): part for part in reversed(seen)}.values())


def _named_like_one(counts: dict[str, int], is_control: Callable[[str], bool], separator: str | None) -> list[Problem]:
    """A warning of labels that are read as perturbations though a part is called like a control: ``DMSO_24h``."""
    seen = {}
    for label, cells in counts.items():
        names = [name for name in split_label(label, separator) if not is_control(name)]
        pieces = [piece for name in names for mark in SEPARATORS if mark in name for piece in split_label(name, mark)]
        if any(control_key(piece) in SURE_GROUP for piece in pieces):
            seen[label] = cells
    if not seen:
        return []
    text = f"Called after a control and read as perturbations: {shown_counts(seen)}."
    return [Problem(Severity.WARNING, "control-in-label", text, "If they are controls, name them with --control.")]
