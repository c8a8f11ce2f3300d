"""Output of the commands: results on standard output, progress on standard error."""

import argparse
import math
import shlex
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

from tqdm import tqdm

from primeflow_core.runtime.atomic_files import naming

STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control and format characters, halves of a pair, and separators of lines."""
UNTIMED = "{desc}: {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
STANDARD_OUTPUT = Path("standard output")
Subcommands = Any  # argparse keeps the class of its sub-parsers private


def say(text: str = "") -> None:
    """Raises StorageError where standard output leads to a full disk, BrokenPipeError where its reader has gone."""
    with naming(STANDARD_OUTPUT):
        sys.stdout.write(shown(text) + "\n")


def finish_output() -> None:
    """Send off what ``say`` was told; raises as ``say`` does."""
    with naming(STANDARD_OUTPUT):
        sys.stdout.flush()


def note(text: str) -> None:
    sys.stderr.write(shown(text) + "\n")


def shown(text: str) -> str:
    """With characters that steer a terminal, or cannot be seen, as escapes such as ``\\x1b``: names in it come from
    files."""
    return "".join(
        _escaped(one) if unicodedata.category(one) in STEERING and one not in "\n\t" else one for one in text
    )


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")


def add_command(commands: Subcommands, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """A sub-command whose --help ends with an example that works as typed."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def as_typed() -> list[str]:
    """The command line, for the record."""
    return ["primeflow", *(shlex.quote(argument) for argument in sys.argv[1:])]


def minutes_and_seconds(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class ProgressLine:
    """A bar on a terminal; elsewhere a plain line each time a tenth more is done, or ``every`` so many seconds.

    ``tells_time``: the details say how long it still takes, so that the bar does not.
    """

    def __init__(self, title: str, total: int, *, every: float = math.inf, tells_time: bool = False) -> None:
        self.title, self.total, self._every = title, max(total, 1), every
        self._tenth, self._said = 0, time.monotonic()
        shape = UNTIMED if tells_time else None
        self._bar = tqdm(total=total, desc=title, file=sys.stderr, bar_format=shape) if sys.stderr.isatty() else None

    def at(self, done: int, detail: str = "") -> None:
        if self._bar is not None:
            # A bar that does not move is drawn anew only when it is told to.
            self._bar.set_postfix_str(detail, refresh=done == self._bar.n)
            self._bar.update(done - self._bar.n)
        elif done * 10 // self.total > self._tenth or time.monotonic() - self._said >= self._every:
            self._tenth, self._said = done * 10 // self.total, time.monotonic()
            note(f"{self.title}: {done:,} of {self.total:,} {detail}".rstrip())

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
