"""Lack of memory is told from other errors, and said in words by a command, a benchmark and a search."""

import numpy as np
import pytest
import torch

from primeflow_core.runtime.memory import lacks_memory

TOO_MANY = 10**15


def raised(work) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011, what kind of error it is is the question
        work()
    return caught.value


@pytest.mark.parametrize(
    "work",
    [lambda: np.empty(TOO_MANY), lambda: torch.empty(TOO_MANY), lambda: bytearray(TOO_MANY)],
    ids=["numpy", "torch", "python"],
)
def test_every_library_is_understood(work):
    assert lacks_memory(raised(work))


def test_so_is_a_gpu():
    assert lacks_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("shape mismatch"),
        ValueError("out of memory"),
    ],
)
def test_other_errors_are_no_lack_of_memory(error):
    assert not lacks_memory(error)
