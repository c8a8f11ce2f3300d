"""Finds the separator that joins the names of several perturbations. It is proposed only where the parts are known."""

import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from primeflow_core.data.conditions import split_label
from primeflow_core.data.control_labels import matcher
from primeflow_core.data.h5ad.issues import Problem, Severity

# Of two that hold one another the longer comes first. Blanks around a part do not count.
SEPARATORS = ("||", "//", "__", "--", "::", "+", "&", ";", "|", ",", " and ", "_", ":", "-", ".", "/")
# These stand in names too (HLA-A, AC012345.1), so every part must be known.
_IN_NAMES = (":", "-", ".", "/", ",", "--", "::")
# What is joined with a time or a dose, as in JQ1_24h, is no combination.
_AMOUNT = re.compile(r"\d+([.,]\d+)?\s*(h|hr|hrs|hours|min|d|days?|[munpµ]?M|[munpµ]?g/m?l|%)")


@dataclass(frozen=True)
class _Joined:
    """The labels if a separator is assumed: combinations, and the share of their parts that are known."""

    combinations: int
    parts: int
    known: int
    beside_control: int
    only_controls: int
    refused: bool
    separator: str

    @property
    def believable(self) -> bool:
        if self.refused or not self.parts:
            return not self.refused and self.beside_control > 0 and self.separator not in _IN_NAMES
        if self.separator in _IN_NAMES:
            return self.known == self.parts
        return 2 * self.known > self.parts or self.only_controls > 0

    @property
    def partly(self) -> bool:
        """Whether some parts are known: a doubt that is told."""
        return not self.refused and not self.believable and (self.known > 0 or self.separator == "+")


def _joined(labels: Sequence[str], is_control: Callable[[str], bool], separator: str) -> _Joined:
    pieces = [split_label(label, separator) for label in labels if not is_control(label)]
    split = [(len(texts) > 1, list(dict.fromkeys(t for t in texts if not is_control(t)))) for texts in pieces]
    alone = {parts[0] for _, parts in split if len(parts) == 1}
    combinations = [parts for was_split, parts in split if was_split and len(parts) > 1]
    times = Counter(part for parts in combinations for part in parts)
    # Guide numbers (ZAP70_1) recur too, so recurrence alone speaks only for the plus sign.
    known = sum(
        part != "" and (part in alone or (separator == "+" and times[part] > 1))
        for parts in combinations
        for part in parts
    )
    # Controls that are joined with one another say as much as a control beside a perturbation.
    beside = sum(was_split and len(parts) < 2 for was_split, parts in split)
    refused = any("" in texts or (len(texts) > 1 and any(map(_AMOUNT.fullmatch, texts))) for texts in pieces)
    controls = sum(was_split and not parts for was_split, parts in split)
    return _Joined(len(combinations), sum(map(len, combinations)), known, beside, controls, refused, separator)


def propose_separator(
    labels: Sequence[str], controls: tuple[str, ...], why: dict[str, str], problems: list[Problem]
) -> str | None:
    """The separator that joins known parts, or None; why is added to ``why``, doubts to ``problems``."""
    is_control = matcher(controls)
    doubts: list[_Joined] = []
    for separator in SEPARATORS:
        if not any(separator in label for label in labels):
            continue
        joined = _joined(labels, is_control, separator)
        if joined.believable:
            why["separator"] = _reason(joined)
            return separator
        if joined.combinations and joined.partly:
            doubts.append(joined)
    problems += [_doubt(joined, labels, is_control) for joined in doubts]
    why["separator"] = "no label is a combination of labels seen alone"
    return None


def _reason(joined: _Joined) -> str:
    if not joined.parts:
        return f"{joined.beside_control} labels join a perturbation and the control"
    return (
        f"joins {joined.combinations} labels; {joined.known} of their {joined.parts} parts are seen alone or in "
        "several combinations"
    )


def _doubt(joined: _Joined, labels: Sequence[str], is_control: Callable[[str], bool]) -> Problem:
    example = next(label for label in labels if not is_control(label) and len(split_label(label, joined.separator)) > 1)
    seen, severity = "their parts are not seen elsewhere", Severity.NOTE
    if joined.known:
        seen, severity = f"{joined.known} of {joined.parts} of their parts are seen alone", Severity.WARNING
    text = f"Labels such as {example!r} are read as one perturbation: {seen}."
    remedy = f"If they are combinations, pass --separator {shlex.quote(joined.separator)}."
    return Problem(severity, "separator", text, remedy)
