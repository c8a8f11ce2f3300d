"""Options that say how cells are made, shared by every command that makes some."""

import argparse
from dataclasses import replace

from primeflow_core.models.sampling_plan import USUAL_STEPS, SamplingPlan


def plan_of(given: argparse.Namespace, default: SamplingPlan) -> SamplingPlan:
    """The model's plan with what the user set; another sampler without --steps takes as many as it usually does."""
    sampler = given.sampler or default.sampler
    usual = default.steps if sampler == default.sampler else USUAL_STEPS[sampler]
    steps = given.steps if given.steps is not None else usual
    changes = {
        "sampler": given.sampler,
        "zeros": given.zeros,
        "guidance": given.guidance,
        "batch_size": given.batch_size,
        "precision": given.precision,
    }
    set_by_user = {name: value for name, value in changes.items() if value is not None}
    return replace(default, steps=steps, seed=given.seed, **set_by_user)
