"""The command line: ``python -m primeflow_core COMMAND``, also installed as ``primeflow``."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from primeflow_core import __version__
from primeflow_core.commands.arguments import app, benchmark, data, distill, evaluate, model, report, screen, tune
from primeflow_core.commands.terminal import STANDARD_OUTPUT, finish_output, note
from primeflow_core.errors import PrimeflowError
from primeflow_core.runtime.atomic_files import storage_error
from primeflow_core.runtime.memory import lacks_memory

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Wrong arguments give one line that names the command whose --help shows what is right."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def parser() -> argparse.ArgumentParser:
    top = _Parser(prog="primeflow", description="Perturbation screens in silico: train, generate, evaluate, look.")
    top.add_argument("--version", action="version", version=f"primeflow {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for family in (data, model, distill, screen, evaluate, report, benchmark, tune, app):
        family.add_commands(commands)
    return top


def run_target(target: str) -> Callable[[argparse.Namespace], None]:
    """The function that ``MODULE:NAME`` names; its module, heavy as it may be, is imported only now."""
    module, name = target.split(":")
    found: Callable[[argparse.Namespace], None] = getattr(importlib.import_module(module), name)
    return found


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 on success, 2 on bad input with one line on standard error, 130 when interrupted."""
    try:
        given = parser().parse_args(arguments)
        run_target(given.run)(given)
        finish_output()
    except OSError as error:
        return _failed(error)
    except PrimeflowError as error:
        return _refused(str(error))
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        return _refused(
            "there was not enough memory for this; finished parts are kept. Ask for fewer cells, or give a "
            "training a smaller batch or recipe (--set batch_size=N, --recipe)."
        )
    except KeyboardInterrupt:
        sys.stderr.write("primeflow: interrupted; finished parts are kept.\n")
        return INTERRUPTED
    return 0


def _failed(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone (`| head`): nothing is wrong, and nothing more can be said.
        _drop_output()
        return 0
    if error.filename == str(STANDARD_OUTPUT):
        _drop_output()
    named = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
    return _refused(str(storage_error(error) or named))


def _drop_output() -> None:
    """Let Python's own flush at the end succeed, which would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(message: str) -> int:
    # The exit code tells as well, where standard error leads to a full disk too.
    with suppress(OSError):
        note(f"primeflow: {' '.join(message.split())}")
    return 2


def run() -> NoReturn:
    # A shell that closes them (`>&-`) leaves None, on which every print would fail.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    logging.basicConfig(level=logging.WARNING, format="primeflow: %(message)s")
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
