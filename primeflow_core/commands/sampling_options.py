"""Options that say how cells are made, shared by every command that makes some."""

import argparse
from dataclasses import replace

from primeflow_core.models.sampling_plan import PRECISIONS, SAMPLERS, USUAL_STEPS, ZEROS, SamplingPlan

Options = argparse.ArgumentParser | argparse._ArgumentGroup


def add_sampling_options(options: Options) -> None:
    """Without --seed, whose meaning is the command's."""
    options.add_argument("--guidance", type=float, help="guidance weight (default: 1, as the model learned it)")
    options.add_argument(
        "--sampler", choices=SAMPLERS, help="solver (default: the model's; euler with 100 steps: the paper)"
    )
    options.add_argument("--steps", type=int, help="solver steps (default: the model's; 100 for euler)")
    options.add_argument("--zeros", choices=ZEROS, help="what becomes exactly 0 (default: the model's)")
    options.add_argument("--batch-size", type=int, help="cells made at once")
    options.add_argument("--precision", choices=PRECISIONS, help="of matrix products (default: auto)")


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
