"""Prints a finished screen: how far to trust it, its first rows, and what to measure next."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primeflow_core.commands.terminal import say
from primeflow_core.screening.goal import Goal
from primeflow_core.screening.ranking import (
    PERTURBATION,
    by_predicted_parts,
    contains_target,
    told_apart,
    without_score,
)
from primeflow_core.screening.screen_file import Screen
from primeflow_core.screening.trust import FEWEST
from primeflow_core.screening.trust_text import without_trust
from primeflow_core.wording import counted

FIRST, WIDTH = 10, 110
BY_PREDICTED, CONTAINS = " *", " †"
"""Marks of a score against predicted parts, and of a candidate that contains the target."""


def show(screen: Screen, out: Path) -> None:
    """Print it; ``out`` is its file."""
    about = screen.about
    say(f"{about['sentence']} Score: {about['unit']}. PREDICTED{', SIMULATED' if about['simulated'] else ''}.")
    say()
    for line in screen.trust.lines if screen.trust else (_no_trust(about),):
        _say_wrapped(line)
    if screen.caution:
        _say_wrapped(screen.caution)
    say()
    _say_table(_rows(screen))
    for line in _of_marks(screen):
        _say_wrapped(line)
    _say_wrapped(told_apart(screen.table))
    _say_wrapped(without_score(screen.table, screen.goal))
    if len(screen.next):
        say()
        say("What to measure next:")
        for row in screen.next.to_dict("records"):
            where = _one_line(" ".join((row["perturbation"], *(row[column] for column in screen.covariates))))
            _say_wrapped(
                f"{row['place']}  {where}, score {_number(row['score'])}. {row['why']}{_told_target(row, screen.goal)}",
                indent="  ",
            )
        _say_wrapped(str(about["rule"]))
    say()
    refused = (
        f", {len(about['refused']):,} refused (named in the file, under about, refused)" if about["refused"] else ""
    )
    say(f"{out}: {counted(int(screen.table['rank'].count()), 'candidate')} ranked{refused}.")


def _no_trust(about: Mapping[str, Any]) -> str:
    predicted = about["controls"] == "predicted"
    return without_trust(about["data"], FEWEST, predicted_controls=predicted, simulated=about["simulated"])


def _of_marks(screen: Screen) -> Iterator[str]:
    """What the marks in the table mean, where there are any."""
    table, goal = screen.table, screen.goal
    if count := int(by_predicted_parts(table, goal).sum()):
        others = " The others are against measured parts: compare the two with care."
        yield (
            f"{BY_PREDICTED} {count:,} of {counted(len(table), 'candidate')}: against the parts as the model predicts "
            f"them, because not all parts were measured alone.{others if count < table['rank'].count() else ''}"
        )
    if goal.target is not None and (count := int(contains_target(table[PERTURBATION], goal).sum())):
        yield (
            f"{CONTAINS} {count:,} of {counted(len(table), 'candidate')}: contains the target, {goal.target.label}, "
            "so a near score is expected."
        )


def _told_target(row: Mapping[Any, Any], goal: Goal) -> str:
    return " It contains the target." if contains_target([row[PERTURBATION]], goal)[0] else ""


def _rows(screen: Screen) -> list[tuple[str, ...]]:
    head = ("rank", "95 %", "perturbation", *screen.covariates, "score", "95 %", "sum of parts", "interaction", "known")
    first = screen.table.head(FIRST)
    predicted, contains = by_predicted_parts(first, screen.goal), contains_target(first[PERTURBATION], screen.goal)
    marked = zip(first.to_dict("records"), predicted.tolist(), contains.tolist(), strict=True)
    return [head, *(_row(row, screen.covariates, *marks) for row, *marks in marked)]


def _row(row: dict[Any, Any], covariates: Sequence[str], by_predicted: bool, contains: bool) -> tuple[str, ...]:
    placed = not pd.isna(row["rank"])
    magnitude = f" {row['magnitude']:.2f}" if np.isfinite(row["magnitude"]) else ""
    return (
        str(row["rank"]) if placed else "",
        f"{row['rank_low']}-{row['rank_high']}" if placed else "",
        _one_line(row["perturbation"]) + CONTAINS * contains,
        *(_one_line(row[column]) for column in covariates),
        _number(row["score"]) + BY_PREDICTED * by_predicted,
        f"{_number(row['low'])} to {_number(row['high'])}" if np.isfinite(row["low"]) else "",
        _number(row["sum_score"]),
        f"{row['interaction']}{magnitude}",
        row["standing"],
    )


def _one_line(name: str) -> str:
    """A name of a file, which may hold line ends that would tear the table."""
    return " ".join(name.split())


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else ""


def _say_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _say_wrapped(text: str, indent: str = "") -> None:
    for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=2 * indent):
        say(line)
