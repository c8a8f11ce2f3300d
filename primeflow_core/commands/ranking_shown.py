"""A finished screen in the terminal: how far to trust it, its first rows, what to measure next."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primeflow_core.commands.terminal import say
from primeflow_core.screening.hits import Screen
from primeflow_core.screening.ranking import told_apart, without_score

FIRST, WIDTH = 10, 110


def show(screen: Screen, out: Path) -> None:
    """Print it; ``out`` is its file."""
    about = screen.about
    say(f"{about['sentence']} Score: {about['unit']}. PREDICTED{', SIMULATED' if about['simulated'] else ''}.")
    say()
    for line in screen.trust.lines if screen.trust else (_no_trust(about),):
        _say_wrapped(line)
    say()
    _say_table(_rows(screen))
    _say_wrapped(told_apart(screen.table))
    _say_wrapped(without_score(screen.table, screen.goal))
    if len(screen.next):
        say()
        say("What to measure next:")
        for row in screen.next.to_dict("records"):
            where = " ".join((row["perturbation"], *(row[column] for column in screen.covariates)))
            _say_wrapped(f"{row['place']}  {where}, score {_number(row['score'])}. {row['why']}", indent="  ")
        _say_wrapped(str(about["rule"]))
    say()
    refused = f", {len(about['refused']):,} refused" if about["refused"] else ""
    say(f"{out}: {screen.table['rank'].count():,} candidates ranked{refused}.")


def _no_trust(about: Mapping[str, Any]) -> str:
    why = (
        f"the cells of {about['data']} are not on this machine"
        if about["controls"] == "predicted"
        else "fewer than 3 held-out conditions like the candidates have a score"
    )
    return f"How far to trust this ranking cannot be told: {why}."


def _rows(screen: Screen) -> list[tuple[str, ...]]:
    head = ("rank", "95 %", "perturbation", *screen.covariates, "score", "95 %", "sum of parts", "interaction", "known")
    return [head, *(_row(row, screen.covariates) for row in screen.table.head(FIRST).to_dict("records"))]


def _row(row: dict[Any, Any], covariates: Sequence[str]) -> tuple[str, ...]:
    placed = not pd.isna(row["rank"])
    magnitude = f" {row['magnitude']:.2f}" if np.isfinite(row["magnitude"]) else ""
    return (
        str(row["rank"]) if placed else "",
        f"{row['rank_low']}-{row['rank_high']}" if placed else "",
        row["perturbation"],
        *(row[column] for column in covariates),
        _number(row["score"]),
        f"{_number(row['low'])} to {_number(row['high'])}" if np.isfinite(row["low"]) else "",
        _number(row["sum_score"]),
        f"{row['interaction']}{magnitude}",
        row["standing"],
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else ""


def _say_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _say_wrapped(text: str, indent: str = "") -> None:
    for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=2 * indent):
        say(line)
