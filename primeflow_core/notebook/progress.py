"""Progress bars by tqdm, in a notebook or a terminal, or none; and warnings."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from primeflow_core.errors import PrimeflowWarning

PACKAGE = "primeflow_core."


@contextmanager
def progress_bar(title: str, total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Gives what is told how much of ``total`` is done."""
    if not shown:
        yield lambda done: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=title) as bar:
        yield lambda done: bar.update(done - bar.n)


def warn(text: str) -> None:
    """A PrimeflowWarning at the line that called PRiMeFlow."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, PrimeflowWarning, stacklevel=level)


def unheard(text: str) -> None:
    """For what a result says as well."""
