"""The solver of models that are not flows: they make cells in one pass, without steps and without guidance."""

from primeflow_core.models.flow.solvers.solver import Needs, Solver

DIRECT = Solver("direct", usual_steps=1, order=0, words="one pass", solve=None, needs=Needs.NO_FLOW, fixed_steps=True)
