"""Finds the separator that joins the names of several perturbations. It is proposed only where the parts are known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from primeflow_core.data.conditions import split_label
from primeflow_core.data.h5ad.issues import Problem, Severity

SEPARATORS = ("+", "_", "&", ";", "|", ",")


@dataclass(frozen=True)
class _Joined:
    """The labels if a separator is assumed: combinations, and the share of their parts that are known."""

    combinations: int
    parts: int
    known: int
    beside_control: int

    @property
    def believable(self) -> bool:
        return 2 * self.known > self.parts if self.parts else self.beside_control > 0


def _joined(labels: Sequence[str], control: str, separator: str) -> _Joined:
    pieces = [split_label(label, separator) for label in labels if label != control]
    split = [(len(texts) > 1, [text for text in texts if text != control]) for texts in pieces]
    alone = {parts[0] for _, parts in split if len(parts) == 1}
    combinations = [parts for was_split, parts in split if was_split and len(parts) > 1]
    times = Counter(part for parts in combinations for part in set(parts))
    # Guide numbers (ZAP70_1) recur too, so recurrence alone speaks only for the plus sign.
    known = sum(
        part != "" and (part in alone or (separator == "+" and times[part] > 1))
        for parts in combinations
        for part in parts
    )
    beside = sum(was_split and len(parts) == 1 for was_split, parts in split)
    return _Joined(len(combinations), sum(map(len, combinations)), known, beside)


def propose_separator(labels: Sequence[str], control: str, why: dict[str, str], problems: list[Problem]) -> str | None:
    """The separator that joins known parts, or None; why is added to ``why``, doubts to ``problems``."""
    for separator in SEPARATORS:
        joined = _joined(labels, control, separator)
        if joined.believable:
            why["separator"] = (
                f"joins {joined.combinations} labels; {joined.known} of their {joined.parts} parts are seen alone or "
                "in several combinations"
                if joined.parts
                else f"{joined.beside_control} labels join a perturbation and the control"
            )
            return separator
        if separator == "+" and joined.combinations:
            example = next(label for label in labels if len(split_label(label, separator)) > 1)
            problems.append(
                Problem(
                    Severity.NOTE,
                    "separator",
                    f"Labels such as {example!r} are read as one perturbation: their parts are not seen elsewhere.",
                    "If they are combinations, pass --separator +.",
                )
            )
    why["separator"] = "no label is a combination of labels seen alone"
    return None
