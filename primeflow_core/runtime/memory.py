"""The memory of this machine, and lack of it as Python, NumPy and PyTorch report it."""

import os
from pathlib import Path

import psutil

from primeflow_core.errors import SettingError

CHOSEN = "PRIMEFLOW_MEMORY_GB"
OF_A_CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files with the limit of a container that has less memory than its machine; ``max`` where it has all."""

SAID = ("out of memory", "can't allocate memory", "not enough memory")
"""PyTorch reports it as a RuntimeError, in other words for each kind of device."""


def lacks_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory could not be had."""
    if isinstance(error, RuntimeError):
        return any(words in str(error).lower() for words in SAID)
    return isinstance(error, MemoryError)


def most_for_a_file() -> int:
    """Bytes that reading one file may take: ``PRIMEFLOW_MEMORY_GB``, else what is free on this machine.

    Raises SettingError where the variable is not a number above 0.
    """
    chosen = os.environ.get(CHOSEN, "")
    if not chosen:
        return min(int(psutil.virtual_memory().available), *_limits_of_containers())
    try:
        most = float(chosen)
    except ValueError:
        most = 0.0
    if not 0 < most < float("inf"):
        raise SettingError(f"{CHOSEN} is {chosen!r}. Give a number of gigabytes above 0, for instance 8.")
    return int(most * 1e9)


def _limits_of_containers() -> list[int]:
    said = [Path(file).read_text(encoding="ascii").strip() for file in OF_A_CONTAINER if Path(file).is_file()]
    return [int(limit) for limit in said if limit.isdigit()]
