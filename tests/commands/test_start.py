"""The command line starts without what only its work needs, and every command leads to a function that is there."""

import argparse
import subprocess
import sys

import pytest

from primeflow_core.__main__ import parser, run_target

HEAVY = ("anndata", "torch", "scanpy", "scipy.stats", "pandas", "sklearn", "pyarrow", "plotly", "optuna")
HELP = """
import contextlib, io, sys
from primeflow_core.__main__ import main
for command in {commands!r}:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        main([*command, "--help"])
    assert "usage: primeflow" in said.getvalue(), command
    print(" ".join(command), *sorted(set({heavy!r}) & set(sys.modules)))
"""


def commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return choices.choices


def test_no_help_loads_what_only_the_work_needs():
    program = HELP.format(commands=[[], *([name] for name in commands())], heavy=HEAVY)
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert found.splitlines() == ["", *commands()]


@pytest.mark.parametrize("name", commands())
def test_every_command_leads_to_a_function(name):
    target = run_target(commands()[name].get_default("run"))
    assert callable(target)
    assert target.__annotations__["given"] is argparse.Namespace
