"""Options that say how cells are made, shared by every command that makes some."""

import argparse

from primeflow_core.models.sampling_plan import SamplingPlan


def plan_of(given: argparse.Namespace, default: SamplingPlan) -> SamplingPlan:
    """The model's plan with what the user set."""
    return default.with_settings(
        seed=given.seed,
        sampler=given.sampler,
        steps=given.steps,
        guidance=given.guidance,
        zeros=given.zeros,
        batch_size=given.batch_size,
        precision=given.precision,
    )
