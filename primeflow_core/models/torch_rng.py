"""PyTorch's global random stream, which layers and decompositions use: only one thread draws from it at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_stream = threading.RLock()


@contextmanager
def drawing(seed: int | None = None) -> Iterator[None]:
    """Draws inside depend only on ``seed``, or continue the stream if it is None. The stream is restored afterwards."""
    with _stream, torch.random.fork_rng(devices=()):
        if seed is not None:
            _seed(seed)
        yield


def _seed(seed: int) -> None:
    """Seeds like torch.manual_seed. That function records the call stack at every call, for each device that is not in
    use, and keeps it: this costs time at every step, and memory that is never freed."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
