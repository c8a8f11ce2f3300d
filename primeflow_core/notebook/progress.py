"""Progress bars by tqdm, in a notebook or a terminal, or none; and warnings."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from primeflow_core.errors import PrimeflowWarning


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
    warnings.warn(text, PrimeflowWarning, stacklevel=3)


def unheard(text: str) -> None:
    """For what a result says as well."""
