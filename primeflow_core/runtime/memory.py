"""Lack of memory, as Python, NumPy and PyTorch report it."""

SAID = ("out of memory", "can't allocate memory", "not enough memory")
"""PyTorch reports it as a RuntimeError, in other words for each kind of device."""


def lacks_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory could not be had."""
    if isinstance(error, RuntimeError):
        return any(words in str(error).lower() for words in SAID)
    return isinstance(error, MemoryError)
