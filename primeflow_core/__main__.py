"""The command line: ``python -m primeflow_core COMMAND``, also installed as ``primeflow``."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from primeflow_core import __version__
from primeflow_core.commands.arguments import app, benchmark, data, distill, evaluate, model, report, screen, tune
from primeflow_core.commands.terminal import note
from primeflow_core.errors import PrimeflowError
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
    except PrimeflowError as error:
        return _refused(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output has gone (`| head`): nothing is wrong, and nothing more can be said.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return _refused(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
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


def _refused(message: str) -> int:
    note(f"primeflow: {' '.join(message.split())}")
    return 2


def run() -> NoReturn:
    logging.basicConfig(level=logging.WARNING, format="primeflow: %(message)s")
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
