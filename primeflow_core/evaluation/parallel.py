"""Many small products at once, each on one core.

A product that is split over all cores waits for the slowest of them, which on a machine with other work may take
longer than the product. So BLAS gets one thread, and whole blocks are shared out among as many threads as it had.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

_ONE_AT_A_TIME = threading.Lock()

Task = TypeVar("Task")
Result = TypeVar("Result")


@cache
def _blas() -> tuple[ThreadpoolController, int]:
    """The BLAS libraries, and how many threads they have: the cores, or what the user set (OMP_NUM_THREADS)."""
    controller = ThreadpoolController().select(user_api="blas")
    return controller, max((library["num_threads"] for library in controller.info()), default=1)


@contextmanager
def single_threaded_blas() -> Iterator[int]:
    """BLAS on one thread; yields how many it has otherwise. Do not enter it again from inside.

    The number holds for the whole process, so one thread at a time is in here and a second one waits: whoever left
    first would restore it under the other, and whoever left last would restore what it found.
    """
    controller, threads = _blas()
    with _ONE_AT_A_TIME, controller.limit(limits=1):
        yield threads


def shared_out(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """``work`` of every task, in order. NumPy lets go of the interpreter in products and sums."""
    with single_threaded_blas() as threads:
        if threads == 1:
            return [work(task) for task in tasks]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, tasks))
