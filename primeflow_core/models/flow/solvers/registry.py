"""All solvers, one row each, in the order of ``generate --help``."""

from primeflow_core.errors import SettingError
from primeflow_core.models.flow.solvers.adams_bashforth import ADAMS_BASHFORTH
from primeflow_core.models.flow.solvers.direct import DIRECT
from primeflow_core.models.flow.solvers.euler import EULER
from primeflow_core.models.flow.solvers.exponential import EXPONENTIAL
from primeflow_core.models.flow.solvers.midpoint import MIDPOINT
from primeflow_core.models.flow.solvers.solver import Needs, Solver
from primeflow_core.models.flow.solvers.student import STUDENT

SOLVERS: tuple[Solver, ...] = (
    EULER,
    MIDPOINT,
    ADAMS_BASHFORTH,
    EXPONENTIAL,
    STUDENT,
    DIRECT,
)
"""The usual steps of euler are the paper's; of other solvers as many as come as close to the cells of 100 Euler steps
as two seeds are to each other (benchmarks/sampling.py)."""


def all_solvers() -> tuple[Solver, ...]:
    return SOLVERS


def solver_names() -> tuple[str, ...]:
    return tuple(solver.name for solver in all_solvers())


def solvers_that_need(*needs: Needs) -> tuple[Solver, ...]:
    return tuple(solver for solver in all_solvers() if solver.needs in needs)


def solver_named(name: str) -> Solver:
    """Raises SettingError that lists the names there are."""
    for solver in all_solvers():
        if solver.name == name:
            return solver
    raise SettingError(f"sampler is {name!r}; it must be one of {', '.join(solver_names())}.")
