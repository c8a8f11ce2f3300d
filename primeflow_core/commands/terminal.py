"""What the commands say: results on standard output, progress on standard error."""

import argparse
import shlex
import sys
from typing import Any

from tqdm import tqdm

Subcommands = Any  # argparse keeps the class of its sub-parsers private


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    sys.stderr.write(text + "\n")


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
    """A bar on a terminal; elsewhere a plain line each time a tenth more is done."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total = title, max(total, 1)
        self._tenth = 0
        self._bar = tqdm(total=total, desc=title, file=sys.stderr) if sys.stderr.isatty() else None

    def at(self, done: int, detail: str = "") -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(detail, refresh=False)
            self._bar.update(done - self._bar.n)
        elif done * 10 // self.total > self._tenth:
            self._tenth = done * 10 // self.total
            note(f"{self.title}: {done:,} of {self.total:,} {detail}".rstrip())

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
