"""PyTorch's global random stream, which layers and decompositions use: only one thread draws from it at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_stream = threading.RLock()


@contextmanager
def drawing(seed: int | None = None) -> Iterator[None]:
    """What is drawn inside hangs on ``seed`` alone, or goes on from where the stream stands; the stream is put back."""
    with _stream, torch.random.fork_rng(devices=()):
        if seed is not None:
            _seed(seed)
        yield


def _seed(seed: int) -> None:
    """As torch.manual_seed, which at every call notes the whole call stack for each device that is not in use, and
    keeps it: time at every step, and memory that is never given back."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
