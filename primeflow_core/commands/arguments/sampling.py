"""Options that say how cells are made, shared by every command that makes some."""

import argparse

from primeflow_core.models.sampling_plan import PRECISIONS, SAMPLERS, ZEROS

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
